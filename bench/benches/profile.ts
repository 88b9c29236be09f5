// What limits lifecycles at 512 in flight: where Node and PostgreSQL spend their time meanwhile.
// Promises: the load is that of the bench `lifecycles`; both are watched in the same seconds; the
// page says shares and figures of the last repetition and judges nothing.
// Leaves to others: the speed without being watched (lifecycles.ts).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { DatabaseWatch } from "../stage/database-profile.ts";
import type { DatabaseProfile } from "../stage/database-profile.ts";
import { Embedding } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { rounded } from "../stage/figures.ts";
import { latencyOf, Lifecycles } from "../stage/lifecycles.ts";
import { tableOf } from "../stage/markdown.ts";
import { profiled } from "../stage/node-profile.ts";
import type { NodeProfile } from "../stage/node-profile.ts";
import { placeOf, throughEngine } from "../stage/operators.ts";
import type { Place } from "../stage/operators.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";

const IN_FLIGHT = 512;
const FUNCTIONS = 40;
const FILES = 20;
const SETTINGS = { shared_preload_libraries: "pg_stat_statements" };

type Watched = { measured: Measured; node: NodeProfile; database: DatabaseProfile };

async function watched(stage: Stage, embedding: Embedding, place: Place): Promise<Watched> {
  const load = new Lifecycles(throughEngine(embedding, place), IN_FLIGHT);
  await sleep(stage.size(3_000, 200));
  const watch = await DatabaseWatch.begin(embedding.register);
  const before = process.cpuUsage();
  const began = performance.now();
  load.reset();
  const node = await profiled(() => sleep(stage.size(10_000, 500)));
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(before);
  const { ended, latencies } = load;
  const database = await watch.end();
  await load.stop();
  const paced = { perSecond: ended / seconds, lifecycles: ended, latencies };
  const measured = {
    lifecycles: paced.perSecond,
    p50_ms: latencyOf(paced, 0.5),
    node_cores: (user + system) / 1_000_000 / seconds,
    postgres_cores: database.cores.reduce((sum, { cores }) => sum + cores, 0),
  };
  return { measured, node, database };
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function pageOf({ measured, node, database }: Watched): string {
  const { lifecycles: perSecond = 0, node_cores = 0, postgres_cores = 0 } = measured;
  const calls = database.statements?.map(({ calls: n }) => n) ?? [];
  return [
    `# Profile: ${IN_FLIGHT} lifecycles in flight, in process`,
    "",
    "Made by `npm run bench -- profile`: do not edit. A lifecycle is submit, claim, start, three",
    "events, complete; load, engine and database share the cores.",
    "",
    `${rounded(perSecond)} lifecycles/s while watched; Node used ${rounded(node_cores)} cores, ` +
      `the backends of the engine ${rounded(postgres_cores)}.`,
    "",
    "## PostgreSQL, by statement",
    "",
    ...(database.statements === null
      ? ["This server has not loaded pg_stat_statements."]
      : tableOf(
          ["statement", "calls", "rows", "ms per call", "ms in all"],
          database.statements.map(({ text, calls: n, ms, rows }) => [
            `\`${text.slice(0, 240).replaceAll("`", "'").replaceAll("|", "\\|")}\``,
            String(n),
            String(rows),
            (ms / n).toFixed(3),
            ms.toFixed(0),
          ]),
        )),
    ...(calls.length === 0 ? [] : ["", "Times of execution, without planning and parsing."]),
    "",
    "## PostgreSQL, what its backends were doing",
    "",
    ...tableOf(
      ["backend", "what", "share of looks"],
      database.doing
        .filter(({ share }) => share >= 0.01)
        .map(({ backend, what, share }) => [backend, what, percent(share)]),
    ),
    "",
    ...tableOf(
      ["backends", "cores"],
      database.cores.map(({ backend, cores }) => [backend, cores.toFixed(2)]),
    ),
    "",
    "## Node, by file (self time)",
    "",
    ...tableOf(
      ["file", "share"],
      node.files.slice(0, FILES).map(({ name, share }) => [name, percent(share)]),
    ),
    "",
    "## Node, by function (self time)",
    "",
    ...tableOf(
      ["function", "share"],
      node.functions.slice(0, FUNCTIONS).map(({ name, share }) => [`\`${name}\``, percent(share)]),
    ),
    "",
  ].join("\n");
}

async function open(stage: Stage) {
  const embedding = await Embedding.open(stage, SETTINGS);
  const place = await placeOf(embedding, await embedding.project("profile"));
  return {
    repeat: async (): Promise<Measured> => {
      const found = await watched(stage, embedding, place);
      stage.documents.set("profile.md", pageOf(found));
      stage.notes.push("Where the time goes: [profile](evidence/step-2/profile.md).");
      return found.measured;
    },
    close: () => stage.checkRegister(embedding.register),
  };
}

export const profile: Campaign = {
  name: "profile",
  row: "where Node and PostgreSQL spend their time at 512 lifecycles in flight",
  asked: "informs",
  reps: 1,
  quickReps: 1,
  limitS: 200,
  figures: {
    lifecycles: { ...speed("lifecycles/s"), headline: true },
    p50_ms: speed("ms"),
    node_cores: { ...speed("cores"), headline: true },
    postgres_cores: { ...speed("cores"), headline: true },
    ...sound,
  },
  open,
};
