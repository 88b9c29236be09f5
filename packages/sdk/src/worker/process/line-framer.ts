// Cuts a stream of bytes into lines, in bounded memory.
// Promises: at most `maxBytes` of a line are held, whatever is printed; a longer line is cut and
// says how long it was; work per chunk is proportional to the chunk. The last line needs no
// newline. `\r\n` counts as one line end.
// Leaves to others: what a line means (`log-pump.ts`, `output.ts`).

/** A plain line may have this many bytes. */
export const PLAIN_LINE_LIMIT: number = 256 * 1024;
/** A line that an adapter parses may have this many bytes. */
export const ADAPTER_LINE_LIMIT: number = 16 * 1024 * 1024;

// A buffer that one long line made larger than this is given back.
const KEPT_BUFFER = 64 * 1024;

/** One line. `bytes` is only valid during the call: its memory is used again for the next. */
export type RawLine = {
  bytes: Buffer;
  /** Length of the whole line in bytes. Larger than `bytes` when it was cut. */
  length: number;
};

export class LineFramer {
  readonly #maxBytes: number;
  readonly #onLine: (line: RawLine) => void;
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  #length = 0;

  constructor(maxBytes: number, onLine: (line: RawLine) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const newline = chunk.indexOf(10, from);
      if (newline < 0) break;
      this.#finish(chunk.subarray(from, newline));
      from = newline + 1;
    }
    if (from < chunk.length) this.#hold(chunk.subarray(from));
  }

  /** The stream is over: what is left is the last line. */
  end(): void {
    if (this.#length > 0) this.#finish(Buffer.alloc(0));
  }

  #finish(rest: Buffer): void {
    if (this.#length === 0 && rest.length <= this.#maxBytes) {
      this.#emit(rest, rest.length);
      return;
    }
    this.#hold(rest);
    const length = this.#length;
    this.#length = 0;
    this.#emit(this.#held.subarray(0, this.#heldBytes), length);
    this.#heldBytes = 0;
    if (this.#held.length > KEPT_BUFFER) this.#held = Buffer.alloc(0);
  }

  #emit(bytes: Buffer, length: number): void {
    const whole = bytes.length === length;
    const trailingReturn = whole && bytes.length > 0 && bytes[bytes.length - 1] === 13;
    if (trailingReturn) this.#onLine({ bytes: bytes.subarray(0, -1), length: length - 1 });
    else this.#onLine({ bytes, length });
  }

  #hold(part: Buffer): void {
    this.#length += part.length;
    const room = Math.min(part.length, this.#maxBytes - this.#heldBytes);
    if (room <= 0) return;
    const needed = this.#heldBytes + room;
    if (needed > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(needed * 2, 4096)));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    part.copy(this.#held, this.#heldBytes, 0, room);
    this.#heldBytes = needed;
  }
}

/**
 * Decodes UTF-8. What is not UTF-8 becomes U+FFFD and NUL becomes U+2400, since neither may keep
 * a line from being stored. A character that `cut` went through is left out.
 */
export function decodeLine(bytes: Buffer, cut: boolean): string {
  const text = (cut ? withoutTornEnd(bytes) : bytes).toString("utf8");
  return text.includes("\0") ? text.replaceAll("\0", "\u2400") : text;
}

function withoutTornEnd(bytes: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return bytes;
    if (byte >= 0xc0) {
      const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return needs > back ? bytes.subarray(0, -back) : bytes;
    }
  }
  return bytes;
}
