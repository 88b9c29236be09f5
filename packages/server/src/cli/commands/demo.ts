// `demo`: real agents on real files, one of them killed in mid-run, and the register at the end.
// Promises: needs nothing but Node and this package, leaves nothing behind, can be played again and
// again; exit 1 if anything is not as it should be. On a terminal the server stays until Ctrl-C, so
// that one can look around; with --exit, or without a terminal, the demo just ends.
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
  more: "Uses a server of its own in a temporary folder (or in --data, which then stays).",
  flags: [{ flag: "--exit", says: "end when the runs have ended, also on a terminal" }],
  options: ["data"],
  examples: ["signalbox demo", "signalbox demo --exit --json | jq .expectations"],
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
      if (screen.interactive && process.stdin.isTTY && !call.on("exit")) {
        await new Promise<void>((resolve) => {
          onStop = resolve;
          invite(call, stage, played);
        });
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

/** Three commands that find this server by themselves, unless another one is nearer. */
function invite(call: Call, stage: Stage, { killedRun }: Played): void {
  const { screen, config } = call;
  const isFound = findServer(config)?.url === stage.url;
  const data = isFound || config.data !== null ? "" : ` --data ${stage.folder}`;
  const named = config.data === null ? data : ` --data ${stage.folder}`;
  const command =
    process.argv[1]?.includes("/packages/server/") === true ? "npx signalbox" : "signalbox";
  screen.line(`\nThe server stays at ${stage.url} until Ctrl-C. In another terminal:`);
  for (const words of ["runs list", `runs show ${killedRun}`, `events ${killedRun}`]) {
    screen.line(`  ${command} ${words}${named}`);
  }
}
