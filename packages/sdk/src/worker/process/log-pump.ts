// Turns the lines of a child into events, at the pace of the worker, never making the child wait.
// Promises: one line is one `log.line` of at most 60 KiB, cut by field and marked; per attempt at
// most 64 MiB are logged (a line counts 128 bytes at least), the beginning is kept; lines that wait
// take at most 8 MiB, then lines are dropped until half is free. Every drop is counted and told by
// an `x.log.dropped` event at the place of the gap.
// Work is done in turns of about 5 ms, so that the worker's loop goes on whatever is printed.
// Leaves to others: sending, numbering and retrying events (the worker's event buffer).

import type { EventSubmission, JsonObject } from "../../wire.ts";
import { decodeLine, type RawLine } from "./line-framer.ts";
import { LineStore, type StoredLine } from "./line-store.ts";
import { EVENT_DATA_LIMIT, fitText } from "./storable.ts";

export type StreamName = "stdout" | "stderr";

export type LogOptions = {
  /** Hands one event over; resolves when there is room for another. */
  emit: (event: EventSubmission) => Promise<unknown>;
  /** Bytes per attempt; a line counts 128 at least, about what its event takes. Default 64 MiB. */
  logBytes?: number;
  /** Bytes of lines that wait to be handed over. Default 8 MiB. */
  pendingBytes?: number;
  /** Takes secrets out of a line. */
  redact?: (text: string) => string;
  /**
   * Reads a line of a known agent; null = it is a plain line. Also called beyond `logBytes`, since
   * usage counts to the end: then only events with `usage` are handed over.
   */
  parseLine?: (line: string, stream: StreamName) => EventSubmission[] | null;
};

type DropReason = "log_limit" | "backpressure";

const LOG_BYTES = 64 * 1024 * 1024;
const PENDING_BYTES = 8 * 1024 * 1024;
// Room for `stream`, `truncated` and the braces around the text.
const TEXT_LIMIT = EVENT_DATA_LIMIT - 256;
const LEAST_LINE_BYTES = 128;
// Dropping goes on until this much is free: one long gap is better than a gap at every other line.
const RESUME_FILL = 0.5;
const TURN_MS = 5;

/** Kinds of records in the store: the streams by index, and the mark of a gap. */
const STREAMS: readonly StreamName[] = ["stdout", "stderr"];
const GAP = STREAMS.length;

export class LogPump {
  readonly #options: LogOptions;
  readonly #logBytes: number;
  readonly #store: LineStore;
  #logged = 0;
  #full = false;
  #gap = { lines: 0, bytes: 0 };
  #beyond = { lines: 0, bytes: 0 };
  #pumping: Promise<void> | null = null;
  #closed = false;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#logBytes = options.logBytes ?? LOG_BYTES;
    this.#store = new LineStore(options.pendingBytes ?? PENDING_BYTES);
  }

  /** Takes one line. Never waits. */
  line(stream: StreamName, raw: RawLine): void {
    if (this.#full && this.#options.parseLine === undefined) return count(this.#beyond, raw.length);
    const told = this.#gap.lines === 0 || (this.#store.fill <= RESUME_FILL && this.#pushGap());
    const { bytes, length } = raw;
    if (!told || !this.#store.push({ kind: STREAMS.indexOf(stream), bytes, length })) {
      return count(this.#gap, length);
    }
    this.#pumping ??= this.#pump();
  }

  /** Tells the last drops and waits, at most `limitMs`, until everything has been handed over. */
  async close(limitMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limitMs);
    });
    await Promise.race([this.#pumping, limit]);
    clearTimeout(timer);
    this.#closed = true;
    for (let left = this.#store.shift(); left !== null; left = this.#store.shift()) {
      if (left.kind === GAP) addGap(this.#gap, left);
      else count(this.#gap, left.length);
    }
    void this.#tell(this.#gap, "backpressure");
    void this.#tell(this.#beyond, "log_limit");
  }

  async #pump(): Promise<void> {
    await nextTurn();
    let turnEnds = performance.now() + TURN_MS;
    for (let line = this.#store.shift(); line !== null; line = this.#store.shift()) {
      await this.#handOver(line);
      if (this.#closed) break;
      if (performance.now() < turnEnds) continue;
      await nextTurn();
      turnEnds = performance.now() + TURN_MS;
    }
    this.#pumping = null;
  }

  async #handOver({ kind, bytes, length }: StoredLine): Promise<void> {
    const stream = STREAMS[kind];
    if (stream === undefined) {
      const gap = { lines: 0, bytes: 0 };
      addGap(gap, { kind, bytes, length });
      return this.#tell(gap, "backpressure");
    }
    const cut = length > bytes.length;
    const decoded = decodeLine(bytes, cut);
    const text = this.#options.redact?.(decoded) ?? decoded;
    const parsed = cut ? null : this.#parse(text, stream);
    const events = parsed ?? [lineEvent(stream, text, cut ? length : null)];
    const size = Math.max(LEAST_LINE_BYTES, Math.min(bytes.length, TEXT_LIMIT));
    const beyond = this.#full || this.#logged + size > this.#logBytes;
    if (!beyond) this.#logged += size;
    for (const event of events) {
      if (!beyond || event.usage !== undefined) await this.#send(event);
    }
    if (!beyond) return;
    count(this.#beyond, length);
    // The first one is told at once, so that a reader knows why the log has ended.
    if (!this.#full) await this.#tell(this.#beyond, "log_limit");
    this.#full = true;
  }

  /** Puts the gap before the next line. False when there is no room for that either. */
  #pushGap(): boolean {
    const bytes = Buffer.from(JSON.stringify(this.#gap));
    if (!this.#store.push({ kind: GAP, bytes, length: bytes.length })) return false;
    this.#gap = { lines: 0, bytes: 0 };
    return true;
  }

  async #tell(dropped: { lines: number; bytes: number }, reason: DropReason): Promise<void> {
    if (dropped.lines === 0) return;
    const data: JsonObject = { ...dropped, reason };
    dropped.lines = 0;
    dropped.bytes = 0;
    await this.#send({ type: "x.log.dropped", data });
  }

  #parse(text: string, stream: StreamName): EventSubmission[] | null {
    try {
      return this.#options.parseLine?.(text, stream) ?? null;
    } catch {
      return null;
    }
  }

  // A refused event (the attempt is over, say) is lost with its line: the outcome must not be.
  async #send(event: EventSubmission): Promise<void> {
    try {
      await this.#options.emit(event);
    } catch {
      // Said above.
    }
  }
}

function count(dropped: { lines: number; bytes: number }, length: number): void {
  dropped.lines += 1;
  dropped.bytes += length;
}

function addGap(dropped: { lines: number; bytes: number }, { bytes }: StoredLine): void {
  const gap = JSON.parse(bytes.toString("utf8")) as { lines: number; bytes: number };
  dropped.lines += gap.lines;
  dropped.bytes += gap.bytes;
}

function lineEvent(stream: StreamName, text: string, cutFrom: number | null): EventSubmission {
  const fitted = fitText(text, TEXT_LIMIT);
  const data: JsonObject = { stream, text: fitted };
  if (cutFrom !== null) data["truncated"] = { text: cutFrom };
  else if (fitted.length < text.length) data["truncated"] = { text: Buffer.byteLength(text) };
  return { type: "log.line", data };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
