// 64 submits in flight in process: to 64 projects against to one.
// Promises: the same 64 callers, one project each or one for all; both in each repetition, in
// alternating order.
// Leaves to others: whole lifecycles (lifecycles.ts).

import type { Campaign } from "../stage/campaign.ts";
import { sound } from "../stage/campaign.ts";
import { Embedding, good, newRun, origin } from "../stage/embedding.ts";
import type { Measured } from "../stage/figures.ts";
import { speed } from "../stage/speed.ts";
import type { Stage } from "../stage/stage.ts";
import { sleep } from "../stage/until.ts";

const CALLERS = 64;

/** Submits per second of so many callers, each in its own place of the list of projects. */
async function submits(
  stage: Stage,
  { engine }: Embedding,
  projects: readonly string[],
): Promise<number> {
  const load = { isOver: false, count: 0 };
  const loops = Array.from({ length: CALLERS }, async (_, n) => {
    const project = projects[n % projects.length] ?? "";
    while (!load.isOver) {
      good((await engine.submit(project, [newRun({ queue: "projects" })], origin))[0]);
      load.count += 1;
    }
  });
  stage.beforehand(() => (load.isOver = true));
  await sleep(stage.size(1_000, 100));
  load.count = 0;
  const began = performance.now();
  await sleep(stage.size(5_000, 300));
  const perSecond = (load.count / (performance.now() - began)) * 1_000;
  load.isOver = true;
  await Promise.all(loops);
  return perSecond;
}

export const projects: Campaign = {
  name: "projects",
  row: "64 projects, 64 submits in flight, against one project",
  asked: "≥ 0.35 ×",
  reps: 5,
  quickReps: 1,
  limitS: 200,
  figures: {
    ratio: speed("×", { least: 0.35 }),
    one_project: { ...speed("submits/s"), headline: true },
    many_projects: { ...speed("submits/s"), headline: true },
    ...sound,
  },
  open: async (stage) => {
    const embedding = await Embedding.open(stage);
    const many: string[] = [];
    for (let n = 0; n < CALLERS; n += 1) many.push(await embedding.project(`many-${n}`));
    const one = [await embedding.project("one")];
    const repeat = async (n: number): Promise<Measured> => {
      const found = new Map<readonly string[], number>();
      for (const which of n % 2 === 0 ? [one, many] : [many, one]) {
        await embedding.register.rows("checkpoint");
        found.set(which, await submits(stage, embedding, which));
      }
      const [one_project = NaN, many_projects = NaN] = [found.get(one), found.get(many)];
      return { ratio: many_projects / one_project, one_project, many_projects };
    };
    return { repeat, close: () => stage.checkRegister(embedding.register) };
  },
};
