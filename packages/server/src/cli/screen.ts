// The screen: everything a command says goes through here.
// Promises: results on stdout, everything else on stderr; with `--json` stdout holds JSON only;
// colours and moving lines on a terminal alone; a reader that went away (EPIPE) ends the command
// quietly. Text handed in is printed as it is: callers make foreign text safe (safe-text.ts).
// Leaves to others: what is said.

import Table from "cli-table3";
import picocolors from "picocolors";
import { safeJson } from "./safe-text.ts";

export type Colours = ReturnType<typeof picocolors.createColors>;

/** One line that changes while something takes long. */
export type Progress = {
  say: (text: string) => void;
  /** Removes the line. */
  done: () => void;
};

export type ScreenOptions = {
  json: boolean;
  /** Undefined: colours on a terminal. */
  colour: boolean | undefined;
};

const PROGRESS_AFTER_MS = 150;
const FULL_WIDTH = 100;

export class Screen {
  readonly json: boolean;
  /** For stdout. */
  readonly colours: Colours;
  /** For stderr. */
  readonly asideColours: Colours;
  /** Whether a person looks at stdout. */
  readonly interactive: boolean;

  constructor({ json, colour }: ScreenOptions) {
    this.json = json;
    this.interactive = process.stdout.isTTY && !json;
    this.colours = picocolors.createColors(colour ?? process.stdout.isTTY);
    this.asideColours = picocolors.createColors(colour ?? process.stderr.isTTY);
  }

  get width(): number {
    return process.stdout.isTTY ? process.stdout.columns : FULL_WIDTH;
  }

  /** A line of the result. */
  line(text = ""): void {
    process.stdout.write(`${text}\n`);
  }

  /** A line beside the result. Not printed with `--json`. */
  aside(text: string): void {
    if (!this.json) process.stderr.write(`${text}\n`);
  }

  /** The result as JSON: several lines, or one (for streams of them). */
  data(value: unknown, form: "document" | "line" = "document"): void {
    process.stdout.write(`${safeJson(value, form === "document" ? 2 : undefined)}\n`);
  }

  /** JSON with `--json`, else what `human` prints. */
  result(value: unknown, human: () => void): void {
    if (this.json) this.data(value);
    else human();
  }

  /** A table without lines. The last column takes what is left of the width. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void {
    const none = { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" };
    const ends = { top: "", "top-mid": "", "top-left": "", "top-right": "" };
    const feet = { bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" };
    const table = new Table({
      head: head.map((one) => this.colours.dim(one)),
      chars: { ...none, ...ends, ...feet, left: "", right: "", middle: "  " },
      style: { "padding-left": 0, "padding-right": 0, head: [], border: [], compact: true },
    });
    table.push(...rows.map((row) => [...row]));
    for (const line of table.toString().split("\n")) this.line(line.trimEnd());
  }

  /** Shown on a terminal only, and not at all for what is over in a blink. */
  progress(text: string): Progress {
    if (!process.stderr.isTTY || this.json) return { say: () => {}, done: () => {} };
    let now = text;
    let shown = false;
    const draw = (): void => {
      shown = true;
      process.stderr.write(`\r\u001b[2K${this.asideColours.dim(now)}`);
    };
    const timer = setTimeout(draw, PROGRESS_AFTER_MS);
    timer.unref();
    return {
      say: (next) => {
        now = next;
        if (shown) draw();
      },
      done: () => {
        clearTimeout(timer);
        if (shown) process.stderr.write("\r\u001b[2K");
        shown = false;
      },
    };
  }
}
