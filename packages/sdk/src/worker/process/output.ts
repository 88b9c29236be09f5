// Finds the output of a child: the file it wrote, else the last line of stdout that is JSON.
// Promises: bounded memory (the last 64 candidates, 1 MiB together; so many bytes of a stream);
// a candidate is parsed only when the child has ended.
// Leaves to others: making the value storable (`storable.ts`).

import { cleanText, depthOf, OUTPUT_LIMIT, parseStorable, type Storable } from "./storable.ts";
import { decodeLine, type RawLine } from "./line-framer.ts";
import { readBounded } from "./scratch.ts";

const CANDIDATE_COUNT = 64;
const CANDIDATE_BYTES = 1024 * 1024;
// JSON this deep is not even tried by the parser; it would be stored as text.
const PARSER_DEPTH = 1_000;

/** Remembers lines that may be a JSON object or array, newest last. */
export class JsonLines {
  readonly #lines: string[] = [];
  #bytes = 0;

  line(raw: RawLine): void {
    if (raw.length > raw.bytes.length || !looksLikeJson(raw.bytes)) return;
    const text = raw.bytes.toString("utf8");
    this.#lines.push(text);
    this.#bytes += text.length;
    while (this.#lines.length > CANDIDATE_COUNT || this.#bytes > CANDIDATE_BYTES) {
      this.#bytes -= this.#lines.shift()?.length ?? 0;
    }
  }

  /** The newest line that parses as JSON object or array; null when none does. */
  last(): string | null {
    return this.#lines.findLast((line) => depthOf(line) > PARSER_DEPTH || parses(line)) ?? null;
  }
}

/** The last so many bytes of a stream. */
export class Tail {
  readonly #most: number;
  #bytes: Buffer = Buffer.alloc(0);
  #cut = false;

  constructor(bytes: number) {
    this.#most = bytes;
  }

  push(chunk: Buffer): void {
    const joined = chunk.length >= this.#most ? chunk : Buffer.concat([this.#bytes, chunk]);
    this.#cut ||= joined.length > this.#most;
    this.#bytes = Buffer.from(joined.subarray(-this.#most));
  }

  /** As text, without the part of a character that the cut went through. */
  text(): string {
    let from = 0;
    while (this.#cut && from < 3 && ((this.#bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
    return cleanText(decodeLine(this.#bytes.subarray(from), false));
  }
}

/**
 * The output of a child that ended with 0, storable. Without one it is null. `redact` takes
 * secrets out of the text before it is read as JSON.
 */
export async function readOutput(
  path: string,
  lines: JsonLines,
  redact: (text: string) => string,
): Promise<Storable> {
  const file = await readBounded(path, OUTPUT_LIMIT);
  if (file !== null && file.length > 0) {
    const cut = file.length > file.bytes.length;
    const text = cut ? decodeLine(file.bytes, true) : file.bytes.toString("utf8").trim();
    return parseStorable(redact(text), OUTPUT_LIMIT, cut ? file.length : undefined);
  }
  const line = lines.last();
  return line === null ? { value: null, altered: [] } : parseStorable(redact(line), OUTPUT_LIMIT);
}

function looksLikeJson(bytes: Buffer): boolean {
  let from = 0;
  let to = bytes.length - 1;
  while (from < to && isSpace(bytes[from])) from += 1;
  while (to > from && isSpace(bytes[to])) to -= 1;
  // { } or [ ]
  return bytes[from] === 123 ? bytes[to] === 125 : bytes[from] === 91 && bytes[to] === 93;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 9 || byte === 13;
}

function parses(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
