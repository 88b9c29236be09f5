// `events`: the register of a run, or of the whole project in the order of commits.
// Promises: with `--follow` nothing is missed or repeated, also over restarts of the server; with
// `--json` one event per line.
// Leaves to others: what the types mean (the reference of events).

import type { Event } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec } from "../command.ts";
import { type Door, throughDoor } from "../door.ts";
import { exit } from "../exit-codes.ts";
import { onInterruption } from "../interruptions.ts";
import { resolveRun, theRun } from "../run-name.ts";
import { eventLine } from "../show-event.ts";

const PAGE = 500;

function print(call: Call, event: Event, withRun: boolean): void {
  if (call.screen.json) call.screen.data(event, "line");
  else call.screen.line(eventLine(event, call.screen.colours, withRun));
}

/** Events that exist, up to the limit, oldest first. */
async function* stored(call: Call, { client }: Door, run: string | undefined) {
  const type = call.text("type");
  let after = call.text("after");
  let left = call.number("limit", { least: 1, most: 1_000_000 }) ?? Infinity;
  for (;;) {
    const query = { limit: Math.min(PAGE, left), ...(type && { type }) };
    const page =
      run === undefined
        ? await client.events.list({ ...query, ...(after && { after_feed: after }) })
        : await client.runs.events(run, { ...query, ...(after && { after_seq: after }) });
    yield* page.items;
    left -= page.items.length;
    const last = page.items.at(-1);
    if (!page.has_more || left <= 0 || last === undefined) return;
    after = run === undefined ? last.feed : last.seq;
  }
}

function live(call: Call, { client }: Door, run: string | undefined, signal: AbortSignal) {
  const after = call.text("after");
  const type = call.text("type");
  if (run !== undefined)
    return client.runs.follow(run, { ...(after && { afterSeq: after }), signal });
  return client.events.follow({
    ...(after && { afterFeed: after }),
    ...(type && { type }),
    signal,
  });
}

export const eventsCommand: CommandSpec = {
  words: "events",
  says: "Print the register of a run, or of the whole project",
  takes: [{ ...theRun, says: `${theRun.says}; without it the project's feed`, optional: true }],
  flags: [
    { flag: "-f, --follow", says: "go on with new events until Ctrl-C" },
    { flag: "--after <n>", says: "only after this number (seq of the run, feed of the project)" },
    { flag: "--type <type>", says: "only of this type" },
    { flag: "--limit <n>", says: "at most so many" },
  ],
  options: clientOptions,
  examples: [
    "signalbox events last",
    "signalbox events -f",
    "signalbox events --json --type run.failed | jq .data",
  ],
  act: async (call) => {
    const named = call.optionalArgument(0);
    const isFollowing = call.on("follow");
    const otherwise = isFollowing ? "refuse" : "start_if_used";
    return throughDoor(call, { otherwise }, async (door) => {
      const run = named === undefined ? undefined : await resolveRun(door, named);
      if (!isFollowing) {
        for await (const event of stored(call, door, run)) print(call, event, run === undefined);
        return exit("ok");
      }
      const stopping = new AbortController();
      const unlisten = onInterruption(() => stopping.abort());
      try {
        const type = call.text("type");
        for await (const event of live(call, door, run, stopping.signal)) {
          if (type === undefined || event.type === type) print(call, event, run === undefined);
        }
      } catch (error) {
        if (!stopping.signal.aborted) throw error;
      } finally {
        unlisten();
      }
      return exit("ok");
    });
  },
};
