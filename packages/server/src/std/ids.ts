// Ids: UUIDv7 (RFC 9562) in the database, TypeID (specification 0.3) on the wire.
// Promises: ids of one process sort in the order they were made, even inside one millisecond and
// when the clock steps back; encoding and decoding cost well under 1 µs; decoding is strict.
// Leaves to others: which prefixes exist (domain). Why not the libraries: docs/adr/0006.

import { randomFillSync } from "node:crypto";

import { Bug } from "./assert.ts";
import { systemClock } from "./clock.ts";

/** What an id source is made from; both are replaced in tests. */
export type UuidSourceOptions = {
  /** Milliseconds since 1970. */
  wall: () => number;
  /** Fills the whole array with random bytes. */
  fill: (bytes: Uint8Array) => void;
};

const BYTES_PER_ID = 10; // 4 seed the counter, 6 (of which 42 bits are used) are plain random
const POOL_IDS = 256; // one system call for randomness per 256 ids
const HEX = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));

/** Before every id: where lists in order begin. */
export const nilUuid = "00000000-0000-0000-0000-000000000000";
/** After every id: where lists that run backward begin. */
export const lastUuid = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/**
 * Makes a source of UUIDv7 texts (lower case, with hyphens). Layout after the 48 bits of time: a
 * 32-bit counter (12 bits in `rand_a`, 20 in `rand_b`), seeded at random below 2^31 every
 * millisecond and counted up within it, then 42 random bits. When the counter is full (2^31 ids
 * in one millisecond at least) the id borrows the next millisecond.
 */
export function uuidSource(options: UuidSourceOptions): () => string {
  const pool = new Uint8Array(BYTES_PER_ID * POOL_IDS);
  let used = pool.length;
  let lastMs = -1;
  let counter = 0;

  return () => {
    if (used === pool.length) {
      options.fill(pool);
      used = 0;
    }
    const at = used;
    used += BYTES_PER_ID;
    const byte = (n: number): number => pool[at + n] as number;

    const now = options.wall();
    if (now > lastMs) {
      lastMs = now;
      counter = ((byte(0) & 0x7f) * 0x1000000 + (byte(1) << 16)) | (byte(2) << 8) | byte(3);
    } else if (counter < 0xffffffff) {
      counter += 1;
    } else {
      lastMs += 1;
      counter = 0;
    }
    return writeUuid(lastMs, counter, pool, at + 4);
  };
}

/** Lays out time, counter and six random bytes from `pool[at]` as the text of a UUIDv7. */
function writeUuid(ms: number, counter: number, pool: Uint8Array, at: number): string {
  const hex = (n: number): string => HEX[n & 0xff] as string;
  const high = Math.floor(ms / 0x10000); // the upper 32 of 48 bits; the lower 16 follow
  const low20 = counter & 0xfffff;
  return (
    `${hex(high >>> 24)}${hex(high >>> 16)}${hex(high >>> 8)}${hex(high)}-` +
    `${hex((ms % 0x10000) >>> 8)}${hex(ms)}-` +
    `${hex(0x70 | (counter >>> 28))}${hex(counter >>> 20)}-` +
    `${hex(0x80 | (low20 >>> 14))}${hex(low20 >>> 6)}-` +
    `${hex((low20 << 2) | ((pool[at] as number) & 0x03))}${hex(pool[at + 1] as number)}` +
    `${hex(pool[at + 2] as number)}${hex(pool[at + 3] as number)}` +
    `${hex(pool[at + 4] as number)}${hex(pool[at + 5] as number)}`
  );
}

/** A new UUIDv7 text from the system's clock and randomness, later than all before it. */
export const newUuid: () => string = uuidSource({
  wall: systemClock.wall,
  fill: (bytes) => void randomFillSync(bytes),
});

// 128 bits are 26 digits of 5 bits with two zero bits in front. One byte makes the first two
// digits; then 5 hex digits (20 bits) make 4 at a time, six times.
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const PAIRS = Array.from({ length: 1024 }, (_, n) => `${ALPHABET[n >> 5]}${ALPHABET[n & 31]}`);
const NOT_A_DIGIT = 0xff;
const HEX_DIGITS = digitTable("0123456789abcdef");
const BASE32_DIGITS = digitTable(ALPHABET);
const PREFIX = /^(?:[a-z](?:[a-z_]{0,61}[a-z])?)?$/;

