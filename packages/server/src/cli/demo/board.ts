// The board: the runs of the demo as they move, from the project's feed of events.
// Promises: on a terminal one line per run that changes in place, elsewhere one line per change;
// nothing unescaped; at most ten redraws a second.
// Leaves to others: what happens (play.ts), the table at the end (verdict.ts).

import type { Event, RunSummary } from "@signalbox/sdk";
import { isTerminal } from "@signalbox/sdk";
import { safeLine } from "../safe-text.ts";
import type { Screen } from "../screen.ts";
import { paintState } from "../show-run.ts";

type Row = { title: string; agent: string; state: string; attempt: number; said: string };

const FRAME_MS = 100;
const marks: Readonly<Record<string, string>> = {
  pending: "·",
  claimed: "▸",
  running: "▸",
  completed: "✓",
  failed: "✗",
  timeout: "✗",
  cancelled: "✗",
};

/** The title a run was given by the plan. */
export function titleOf(run: Pick<RunSummary, "id" | "metadata">): string {
  const title = run.metadata["title"];
  return typeof title === "string" ? title : run.id;
}

/** Shows the runs. Feed it events; close it at the end. */
export class Board {
  readonly #screen: Screen;
  readonly #rows = new Map<string, Row>();
  readonly #began = performance.now();
  readonly #live: boolean;
  #drawn = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(screen: Screen, runs: readonly RunSummary[]) {
    this.#screen = screen;
    this.#live = screen.interactive && process.stdout.rows > runs.length + 4;
    for (const run of runs) {
      const agent = run.agent ?? "";
      this.#rows.set(run.id, {
        title: titleOf(run),
        agent,
        state: run.state,
        attempt: 0,
        said: "",
      });
    }
    if (this.#live) this.#draw();
  }

  /** Whether every run has ended. */
  get done(): boolean {
    return [...this.#rows.values()].every(({ state }) => isTerminal(state as RunSummary["state"]));
  }

  /** Takes an event of the feed; those of other streams are left alone. */
  take(event: Event): void {
    const row = this.#rows.get(event.stream_id);
    if (row === undefined) return;
    const text = event.data["text"] ?? event.data["reason"];
    if (typeof text === "string") row.said = text;
    row.attempt = event.attempt ?? row.attempt;
    const isNews = event.to_state !== null && event.to_state !== row.state;
    row.state = event.to_state ?? row.state;
    if (this.#live) this.#soon();
    else if (isNews) this.#print(row);
  }

  /** Something to say besides the runs. */
  say(text: string): void {
    if (this.#screen.json) return;
    this.#erase();
    this.#screen.line(`${this.#time()}  ${text}`);
    this.#draw();
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#live) {
      this.#erase();
      this.#draw();
    }
  }

  #time(): string {
    const seconds = (performance.now() - this.#began) / 1_000;
    return this.#screen.colours.dim(`${seconds.toFixed(1).padStart(5)} s`);
  }

  #print(row: Row): void {
    if (this.#screen.json || row.state === "claimed") return;
    this.#screen.line(`${this.#time()}  ${this.#text(row)}`);
  }

  #text({ title, agent, state, attempt, said }: Row): string {
    const c = this.#screen.colours;
    const tries = attempt > 1 ? `try ${attempt}` : "";
    const width = this.#live ? Math.max(0, this.#screen.width - 71) : 80;
    const words = [
      paintState(state, c).replace(state, `${marks[state] ?? " "} ${state.padEnd(9)}`),
      safeLine(agent, 12).padEnd(12),
      safeLine(title, 36).padEnd(36),
      tries.padEnd(6),
      c.dim(safeLine(said, width)),
    ];
    return words.join(" ").trimEnd();
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#erase();
      this.#draw();
    }, FRAME_MS);
  }

  #erase(): void {
    if (this.#drawn > 0) process.stdout.write(`\u001b[${this.#drawn}A\u001b[0J`);
    this.#drawn = 0;
  }

  #draw(): void {
    if (!this.#live) return;
    for (const row of this.#rows.values()) this.#screen.line(this.#text(row));
    this.#drawn = this.#rows.size;
  }
}
