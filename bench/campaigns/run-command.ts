// `signalbox run -- <command>` in an empty folder with nothing running: the first thing a person
// types. Promises: the folder is new in each repetition and no server runs anywhere that the
// command could find; what it printed is compared byte by byte; the run is looked up in the
// register that it left behind. The second command is a program found in PATH, with a login in its
// environment and files in its working folder, as coding agents are.
// Leaves to others: terminals, colours, Ctrl-C (tests of the command line).

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Campaign } from "../stage/campaign.ts";
import { never, sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import type { Stage } from "../stage/stage.ts";

/**
 * Answers with what it found: home, login, folder, a file there, and which secrets it was given.
 */
const CLAUDE_LIKE = `#!/bin/sh
printf '{"home":"%s","login":"%s","cwd":"%s","file":"%s","words":"%s","key":"%.4s"}\\n' \\
  "$HOME" "$CAMPAIGN_LOGIN" "$PWD" "$(cat work.md)" "$*" "$SIGNALBOX_KEY"
`;

type Found = { home: string; login: string; cwd: string; file: string; words: string; key: string };

const lines = `
  select (v.data ->> 'text') as text from signalbox.event v
  where v.type = 'log.line' order by v.feed limit 100`;

const runs = `
  select r.state, r.attempts_used, r.output, r.error ->> 'code' as error_code
  from signalbox.run r order by r.id`;

async function repetition(stage: Stage, n: number): Promise<Measured> {
  const name = `run-command-${n}`;
  const folder = stage.makeFolder(name);
  const began = performance.now();
  const hi = stage.signalbox(`${name}-hi`, ["run", "--", "sh", "-c", "echo hi"], { cwd: folder });
  const first = await hi.exited;
  const tookMs = performance.now() - began;
  const bin = stage.makeFolder(`${name}-bin`);
  writeFileSync(join(bin, "claude"), CLAUDE_LIKE, { mode: 0o755 });
  writeFileSync(join(folder, "work.md"), "tidy the changelog");
  const home = stage.makeFolder(`${name}-home`);
  const env = { PATH: `${bin}:${process.env["PATH"]}`, HOME: home, CAMPAIGN_LOGIN: "token-1" };
  const words = ["run", "--", "claude", "-p", "do it"];
  const claude = stage.signalbox(`${name}-claude`, words, { cwd: folder, env });
  const second = await claude.exited;
  const found = JSON.parse(claude.said() || "{}") as Partial<Found>;
  const failing = stage.signalbox(`${name}-3`, ["run", "--", "sh", "-c", "exit 3"], {
    cwd: folder,
  });
  const third = await failing.exited;
  for (const one of [hi, claude]) if (one.exit?.code !== 0) stage.say(`  ${one.lastWords()}`);
  const server = await stage.startServer(name);
  const register = server.register();
  const rows = await register.rows<{ state: string; attempts_used: number }>(runs);
  const texts = (await register.rows<{ text: string }>(lines)).map(({ text }) => text);
  const violations = await stage.checkRegister(register);
  await register.close();
  await server.stop();
  const isRight =
    found.home === home &&
    found.login === "token-1" &&
    found.cwd === folder &&
    found.file === "tidy the changelog" &&
    found.words === "-p do it";
  return {
    ...violations,
    seconds_s: tookMs / 1_000,
    exit_code: first.code ?? -1,
    prints_hi: hi.said() === "hi" ? 1 : 0,
    completed_run: rows[0]?.state === "completed" && rows[0].attempts_used === 1 ? 1 : 0,
    line_in_register: texts[0] === "hi" ? 1 : 0,
    finds_its_surroundings: second.code === 0 && isRight ? 1 : 0,
    // Its own derived key, or none: never the key of the machine.
    sees_machine_key: found.key === "sbx_" ? 1 : 0,
    exit_code_3_passed_on: third.code === 3 && rows[2]?.state === "failed" ? 1 : 0,
  };
}

const always = { unit: "", exactly: 1 };

export const runCommand: Campaign = {
  name: "run-command",
  row: "`signalbox run -- sh -c 'echo hi'` in an empty folder, nothing running",
  asked:
    "prints hi, exit 0, a completed run in the register; `claude`-like programs find their " +
    "environment and working folder",
  reps: 5,
  quickReps: 1,
  limitS: 200,
  figures: {
    seconds_s: { unit: "s", headline: true },
    exit_code: { ...never, headline: true },
    prints_hi: { ...always, headline: true },
    completed_run: { ...always, headline: true },
    line_in_register: always,
    finds_its_surroundings: { ...always, headline: true },
    sees_machine_key: never,
    exit_code_3_passed_on: always,
    ...sound,
  },
  open: async (stage) => ({ repeat: (n) => repetition(stage, n) }),
};