/** The few prefixes there are, once checked. */
const prefixes = new Set<string>();

function isPrefix(text: string): boolean {
  if (prefixes.has(text)) return true;
  if (!PREFIX.test(text)) return false;
  if (prefixes.size < 100) prefixes.add(text);
  return true;
}

function isHyphenated(uuid: string): boolean {
  return (
    uuid.length === 36 &&
    uuid[8] === "-" &&
    uuid[13] === "-" &&
    uuid[18] === "-" &&
    uuid[23] === "-"
  );
}

/** Character code → value of the digit, `NOT_A_DIGIT` for every other code below 256. */
function digitTable(digits: string): Uint8Array {
  const table = new Uint8Array(256).fill(NOT_A_DIGIT);
  for (let n = 0; n < digits.length; n++) table[digits.charCodeAt(n)] = n;
  return table;
}

/**
 * The wire form of a UUID: `run_01h455vb4pex5vsknk084sn02q`. The prefix is ≤ 63 of `a-z` and inner
 * `_`, or empty (then without separator). Throws {@link Bug} for a malformed prefix or UUID:
 * both come from our own code and our own database.
 */
export function toTypeId(prefix: string, uuid: string): string {
  if (!isPrefix(prefix)) throw new Bug(`not a TypeID prefix: ${prefix}`);
  if (!isHyphenated(uuid)) throw new Bug(`not a UUID: ${uuid}`);
  const hex =
    uuid.slice(0, 8) + uuid.slice(9, 13) + uuid.slice(14, 18) + uuid.slice(19, 23) + uuid.slice(24);
  const first = readDigits(hex, 0, 2, HEX_DIGITS);
  let seen = first;
  let out = prefix === "" ? (PAIRS[first & 0xff] as string) : `${prefix}_${PAIRS[first & 0xff]}`;
  for (let at = 2; at < 32; at += 5) {
    const group = readDigits(hex, at, 5, HEX_DIGITS);
    seen |= group;
    out += (PAIRS[(group >> 10) & 0x3ff] as string) + (PAIRS[group & 0x3ff] as string);
  }
  if (seen < 0) throw new Bug(`not a UUID: ${uuid}`);
  return out;
}

/**
 * The UUID behind a TypeID, or null unless `text` is exactly `prefix`, `_` and 26 lower-case
 * digits of at most 128 bits. Never throws: the text is a stranger's.
 */
export function fromTypeId(prefix: string, text: string): string | null {
  const start = prefix === "" ? 0 : prefix.length + 1;
  if (text.length !== start + 26 || !text.startsWith(prefix)) return null;
  if (start > 0 && text[start - 1] !== "_") return null;
  const first = readDigits(text, start, 2, BASE32_DIGITS);
  if (first < 0 || first > 0xff) return null; // over 128 bits: the first digit is above 7
  let hex = HEX[first] as string;
  for (let at = start + 2; at < text.length; at += 4) {
    const group = readDigits(text, at, 4, BASE32_DIGITS);
    if (group < 0) return null;
    hex += (group + 0x100000).toString(16).slice(1);
  }
  const part = (from: number, to: number): string => hex.slice(from, to);
  return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20, 32)}`;
}

/**
 * When a UUIDv7 was made, in milliseconds since 1970; what any other UUID begins with.
 *
 * @example
 * uuidTime("01890a5d-ac96-774b-bcce-b302099a8057"); // 1688096058518
 */
export function uuidTime(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}

/**
 * What no UUIDv7 made at this instant or later comes before. Milliseconds since 1970, whole, ≥ 0.
 *
 * @example
 * uuidFloor(1688096058518); // "01890a5d-ac96-0000-0000-000000000000"
 */
export function uuidFloor(ms: number): string {
  const hex = Math.min(ms, 0xffffffffffff).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The number written by `count` digits of `text` from `at` on; -1 if one is not a digit. */
function readDigits(text: string, at: number, count: number, table: Uint8Array): number {
  const bits = table === HEX_DIGITS ? 4 : 5;
  let value = 0;
  for (let n = at; n < at + count; n++) {
    const digit = table[text.charCodeAt(n)] ?? NOT_A_DIGIT;
    if (digit === NOT_A_DIGIT) return -1;
    value = (value << bits) | digit;
  }
  return value;
}
