// What a child printed that may tell of a provider's limit, kept until it has ended.
// Promises: bounded memory (16 KiB of stderr; of stdout 16 KiB, or 64 lines); the prose of an agent
// that speaks in JSON lines is never taken for a refusal: of those only the lines count that are an
// error, a result that is one, or a limit. How full windows are is told all the time: of that only
// the newest line counts, if one is used up. Without JSON lines: the last 40 of stdout.
// Leaves to others: whether it is a limit (`readLimit`), asking after a failed exit (`handler.ts`).

import { decodeLine, type RawLine } from "./line-framer.ts";
import type { StreamName } from "./log-pump.ts";
import { Tail } from "./output.ts";
import { depthOf } from "./storable.ts";

const TAIL_BYTES = 16 * 1024;
const PLAIN_LINES = 40;
const SIGN_COUNT = 64;
const SIGN_BYTES = 256 * 1024;
/** Deeper JSON is nobody's notice of a limit. */
const SIGN_DEPTH = 64;
/** A line without any of these cannot be a sign. Found faster than the line is parsed. */
const MARKS: readonly string[] = ['"error"', '"is_error"', '"rate_limit', '"rateLimits"'];
/** A line without any of these does not show that its program speaks in JSON lines. */
const FORMS: readonly string[] = ['"type"', '"method"', '"jsonrpc"'];
/** What an agent, a model, a person or a tool said, whatever else the line carries. */
const SPOKEN = /^(?:assistant|user|system|message|item|content|text|thinking|tool|stream_event)/;

type Fields = { readonly [field: string]: unknown };
/** What a line tells: a refusal, how full windows are (`full`: one is used up), or neither. */
type Kind = "refusal" | "full" | "open" | null;
type Sign = { readonly text: string; readonly kind: Exclude<Kind, null> };

export class LimitSigns {
  readonly #tails = { stdout: new Tail(TAIL_BYTES), stderr: new Tail(TAIL_BYTES) };
  #signs: Sign[] = [];
  #bytes = 0;
  #isStructured: boolean;

  /** `isStructured`: an adapter reads stdout, so it is never plain. */
  constructor(isStructured: boolean) {
    this.#isStructured = isStructured;
  }

  chunk(stream: StreamName, chunk: Buffer): void {
    this.#tails[stream].push(chunk);
  }

  /** A line of stdout. */
  line(raw: RawLine): void {
    const { bytes, length } = raw;
    if (length > SIGN_BYTES || bytes[0] !== 123) return; // {
    const mayBeSign = MARKS.some((mark) => bytes.includes(mark));
    const tellsItsForm = FORMS.some((mark) => bytes.includes(mark));
    if (!mayBeSign && (this.#isStructured || !tellsItsForm)) return;
    const text = decodeLine(bytes, false);
    const fields = fieldsOf(text);
    if (fields === null) return;
    this.#isStructured ||= speaksInLines(fields);
    const kind = mayBeSign ? kindOf(fields) : null;
    if (kind !== null) this.#keep({ text, kind });
  }

  #keep(sign: Sign): void {
    // A window that was used up is no more once a newer line says so.
    if (sign.kind !== "refusal") this.#signs = this.#signs.filter(isRefusal);
    this.#signs.push(sign);
    this.#bytes = this.#signs.reduce((sum, { text }) => sum + text.length, 0);
    while (this.#signs.length > SIGN_COUNT || this.#bytes > SIGN_BYTES) {
      this.#bytes -= this.#signs.shift()?.text.length ?? 0;
    }
  }

  /** What may tell of a limit, the most likely first; texts without words are left out. */
  texts(): string[] {
    const said = [this.#tails.stderr.text(), this.#stdout()];
    return said.filter((text) => text.trim() !== "");
  }

  #stdout(): string {
    if (this.#isStructured) {
      // Alone an open window says nothing; behind a refusal it says that this one is over.
      const isRefused = this.#signs.some(({ kind }) => kind !== "open");
      const lines = isRefused ? this.#signs.map(({ text }) => text) : [];
      return lines.join("\n").slice(-TAIL_BYTES);
    }
    const lines = this.#tails.stdout.text().trimEnd().split("\n");
    return lines.slice(-PLAIN_LINES).join("\n");
  }
}

const isRefusal = ({ kind }: Sign): boolean => kind === "refusal";

/** Whether a line shows that its program speaks in JSON lines, whatever this one says. */
function speaksInLines({ type, msg, method, jsonrpc }: Fields): boolean {
  return typeof type === "string" || isFields(msg) || typeof (method ?? jsonrpc) === "string";
}

function kindOf(line: Fields): Kind {
  const { type, msg, payload, method, params } = line;
  if (typeof type === "string" && SPOKEN.test(type)) return null;
  const limit = line["rate_limit_info"] ?? line["rate_limit_event"];
  if (isFields(limit)) return isAllowed(limit) ? null : "refusal";
  if (type === "error" || (type === "result" && line["is_error"] === true)) return "refusal";
  if (typeof method === "string") return isFields(params) ? kindOfNotice(method, params) : null;
  // Some wrap each line once more.
  if (isFields(line["error"])) return "refusal";
  const wrapped = type === "event_msg" ? payload : msg;
  if (!isFields(wrapped)) return null;
  if (wrapped["type"] === "error") return "refusal";
  return wrapped["type"] === "token_count" ? kindOfWindows(wrapped["rate_limits"]) : null;
}

/** A notification of JSON-RPC; answers have no method, and an error of their own. */
function kindOfNotice(method: string, params: Fields): Kind {
  if (method === "error") return isFields(params["error"]) ? "refusal" : null;
  return method === "account/rateLimits/updated" ? kindOfWindows(params["rateLimits"]) : null;
}

/**
 * How full the windows of an account are, as Codex tells after every answer. Full is a window at
 * 100 % where nothing is paid beyond it. What has a name of its own limits one model, which need
 * not be the one that is used.
 */
function kindOfWindows(limits: unknown): Kind {
  if (!isFields(limits)) return null;
  const id = limits["limit_id"] ?? limits["limitId"] ?? "codex";
  const windows = [limits["primary"], limits["secondary"]].filter(isFields);
  if (id !== "codex" || windows.length === 0) return null;
  const { credits } = limits;
  const goesOn =
    isFields(credits) &&
    [credits["has_credits"], credits["hasCredits"], credits["unlimited"]].includes(true);
  return !goesOn && windows.some(isUsedUp) ? "full" : "open";
}

function isUsedUp(window: Fields): boolean {
  const percent = window["used_percent"] ?? window["usedPercent"];
  return typeof percent === "number" && percent >= 100;
}

/** Some agents tell how much is left although nothing was refused. */
function isAllowed({ status }: Fields): boolean {
  return typeof status === "string" && status.startsWith("allowed");
}

function fieldsOf(text: string): Fields | null {
  if (depthOf(text) > SIGN_DEPTH) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
