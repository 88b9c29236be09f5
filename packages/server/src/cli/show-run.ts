// Runs and attempts as people read them: rows of a table, a record, words for durations.
// Promises: nothing an agent, a worker or a submitter wrote reaches the terminal unescaped.
// Leaves to others: fetching (commands/), JSON (`--json` prints the wire shapes as they are).

import type { Attempt, Explanation, Json, Run, RunSummary } from "@signalbox/sdk";
import { safeJson, safeLine, safeText } from "./safe-text.ts";
import type { Colours, Screen } from "./screen.ts";

/** 850 ms, 12.4 s, 3 min 05 s, 2 h 10 min, 3 d 4 h. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const [d, h, min, s] = [ms / 864e5, (ms / 36e5) % 24, (ms / 6e4) % 60, (ms / 1e3) % 60].map(
    Math.floor,
  ) as [number, number, number, number];
  if (d > 0) return `${d} d ${h} h`;
  return h > 0 ? `${h} h ${min} min` : `${min} min ${String(s).padStart(2, "0")} s`;
}

/** How long ago an instant was, or how long until it comes. */
export function ago(instant: string | null, now = Date.now()): string {
  if (instant === null) return "";
  const ms = now - Date.parse(instant);
  return ms >= 0 ? `${duration(ms)} ago` : `in ${duration(-ms)}`;
}

/** A state in its colour. */
export function paintState(state: string, c: Colours): string {
  const paints: Readonly<Record<string, (text: string) => string>> = {
    completed: c.green,
    failed: c.red,
    timeout: c.red,
    lost: c.red,
    killed: c.red,
    cancelled: c.yellow,
    released: c.yellow,
    running: c.cyan,
    claimed: c.cyan,
    waiting_tool: c.cyan,
    waiting_approval: c.magenta,
  };
  return (paints[state] ?? ((text) => text))(safeLine(state));
}

/** How long a run has taken: its work, not its waiting. */
export function workedMs(run: Pick<RunSummary, "started_at" | "finished_at">): number | null {
  if (run.started_at === null) return null;
  const end = run.finished_at === null ? Date.now() : Date.parse(run.finished_at);
  return end - Date.parse(run.started_at);
}

/** What a run is about, in a few words: its command, its error, or nothing. */
function about(run: RunSummary): string {
  if (run.error !== null) return run.error.message;
  const command = run.metadata["command"];
  return typeof command === "string" ? command : (run.status_reason ?? "");
}

const LIST_WIDTH = 88;

/** The table of `runs list`. */
export function showRuns(screen: Screen, runs: readonly RunSummary[]): void {
  const room = Math.max(16, screen.width - LIST_WIDTH);
  const rows = runs.map((run) => {
    const worked = workedMs(run);
    return [
      run.id,
      paintState(run.state, screen.colours),
      safeLine(run.agent ?? "any", 18),
      String(run.priority),
      `${run.attempts_used}/${run.max_attempts}`,
      worked === null ? "" : duration(worked),
      safeLine(about(run), room),
    ];
  });
  screen.table(["RUN", "STATE", "AGENT", "PRIO", "TRIES", "TOOK", "ABOUT"], rows);
}

const LONGEST_VALUE = 2_000;

function valueText(value: Json): string {
  const text = safeJson(value);
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}… (--json for all)`;
}

/** The record of `runs show`. */
export function showRun(screen: Screen, run: Run, attempts: readonly Attempt[]): void {
  const { colours: c } = screen;
  const worked = workedMs(run);
  const cause = run.end_cause === null ? "" : ` (${run.end_cause})`;
  const facts: [string, string | null][] = [
    ["run", run.id],
    ["state", `${paintState(run.state, c)}${cause}`],
    ["reason", run.status_reason],
    ["agent", run.agent],
    ["queue", run.queue],
    ["runner", run.runner === "default" ? null : run.runner],
    ["priority", String(run.priority)],
    ["attempts", `${run.attempts_used} of ${run.max_attempts}`],
    ["created", `${run.created_at} (${ago(run.created_at)})`],
    ["not before", run.not_before],
    ["deadline", run.deadline_at],
    ["took", worked === null ? null : duration(worked)],
    ["depends on", run.depends_on.join(", ") || null],
    ["parent", run.parent_run],
    ["tags", run.tags.join(", ") || null],
    ["metadata", Object.keys(run.metadata).length === 0 ? null : valueText(run.metadata)],
    ["input", run.input === null ? null : valueText(run.input)],
    ["output", run.output === null ? null : valueText(run.output)],
    ["error", run.error === null ? null : `${run.error.code}: ${run.error.message}`],
  ];
  for (const [name, value] of facts) {
    if (value === null || value === "") continue;
    const shown = name === "state" ? value : safeLine(value);
    screen.line(`${c.dim(name.padEnd(11))} ${shown}`);
  }
  const lastWords = lastWordsOf(run);
  if (lastWords !== "") {
    screen.line(c.dim("its last words"));
    screen.line(safeText(lastWords).trimEnd());
  }
  if (attempts.length > 0) {
    screen.line();
    showAttempts(screen, attempts);
  }
}

/** The end of what a failed command said on stderr. */
function lastWordsOf(run: Run): string {
  const detail = run.error?.detail;
  if (typeof detail !== "object" || detail === null || Array.isArray(detail)) return "";
  const tail = detail["stderr_tail"];
  return typeof tail === "string" ? tail.trim() : "";
}

/** The attempts of one run. */
function showAttempts(screen: Screen, attempts: readonly Attempt[]): void {
  const rows = attempts.map((one) => [
    String(one.number),
    paintState(one.state, screen.colours),
    safeLine(one.agent ?? "", 24),
    safeLine(one.runtime, 32),
    one.ended_at === null ? "" : duration(Date.parse(one.ended_at) - Date.parse(one.claimed_at)),
    safeLine(how(one), 40),
  ]);
  screen.table(["TRY", "STATE", "AGENT", "BY", "TOOK", "HOW"], rows);
}

function how(attempt: Attempt): string {
  if (attempt.signal !== null) return `signal ${attempt.signal}`;
  if (attempt.exit_code !== null) return `exit ${attempt.exit_code}`;
  return attempt.cause ?? "";
}

/** The answer of `runs explain`. */
export function showExplanation(screen: Screen, explanation: Explanation): void {
  const { colours: c } = screen;
  screen.line(`${paintState(explanation.state, c)}: ${safeLine(explanation.summary)}`);
  for (const { code, message, until } of explanation.reasons) {
    const when = typeof until === "string" ? c.dim(` (${ago(until)})`) : "";
    screen.line(`  ${c.dim(safeLine(code))} ${safeLine(message)}${when}`);
  }
  const { ahead } = explanation;
  if (ahead !== null && ahead > 0) {
    screen.line(`  ${ahead === 1_000 ? "1,000 or more" : ahead} runs stand before it`);
  }
}
