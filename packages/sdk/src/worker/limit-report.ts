// What a provider said when it refused for a limit, as a report: of a Response, of an error that a
// provider's SDK threw, or of plain fields.
// Promises: never throws, whatever it is given; of a text at most 64 KiB go along, of headers 200;
// headers that hold secrets stay here; every field is one the server takes.
// Leaves to others: what it means: reason, time and scope are read by the server's parser.

import type { LimitReason, LimitReport } from "../wire.ts";
import { storableName } from "./storable-name.ts";

/** Headers in any form: `Headers`, a Map, pairs, or an object. */
export type HeadersLike =
  | Iterable<readonly [string, unknown]>
  | { readonly [name: string]: unknown };

/** What is known of a refusal. Everything may be missing; what is set goes before what is read. */
export type LimitNotice = {
  /** HTTP status of the provider's answer. */
  status?: number | null;
  headers?: HeadersLike | null;
  /** Body of the answer, or what the program printed. */
  message?: string | null;
  /** Such as `anthropic`. */
  provider?: string;
  reason?: LimitReason;
  /** When the limit is over … */
  recoveryAt?: Date | string;
  /** … or how long from now. */
  recoveryInMs?: number;
  /** Whether all models of the account are limited, or one. */
  scope?: "account" | "model";
  model?: string;
};

const REASONS: readonly LimitReason[] = ["rate_limit", "quota", "billing", "overloaded"];
const SCOPES = ["account", "model"] as const;
/** A refusal stands at the beginning of an answer or at the end of an output. */
const HEAD_BYTES = 8 * 1024;
const TAIL_BYTES = 56 * 1024;
const MOST_HEADERS = 200;
const HEADER_NAME_CHARS = 200;
const HEADER_CHARS = 1_000;
/** Wrappers around wrappers: deeper nobody says anything new. */
const MOST_LAYERS = 8;
const SECRET = /cookie|authorization|api-?key|secret|token$/;
/** Last instant that four digits of a year can name. */
const LAST_INSTANT = Date.UTC(9999, 11, 31);

type Layer = { readonly [field: string]: unknown };

/**
 * Reads what is known of a limit: of a fetch `Response` (status and headers; its body is not read),
 * of an `Error` as provider SDKs throw them (its causes and its response included), of a
 * {@link LimitNotice}, of a text, or of a status. Field names may also be those of the wire.
 */
export function limitReportOf(what: unknown): LimitReport {
  try {
    if (typeof what === "string") return { message: cutNotice(what) };
    if (typeof what === "number") return { ...set("status", statusOf(what)) };
    const layers = layersOf(what);
    const messages = layers.flatMap((layer) => textsOf(layer));
    return {
      ...set("status", first(layers, ["status", "statusCode", "httpStatusCode"], statusOf)),
      ...set("headers", first(layers, ["headers", "responseHeaders"], headersOf)),
      ...set("message", joined(messages)),
      ...knownOf(layers.slice(0, 1)),
    };
  } catch {
    return {};
  }
}

/** The text itself when it has at most 64 KiB, else its first 8 KiB and the last of 64. */
export function cutNotice(text: string): string {
  const most = HEAD_BYTES + TAIL_BYTES;
  if (text.length <= most && Buffer.byteLength(text) <= most) return text;
  const head = Buffer.from(text.slice(0, HEAD_BYTES)).subarray(0, HEAD_BYTES).toString();
  // One byte less, for the line break between the two.
  const tail = Buffer.from(text.slice(-TAIL_BYTES))
    .subarray(1 - TAIL_BYTES)
    .toString();
  // Half a character at a seam has become U+FFFD.
  return `${head.replace(/\ufffd$/, "")}\n${tail.replace(/^\ufffd+/, "")}`;
}

/** What the worker says itself. */
function knownOf(layers: readonly Layer[]): LimitReport {
  const reason = first(layers, ["reason"], (value) => oneOf(REASONS, value));
  const scope = first(layers, ["scope"], (value) => oneOf(SCOPES, value));
  return {
    ...set("provider", first(layers, ["provider"], storableName)),
    ...set("reason", reason),
    ...set("recovery_at", first(layers, ["recoveryAt", "recovery_at"], instantOf)),
    ...set("recovery_in_ms", first(layers, ["recoveryInMs", "recovery_in_ms"], durationOf)),
    ...set("scope", scope),
    ...set("model", first(layers, ["model"], storableName)),
  };
}

