// `demo`: real agents on real files, one of them killed in mid-run, and the register at the end.
// Promises: needs nothing but Node and this package, leaves nothing behind, can be played again and
// again; exit 1 if anything is not as it should be. On a terminal, or with --stay, the server stays
// with the fleet until Ctrl-C or SIGTERM, so that one can look around, and the last line is the
// address of its dashboard; with --exit, or without a terminal, the demo just ends.
// Leaves to others: the plan, the stage, the play and the verdict (demo/).

import type { Call, CommandSpec } from "../command.ts";
import type { Played } from "../demo/play.ts";
import type { Stage } from "../demo/stage.ts";
import type { Verdict } from "../demo/verdict.ts";
import { findServer } from "../discovery.ts";
import { exit } from "../exit-codes.ts";
import { exitOfSignal, onInterruption } from "../interruptions.ts";
import type { Screen } from "../screen.ts";
import { duration } from "../show-run.ts";

export const demoCommand: CommandSpec = {
  words: "demo",
  says: "Watch six agents do a dozen runs, one of them killed half way",
  more:
    "Uses a server of its own in a temporary folder (or in --data, which then stays). On a " +
    "terminal it ends with the address of the dashboard and stays until Ctrl-C; without one it " +
    "ends with the runs, unless --stay is given: then SIGTERM or SIGINT ends it.",
  flags: [
    { flag: "--exit", says: "end when the runs have ended, also on a terminal" },
    { flag: "--stay", says: "stay until Ctrl-C or SIGTERM, also without a terminal" },
  ],
  options: ["data"],
  examples: [
    "signalbox demo",
    "signalbox demo --stay > demo.log &",
    "signalbox demo --exit --json | jq .expectations",
  ],
  act: async (call) => {
    const { screen } = call;
    const { findGround, openStage, play, readBack, showVerdict } = await import("../demo/index.ts");
    const began = performance.now();
    const stopping = new AbortController();
    let interrupted: number | null = null;
    let onStop: () => void = () => {};
    const unlisten = onInterruption((signal, before) => {
      if (before > 0) process.exit(exitOfSignal(signal));
      interrupted = exitOfSignal(signal);
      stopping.abort();
      onStop();
    });
    const ground = findGround();
    if (!screen.json) screen.line(`Agents work on the files of ${ground.name}.`);
    const stage = await openStage(call, ground);
    try {
      const played = await play(stage, ground, { screen, signal: stopping.signal });
      if (interrupted !== null) return interrupted;
      const verdict = await readBack(stage, played);
      tell(call, { stage, verdict, showVerdict, tookMs: performance.now() - began });
      const isGood = verdict.expectations.every(({ holds }) => holds);
      const isWatched = screen.interactive && process.stdin.isTTY;
      if (call.on("stay") || (isWatched && !call.on("exit"))) {
        const stopped = new Promise<void>((resolve) => (onStop = resolve));
        await invite(call, stage, played);
        await stopped;
        screen.aside("\nstopping …");
      }
      return isGood ? exit("ok") : exit("no");
    } finally {
      await stage.clear();
      unlisten();
    }
  },
};

type Told = {
  stage: Stage;
  verdict: Verdict;
  showVerdict: (screen: Screen, verdict: Verdict) => void;
  tookMs: number;
};

function tell({ screen }: Call, { verdict, showVerdict, stage, tookMs }: Told): void {
  const { records, expectations } = verdict;
  const holds = expectations.every((one) => one.holds);
  const document = {
    ok: holds,
    took_ms: Math.round(tookMs),
    url: stage.url,
    expectations,
    runs: records.map(({ run, attempts }) => ({ run, attempts })),
  };
  screen.result(document, () => {
    showVerdict(screen, verdict);
    const end = holds ? "as it should be" : "NOT as it should be";
    screen.line(`\n${end}, in ${duration(tookMs)}`);
  });
}

/**
 * Commands that find this server by themselves, unless another one is nearer; then the dashboard,
 * last, so that its address stands where one looks.
 */
async function invite(call: Call, stage: Stage, { killedRun }: Played): Promise<void> {
  const { screen, config } = call;
  if (screen.json) return;
  const isFound = findServer(config)?.url === stage.url;
  const isNamed = config.data !== null || !isFound;
  const named = isNamed ? ` --data ${stage.folder}` : "";
  const command =
    process.argv[1]?.includes("/packages/server/") === true ? "npx signalbox" : "signalbox";
  screen.line("\nThe fleet stays until Ctrl-C. In another terminal:");
  for (const words of ["runs list", `runs show ${killedRun}`, `events ${killedRun}`, "login"]) {
    screen.line(`  ${command} ${words}${named}`);
  }
  const link = await stage.loginLink();
  const once = link === null ? "" : " (this link opens once, within ten minutes; login makes more)";
  screen.line(`\nIts dashboard${once}:\n  ${link ?? stage.url}`);
}
