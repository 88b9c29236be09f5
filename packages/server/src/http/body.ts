// Bodies: bytes to JSON, once, with everything refused that could hurt further down.
// Promises: nesting is measured before JSON.parse sees the text; keys that reach prototypes, NUL,
// lone surrogates, infinite numbers and text that is not UTF-8 are refused with the path to them,
// on routes whose bodies come from submitters. On routes that carry what agents emit the same
// are let through with `suspicious` set, because no byte of an agent may hide its outcome (F-61).
// Leaves to others: the size limit (Fastify), the shape (schemas), cleaning (`mapping/clean.ts`).

import { Refused, refuseField } from "../domain/refusal.ts";
import { limits } from "../domain/limits.ts";
import { jsonDepth } from "../std/text.ts";
import { fieldName } from "./schemas/check.ts";

/** A parsed body and what its text looked like. */
export type Body = {
  readonly value: unknown;
  /** Size of the text; no field of it can be larger. */
  readonly bytes: number;
  /** Whether it may hold NUL, lone surrogates, prototype keys or infinite numbers. */
  readonly suspicious: boolean;
  /** Whether free JSON in it may nest deeper than 64. */
  readonly deep: boolean;
};

/** Free JSON may nest 64 deep; around it batches need up to 7 levels of ours. */
const ENVELOPE_DEPTH = 8;
const forbiddenKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Cheap and linear: most bodies have none of this, and then nobody walks them. */
const SUSPICIOUS = /\\u|__proto__|constructor|prototype|[eE][+]?\d{3}|\d{40}/;

/** Parses `bytes`. Throws `Refused` (validation_failed). `strict`: refuse what is suspicious. */
export function parseBody(bytes: Buffer, strict: boolean): Body {
  const text = decode(bytes, strict);
  if (text.trim() === "") throw new Refused(refuseField("body", "is empty; send at least {}"));
  const most = limits.jsonDepth + ENVELOPE_DEPTH;
  const flat = jsonDepth(text, limits.jsonDepth);
  if (!flat && !jsonDepth(text, most)) {
    const message = `nests deeper than ${limits.jsonDepth} arrays and objects`;
    throw new Refused(refuseField(fieldName(pathOfDepth(text, most).slice(0, 4)), message));
  }
  const value = parse(text);
  const suspicious = SUSPICIOUS.test(text);
  if (strict && suspicious) refuseUnstorable(value);
  return { value, bytes: bytes.length, suspicious, deep: !flat };
}

function decode(bytes: Buffer, strict: boolean): string {
  try {
    return new TextDecoder("utf-8", { fatal: strict }).decode(bytes);
  } catch {
    throw new Refused(refuseField("body", "is not valid UTF-8"));
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message.slice(0, 200) : "";
    // The parser quotes the input: keep control characters out of logs and terminals.
    const message = `is not valid JSON: ${why.replaceAll(/\p{Cc}/gu, " ").toWellFormed()}`;
    throw new Refused(refuseField("body", message));
  }
}

type Visit = { value: unknown; name: string; parent: Visit | null };

/** Throws for the first thing in the tree that a submitter must not send. No recursion. */
function refuseUnstorable(root: unknown): void {
  const open: Visit[] = [{ value: root, name: "", parent: null }];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const wrong = whatIsWrong(at.value);
    if (wrong !== null) throw new Refused(refuseField(pathOf(at), wrong));
    if (typeof at.value !== "object" || at.value === null) continue;
    for (const [name, value] of Object.entries(at.value)) {
      const child: Visit = { value, name, parent: at };
      if (forbiddenKeys.has(name)) {
        throw new Refused(refuseField(pathOf(child), "this name is not allowed as a key"));
      }
      const wrongName = whatIsWrong(name);
      if (wrongName !== null)
        throw new Refused(refuseField(pathOf(child), `its name ${wrongName}`));
      open.push(child);
    }
  }
}

function whatIsWrong(value: unknown): string | null {
  if (typeof value === "number") return Number.isFinite(value) ? null : "is too large a number";
  if (typeof value !== "string") return null;
  if (value.includes("\u0000")) return "contains the character U+0000";
  return value.isWellFormed() ? null : "contains half a surrogate pair";
}

function pathOf(visit: Visit): string {
  const names: string[] = [];
  for (let at = visit; at.parent !== null; at = at.parent) {
    names.unshift(at.name.replaceAll("\u0000", "␀").toWellFormed());
  }
  return fieldName(names);
}

/** Keys and indexes that lead to the place where `text` first nests deeper than `max`. */
function pathOfDepth(text: string, max: number): string[] {
  const path: (string | number)[] = [];
  let key = "";
  for (let at = 0; at < text.length && path.length <= max; at++) {
    const char = text[at];
    const last = path.length - 1;
    if (char === '"') {
      const start = at + 1;
      for (at = start; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at += 1;
      key = text.slice(start, at);
    } else if (char === ":") path[last] = key;
    else if (char === ",") {
      const here = path[last];
      if (typeof here === "number") path[last] = here + 1;
    } else if (char === "[") path.push(0);
    else if (char === "{") path.push("");
    else if (char === "]" || char === "}") path.pop();
  }
  return path.map(String);
}

export { forbiddenKeys };