/** The thing itself, then what it wraps: its response, its causes, their responses. */
function layersOf(what: unknown): Layer[] {
  const layers: Layer[] = [];
  const seen = new Set<unknown>();
  const waiting: unknown[] = [what];
  while (waiting.length > 0 && layers.length < MOST_LAYERS) {
    const next = waiting.shift();
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    seen.add(next);
    const layer = next as Layer;
    layers.push(layer);
    for (const field of ["response", "$response", "$metadata", "cause", "lastError"]) {
      waiting.push(read(layer, field));
    }
  }
  return layers;
}

/** What a layer says in words: its message, and the body it carries. */
function textsOf(layer: Layer): string[] {
  const message = read(layer, "message");
  const name = read(layer, "name");
  const isNamed = typeof name === "string" && name !== "Error" && isError(layer);
  const said = typeof message === "string" ? (isNamed ? `${name}: ${message}` : message) : "";
  const bodies = ["error", "responseBody", "body", "data"].map((field) =>
    bodyOf(read(layer, field)),
  );
  return [said, ...bodies].map(cutNotice);
}

/** A body that was read: text, or what was JSON. Streams are left alone. */
function bodyOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return "";
  try {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null && !Array.isArray(value)) return "";
    return JSON.stringify(value) ?? "";
  } catch {
    return "";
  }
}

/** All texts, without those that an earlier one holds already. */
function joined(texts: readonly string[]): string | undefined {
  let whole = "";
  for (const text of texts) {
    if (text.trim() === "" || whole.includes(text)) continue;
    whole = whole === "" ? text : `${whole}\n${text}`;
  }
  return whole === "" ? undefined : cutNotice(whole);
}

function headersOf(value: unknown): { [name: string]: string } | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const isIterable = Symbol.iterator in value;
  const entries = isIterable ? (value as Iterable<unknown>) : Object.entries(value);
  const headers: [string, string][] = [];
  let seen = 0;
  for (const entry of entries) {
    seen += 1;
    if (seen > MOST_HEADERS) break;
    if (!Array.isArray(entry)) continue;
    const [name, content] = entry as unknown[];
    if (typeof name !== "string") continue;
    const key = name.trim().toLowerCase().slice(0, HEADER_NAME_CHARS);
    const text = Array.isArray(content) ? (content as unknown[]).map(scalar).join(", ") : content;
    const plain = scalar(text).trim().slice(0, HEADER_CHARS);
    if (key !== "" && plain !== "" && !SECRET.test(key)) headers.push([key, plain]);
  }
  return headers.length === 0 ? undefined : Object.fromEntries(headers);
}

function statusOf(value: unknown): number | undefined {
  const status = typeof value === "string" && /^\d{3}$/.test(value) ? Number(value) : value;
  if (typeof status !== "number" || !Number.isInteger(status)) return undefined;
  return status >= 100 && status <= 999 ? status : undefined;
}

function instantOf(value: unknown): string | undefined {
  if (typeof value !== "string" && !(value instanceof Date)) return undefined;
  const at = new Date(value).getTime();
  return at >= 0 && at <= LAST_INSTANT ? new Date(at).toISOString() : undefined;
}

function durationOf(value: unknown): number | undefined {
  if (typeof value !== "number" || Number.isNaN(value)) return undefined;
  return Math.round(Math.min(Math.max(value, 0), Number.MAX_SAFE_INTEGER));
}

function oneOf<T extends string>(words: readonly T[], value: unknown): T | undefined {
  return words.find((word) => word === value);
}

function scalar(value: unknown): string {
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : "";
}

/** The first of these fields, layer by layer, that can be read. */
function first<T>(
  layers: readonly Layer[],
  fields: readonly string[],
  reader: (value: unknown) => T | undefined,
): T | undefined {
  for (const layer of layers) {
    for (const field of fields) {
      try {
        const value = reader(read(layer, field));
        if (value !== undefined) return value;
      } catch {
        // An iterator or a getter of somebody else's: the next field may say more.
      }
    }
  }
  return undefined;
}

function read(layer: Layer, field: string): unknown {
  try {
    return layer[field];
  } catch {
    return undefined;
  }
}

function isError(layer: Layer): boolean {
  try {
    return layer instanceof Error;
  } catch {
    return false;
  }
}

/** An object with this field, or an empty one: absent fields are not sent. */
function set<K extends keyof LimitReport>(
  field: K,
  value: LimitReport[K] | undefined,
): Partial<Pick<LimitReport, K>> {
  return value === undefined ? {} : ({ [field]: value } as Pick<LimitReport, K>);
}
