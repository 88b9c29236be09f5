// A queue of lines in few large buffers: what a child printed and nobody has taken yet.
// Promises: first in, first out; a line costs its bytes and 9 more, not an object each, so that a
// child that prints a million short lines cannot fill the memory; full means refused, not waiting.
// Leaves to others: what happens to refused lines (`log-pump.ts`).

/** What kind of record it is: a small number that the owner gives meaning to. */
export type StoredLine = {
  kind: number;
  /** Valid until the next call of `shift`. */
  bytes: Buffer;
  /** Length of the whole line, of which `bytes` may be the beginning. */
  length: number;
};

const HEADER_BYTES = 9;
const SLAB_BYTES = 64 * 1024;

type Slab = { buffer: Buffer; written: number };

export class LineStore {
  readonly #capacity: number;
  readonly #slabs: Slab[] = [];
  #read = 0;
  #bytes = 0;
  #lines = 0;

  /** `capacity` in bytes. One line is always taken, however long it is. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get lines(): number {
    return this.#lines;
  }

  /** Part of the capacity that is taken; above 1 only by a single long line. */
  get fill(): number {
    return this.#bytes / this.#capacity;
  }

  /** Copies a line in. False when there is no room. */
  push({ kind, bytes, length }: StoredLine): boolean {
    const size = HEADER_BYTES + bytes.length;
    if (this.#lines > 0 && this.#bytes + size > this.#capacity) return false;
    let slab = this.#slabs.at(-1);
    if (slab === undefined || slab.written + size > slab.buffer.length) {
      slab = { buffer: Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, size)), written: 0 };
      this.#slabs.push(slab);
    }
    slab.buffer.writeUInt8(kind, slab.written);
    slab.buffer.writeUInt32LE(bytes.length, slab.written + 1);
    slab.buffer.writeUInt32LE(Math.min(length, 0xffff_ffff), slab.written + 5);
    bytes.copy(slab.buffer, slab.written + HEADER_BYTES);
    slab.written += size;
    this.#bytes += size;
    this.#lines += 1;
    return true;
  }

  /** Takes the oldest line out; null when there is none. */
  shift(): StoredLine | null {
    if (this.#lines === 0) {
      this.#rewind();
      return null;
    }
    if (this.#read === this.#slabs[0]?.written) {
      this.#slabs.shift();
      this.#read = 0;
    }
    const slab = this.#slabs[0];
    if (slab === undefined) return null;
    const kind = slab.buffer.readUInt8(this.#read);
    const size = slab.buffer.readUInt32LE(this.#read + 1);
    const length = slab.buffer.readUInt32LE(this.#read + 5);
    const from = this.#read + HEADER_BYTES;
    this.#read = from + size;
    this.#bytes -= HEADER_BYTES + size;
    this.#lines -= 1;
    return { kind, bytes: slab.buffer.subarray(from, from + size), length };
  }

  // Empty: the last buffer is used again from its start, unless one long line made it large.
  #rewind(): void {
    const slab = this.#slabs.pop();
    this.#slabs.length = 0;
    this.#read = 0;
    if (slab?.buffer.length === SLAB_BYTES) this.#slabs.push({ buffer: slab.buffer, written: 0 });
  }
}
