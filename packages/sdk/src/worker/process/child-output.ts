// What one child prints: framed into lines, logged, searched for the output of the run and, after a
// failure, for a limit of its provider.
// Promises: raw chunks go to `onOutput` first and unchanged; work per chunk is proportional to it;
// a callback that throws is ignored.
// Leaves to others: reading the pipes (`child.ts`), the outcome (`handler.ts`).

import type { LimitReport } from "../../wire.ts";
import { printedLimit, type ReadLimit } from "./limit-notice.ts";
import { LimitSigns } from "./limit-signs.ts";
import { ADAPTER_LINE_LIMIT, LineFramer, PLAIN_LINE_LIMIT } from "./line-framer.ts";
import { LogPump, type LogOptions, type StreamName } from "./log-pump.ts";
import { JsonLines, readOutput, Tail } from "./output.ts";
import type { Storable } from "./storable.ts";

export type OutputOptions = Pick<LogOptions, "logBytes" | "pendingBytes" | "parseLine"> & {
  /** Receives the bytes as the child printed them, for a terminal. */
  onOutput?: (stream: StreamName, chunk: Buffer) => void;
  /**
   * Finds out whether what a child printed before it failed tells of a limit of its provider. Given
   * the last 16 KiB of stderr, then what stdout says: its last 40 lines, or, when the child speaks
   * in JSON lines, the errors among them. Without it only `$SIGNALBOX_LIMIT` tells of limits.
   */
  readLimit?: ReadLimit;
};

type Sink = { emit: LogOptions["emit"]; redact: (text: string) => string };

// The outcome must not wait longer for log lines that cannot be handed over.
const CLOSE_MS = 10_000;
/** Of stderr, for the error of the attempt. */
const TAIL_BYTES = 8 * 1024;

export class ChildOutput {
  readonly #options: OutputOptions;
  readonly #sink: Sink;
  readonly #pump: LogPump;
  readonly #jsonLines = new JsonLines();
  readonly #tail = new Tail(TAIL_BYTES);
  readonly #signs: LimitSigns | null;
  readonly #framers: Record<StreamName, LineFramer>;

  constructor(options: OutputOptions, sink: Sink) {
    this.#options = options;
    this.#sink = sink;
    const { logBytes, pendingBytes, parseLine } = options;
    this.#pump = new LogPump({
      ...sink,
      ...(logBytes !== undefined && { logBytes }),
      ...(pendingBytes !== undefined && { pendingBytes }),
      ...(parseLine !== undefined && { parseLine }),
    });
    this.#signs = options.readLimit === undefined ? null : new LimitSigns(parseLine !== undefined);
    const limit = parseLine === undefined ? PLAIN_LINE_LIMIT : ADAPTER_LINE_LIMIT;
    this.#framers = {
      stdout: new LineFramer(limit, (line) => {
        this.#jsonLines.line(line);
        this.#signs?.line(line);
        this.#pump.line("stdout", line);
      }),
      stderr: new LineFramer(PLAIN_LINE_LIMIT, (line) => this.#pump.line("stderr", line)),
    };
  }

  push(stream: StreamName, chunk: Buffer): void {
    try {
      this.#options.onOutput?.(stream, chunk);
    } catch {
      // Showing the output must not cost the run.
    }
    if (stream === "stderr") this.#tail.push(chunk);
    this.#signs?.chunk(stream, chunk);
    this.#framers[stream].push(chunk);
  }

  /** Hands over what is left, waiting at most 10 s. */
  async close(): Promise<void> {
    this.#framers.stdout.end();
    this.#framers.stderr.end();
    await this.#pump.close(CLOSE_MS);
  }

  stderrTail(): string {
    return this.#tail.text();
  }

  /** The limit that the printed words tell of; null when they do not, or nobody reads them. */
  limit(): LimitReport | null {
    const { readLimit } = this.#options;
    if (this.#signs === null || readLimit === undefined) return null;
    return printedLimit(this.#signs.texts().map(this.#sink.redact), readLimit);
  }

  /** The output of the run, from the file at `path` or the last JSON line. */
  result(path: string): Promise<Storable> {
    return readOutput(path, this.#jsonLines, this.#sink.redact);
  }
}
