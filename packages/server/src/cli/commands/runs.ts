// `runs list|show|watch|cancel|kill|explain`: looking at runs and stopping them.
// Promises: `last` means the newest run, and the beginning of an id is enough where it is unique.
// Leaves to others: what the states mean (the reference of the API).

import type { Run, RunState } from "@signalbox/sdk";
import { isTerminal } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { type Door, throughDoor, usual } from "../door.ts";
import { exit } from "../exit-codes.ts";
import { onInterruption } from "../interruptions.ts";
import { resolveRun, theRun } from "../run-name.ts";
import { safeLine } from "../safe-text.ts";
import { eventLine } from "../show-event.ts";
import { paintState, showExplanation, showRun, showRuns } from "../show-run.ts";

const states: readonly RunState[] = [
  "pending",
  "claimed",
  "running",
  "waiting_tool",
  "waiting_approval",
  "completed",
  "failed",
  "cancelled",
  "timeout",
];

/** Opens the door and finds the run that was named. */
async function withRun<T>(
  call: Call,
  otherwise: "refuse" | "start_if_used",
  use: (door: Door, id: string) => Promise<T>,
): Promise<T> {
  return throughDoor(call, { otherwise }, async (door) =>
    use(door, await resolveRun(door, call.argument(0))),
  );
}

const list: CommandSpec = {
  words: "runs list",
  says: "List runs, newest first",
  flags: [
    { flag: "--state <state>", says: `only in this state: ${states.join(", ")}`, many: true },
    { flag: "--agent <name>", says: "only addressed to this agent" },
    { flag: "--queue <name>", says: "only in this queue" },
    { flag: "--tag <tag>", says: "only with this tag" },
    { flag: "--limit <n>", says: "at most so many, 1 to 500 (default 50)" },
    { flag: "--cursor <cursor>", says: "go on where a page ended" },
  ],
  options: clientOptions,
  examples: [
    "signalbox runs list",
    "signalbox runs list --state failed --json | jq -r '.items[].id'",
  ],
  act: async (call) => {
    const state = call.words("state", states);
    const [agent, queue, tag, cursor] = ["agent", "queue", "tag", "cursor"].map((name) =>
      call.text(name),
    );
    const limit = call.number("limit", { least: 1, most: 500 });
    const page = await throughDoor(call, usual, ({ client }) =>
      client.runs.list({
        ...(state && { state }),
        ...(agent && { agent }),
        ...(queue && { queue }),
        ...(tag && { tag }),
        ...(cursor && { cursor }),
        ...(limit && { limit }),
      }),
    );
    call.screen.result(page, () => {
      if (page.items.length === 0 && !page.has_more) return call.screen.aside("no runs");
      showRuns(call.screen, page.items);
      if (page.has_more) call.screen.aside(`more: --cursor ${page.next_cursor}`);
    });
  },
};

const counts: CommandSpec = {
  words: "runs counts",
  says: "How many runs are in which state, each counted up to 10,000",
  options: clientOptions,
  examples: ["signalbox runs counts", "signalbox runs counts --json | jq .counts.failed"],
  act: async (call) => {
    const counted = await throughDoor(call, { otherwise: "start_if_used" }, ({ client }) =>
      client.runs.counts(),
    );
    call.screen.result(counted, () => {
      for (const [state, n] of Object.entries(counted.counts)) {
        const more = n === counted.most ? " or more" : "";
        call.screen.line(`${state.padEnd(17)} ${String(n).padStart(6)}${more}`);
      }
    });
  },
};

const show: CommandSpec = {
  words: "runs show",
  says: "Show one run with its attempts",
  takes: [theRun],
  options: clientOptions,
  examples: ["signalbox runs show last", "signalbox runs show run_01j… --json | jq .output"],
  act: async (call) =>
    withRun(call, "start_if_used", async ({ client }, id) => {
      const [run, attempts] = await Promise.all([client.runs.get(id), client.runs.attempts(id)]);
      call.screen.result(run, () => showRun(call.screen, run, attempts));
    }),
};

const watch: CommandSpec = {
  words: "runs watch",
  says: "Follow a run until it ends",
  more:
    "Ends with 0 if the run completed and with 1 if it ended otherwise. Ctrl-C stops watching, " +
    "not the run.",
  takes: [theRun],
  options: clientOptions,
  examples: ["signalbox runs watch last", "signalbox runs watch run_01j… --json"],
  act: async (call) =>
    withRun(call, "start_if_used", async ({ client }, id) => {
      const run = await follow(call, client, id);
      if (run === null) return exit("interrupted");
      if (!call.screen.json) call.screen.line(endOf(call, run));
      return run.state === "completed" ? exit("ok") : exit("no");
    }),
};

/** Prints events until the run has ended; null when the person had enough. */
async function follow(call: Call, client: Door["client"], id: string): Promise<Run | null> {
  const { screen } = call;
  const stopping = new AbortController();
  const unlisten = onInterruption(() => stopping.abort());
  try {
    for await (const event of client.runs.follow(id, { signal: stopping.signal })) {
      if (screen.json) screen.data(event, "line");
      else screen.line(eventLine(event, screen.colours, false));
    }
    return await client.runs.get(id);
  } catch (error) {
    if (stopping.signal.aborted) return null;
    throw error;
  } finally {
    unlisten();
  }
}

/** How a run ended, in a line. */
export function endOf(call: Call, run: Run): string {
  const why = run.error?.message ?? run.status_reason;
  const reason = why === null || !isTerminal(run.state) ? "" : `: ${safeLine(why)}`;
  return `${run.id} ${paintState(run.state, call.screen.colours)}${reason}`;
}

const cancel: CommandSpec = {
  words: "runs cancel",
  says: "Ask a run to stop; a live one is told and has 30 s",
  takes: [theRun],
  flags: [
    { flag: "--reason <text>", says: "why, for the register" },
    { flag: "--cascade", says: "cancel the runs it submitted, too" },
  ],
  options: clientOptions,
  examples: ['signalbox runs cancel last --reason "superseded"'],
  act: async (call) =>
    withRun(call, "start_if_used", async ({ client }, id) => {
      const reason = call.text("reason");
      const cascade = call.on("cascade") && { cascade: true };
      const status = await client.runs.cancel(id, { ...(reason && { reason }), ...cascade });
      const verb = isTerminal(status.state) ? "is" : "was told to stop and is";
      call.screen.result(status, () => call.screen.line(`${id} ${verb} ${status.state}`));
    }),
};

const kill: CommandSpec = {
  words: "runs kill",
  says: "End a run at once, without waiting for its worker",
  takes: [theRun],
  flags: [{ flag: "--reason <text>", says: "why, for the register (needed)" }],
  options: clientOptions,
  examples: ['signalbox runs kill run_01j… --reason "deletes the wrong files"'],
  act: async (call) => {
    const reason = call.required("reason");
    await withRun(call, "start_if_used", async ({ client }, id) => {
      const status = await client.runs.kill(id, { reason });
      call.screen.result(status, () => call.screen.line(`${id} is ${status.state}`));
    });
  },
};

const explain: CommandSpec = {
  words: "runs explain",
  says: "Say why a run is not running",
  takes: [theRun],
  options: clientOptions,
  examples: ["signalbox runs explain last"],
  act: async (call) =>
    withRun(call, "start_if_used", async ({ client }, id) => {
      const explanation = await client.runs.explain(id);
      call.screen.result(explanation, () => showExplanation(call.screen, explanation));
    }),
};

export const runCommands: readonly CommandSpec[] = [
  list,
  counts,
  show,
  watch,
  cancel,
  kill,
  explain,
];
