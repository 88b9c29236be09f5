// Reports of one request, given to the engine in the order that they need.
// Promises: what concerns one run is applied in the order of the items; answers stand in that order
// too; limits that were met go their own way without holding up the reports of other runs.
// Leaves to others: what a report asks for (`mapping/`), commits and their batches (engine).

import type { Approval, RunStatus } from "@signalbox/sdk";
import type { AskInput, ExhaustedInput, ReportInput } from "../engine/contract.ts";
import { isRefusal } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";
import { assert } from "../std/assert.ts";
import type { Context } from "./route.ts";

/** What one item asks for: a command of the law, a limit to note, a question to a person. */
export type Reported = ReportInput | ExhaustedInput | AskInput;
/** The run as it is then, and the question that was asked. */
type Result = { run: RunStatus; approval?: Approval } | Refusal;
type To = Pick<Context<unknown, unknown, unknown>, "engine" | "projectId" | "origin">;

/** The items that need no order among them share this line. */
const ANY_ORDER = "";

/** Applies all items; the answers are in the order of the items. */
export async function applyReports(to: To, items: readonly Reported[]): Promise<Result[]> {
  const results: Result[] = [];
  const lines = [...linesOf(items).values()];
  await Promise.all(
    lines.map(async (line) => {
      for (const step of stepsOf(items, line)) {
        for (const [n, result] of (await applyStep(to, items, step)).entries()) {
          results[step[n] as number] = result;
        }
      }
    }),
  );
  return results;
}

/**
 * Indexes of items by the line they stand in: a line per run that met a limit or asks a person, and
 * one for all others, which the engine orders itself.
 */
function linesOf(items: readonly Reported[]): Map<string, number[]> {
  const limited = new Set(items.filter(isAlone).map(({ runId }) => runId));
  const lines = new Map<string, number[]>();
  for (const [at, { runId }] of items.entries()) {
    const name = limited.has(runId) ? runId : ANY_ORDER;
    const line = lines.get(name) ?? [];
    line.push(at);
    lines.set(name, line);
  }
  return lines;
}

/** A line cut into steps: each a limit or a question alone, or reports that go together. */
function stepsOf(items: readonly Reported[], line: readonly number[]): number[][] {
  const steps: number[][] = [];
  let open: number[] | null = null;
  for (const at of line) {
    const alone = isAlone(items[at] as Reported);
    if (open === null || alone) steps.push((open = []));
    open.push(at);
    if (alone) open = null;
  }
  return steps;
}

async function applyStep(
  { engine, projectId, origin }: To,
  items: readonly Reported[],
  step: readonly number[],
): Promise<Result[]> {
  const chosen = step.map((at) => items[at] as Reported);
  const [first] = chosen;
  if (first !== undefined && isLimit(first)) {
    return [runOf(await engine.exhausted(projectId, first, origin))];
  }
  if (first !== undefined && isQuestion(first)) {
    const asked = await engine.ask(projectId, first, origin);
    if (isRefusal(asked)) return [asked];
    const { run, approval } = asked;
    return [approval === null ? { run } : { run, approval }];
  }
  const results = await engine.report(projectId, chosen as ReportInput[], origin);
  assert(results.length === step.length, "report answered another number of results");
  return results.map(runOf);
}

function runOf(result: RunStatus | Refusal): Result {
  return isRefusal(result) ? result : { run: result };
}

function isLimit(item: Reported): item is ExhaustedInput {
  return "report" in item;
}

function isQuestion(item: Reported): item is AskInput {
  return "ask" in item;
}

function isAlone(item: Reported): boolean {
  return isLimit(item) || isQuestion(item);
}
