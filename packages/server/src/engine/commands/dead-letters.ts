// Dead letters: redrive into a new run with what is to be different, or discard with a note.
// Promises: a redrive and the run it makes are one commit; a letter closes once, and the same
// request again is answered from what stands; sets go through the work batcher, so that a kill
// never waits behind them.
// Leaves to others: which letters (bulk.ts), deciding (flush), validating (http).

import type * as wire from "@signalbox/sdk";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse } from "../../domain/refusal.ts";
import type { NewRun } from "../../domain/submission.ts";
import { canonicalJson, sha256Hex } from "../../std/digest.ts";
import { toTypeId } from "../../std/ids.ts";
import { readAsked } from "../../store/dead-letters.ts";
import { readRunViews } from "../../store/run-queries.ts";
import type { Origin, RedriveChanges } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { summaryOf } from "../queries/views.ts";
import type { Answer, LetterItem } from "../services/flush/items.ts";
import { lanesOf } from "./submit.ts";

/** What became of one letter: `became` is the run of a redrive. */
export type LetterAnswer = { readonly became: string | null; readonly repeated: boolean };

/** Redrives letters, in order; each has its own answer. */
export async function redriveAll(
  parts: Parts,
  projectId: string,
  ids: readonly string[],
  { changes, origin }: { changes: RedriveChanges; origin: Origin },
): Promise<(LetterAnswer | Refusal)[]> {
  const asked = await parts.reader.within([projectId], (runner) => readAsked(runner, ids));
  const known = ids.filter((id) => asked.has(id));
  const specs = known.map((id) => changed(id, asked.get(id) as NewRun, changes));
  const lanes = await lanesOf(parts, projectId, specs);
  const items = new Map(
    known.map((runId, index): [string, LetterItem] => {
      const spec = specs[index] as NewRun;
      const fromCheckpoint = changes.fromCheckpoint === true;
      const laneId = lanes[index] as string;
      const redrive = { id: parts.newId(), laneId, spec, fromCheckpoint };
      return [runId, { kind: "letter", projectId, runId, what: { redrive }, origin }];
    }),
  );
  return Promise.all(
    ids.map(async (id) => {
      const item = items.get(id);
      return item === undefined ? notFound(id) : put(parts, item);
    }),
  );
}

/** Discards letters, in order; each has its own answer. */
export async function discardAll(
  parts: Parts,
  projectId: string,
  ids: readonly string[],
  { note, origin }: { note: string; origin: Origin },
): Promise<(LetterAnswer | Refusal)[]> {
  const what = { discard: { note } };
  return Promise.all(
    ids.map((runId) => put(parts, { kind: "letter", projectId, runId, what, origin })),
  );
}

async function put(parts: Parts, item: LetterItem): Promise<LetterAnswer | Refusal> {
  const answer = await parts.work.add(item);
  return isRefusal(answer) ? answer : (answer as Extract<Answer, { kind: "letter" }>);
}

function notFound(id: string): Refusal {
  return refuse("not_found", `There is no run ${toTypeId("run", id)} in this project.`);
}

/** What the letter asked for, with the changes; the digest tells the same request again. */
function changed(id: string, asked: NewRun, changes: RedriveChanges): NewRun {
  const { input, agent, model, priority, maxAttempts } = changes;
  return {
    ...asked,
    ...(input === undefined ? {} : { input, inputSha256: sha256Hex(canonicalJson(input)) }),
    ...(agent === undefined ? {} : { agent, ...(agent === null && { agentTimeoutMs: null }) }),
    ...(model === undefined ? {} : { model }),
    ...(priority === undefined ? {} : { priority }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    bodySha256: sha256Hex(canonicalJson({ redrive_of: id, ...changes })),
  };
}

/** Redrives one letter; answers with the new run, `created` false when it had become it before. */
export async function redrive(
  parts: Parts,
  projectId: string,
  runId: string,
  call: { changes: RedriveChanges; origin: Origin },
): Promise<{ run: wire.RunSummary; created: boolean } | Refusal> {
  const [answer] = await redriveAll(parts, projectId, [runId], call);
  if (answer === undefined || isRefusal(answer)) return answer ?? notFound(runId);
  const became = answer.became as string;
  const [view] = await parts.reader.within([projectId], (r) => readRunViews(r, [became]));
  if (view === undefined) return refuse("unavailable", "The run is being stored; try again.");
  return { run: summaryOf(view), created: !answer.repeated };
}

export async function discard(
  parts: Parts,
  projectId: string,
  runId: string,
  call: { note: string; origin: Origin },
): Promise<wire.RunSummary | Refusal> {
  const [answer] = await discardAll(parts, projectId, [runId], call);
  if (answer === undefined || isRefusal(answer)) return answer ?? notFound(runId);
  const [view] = await parts.reader.within([projectId], (r) => readRunViews(r, [runId]));
  return view === undefined ? notFound(runId) : summaryOf(view);
}
