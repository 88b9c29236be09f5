// Allowances: setting, changing and removing them; usage sums.
// Promises: each verb is one short transaction and one event on the project's stream; a change, and
// a new one, counts for every claim that commits after it; what is reserved stays reserved.
// Leaves to others: what an allowance blocks (`domain/fit.ts`), warnings (services/quota-watch.ts).

import type * as wire from "@signalbox/sdk";
import type { Allowance, AllowanceWindow } from "../../domain/allowance/allowance.ts";
import { checkAllowance } from "../../domain/allowance/allowance.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse, refuseField } from "../../domain/refusal.ts";
import type { JsonObject } from "../../domain/run.ts";
import { fromTypeId, nilUuid, toTypeId } from "../../std/ids.ts";
import type { AllowanceRow } from "../../store/allowances.ts";
import {
  allowanceOf as lawOf,
  changeAllowance,
  insertAllowance,
  listAllowances,
} from "../../store/allowances.ts";
import { excludeAllowances } from "../../store/agents.ts";
import type { Runner } from "../../store/db.ts";
import { readNow } from "../../store/flushes.ts";
import { sumUsage } from "../../store/usage.ts";
import type { Origin, PageInput, UsageFilter } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { allowanceOf, usageRowOf } from "../queries/fleet-views.ts";
import { page } from "../queries/page.ts";
import { recordOnProject } from "./operate.ts";
import { regulate } from "./exhausted.ts";

type Known = Promise<wire.Allowance | Refusal>;
type Verb = "created" | "changed" | "removed";

export async function createAllowance(
  parts: Parts,
  projectId: string,
  input: wire.AllowanceInput,
  origin: Origin,
): Known {
  const asked = allowanceFrom(parts.newId(), input);
  if (isRefusal(asked)) return asked;
  const wrong = checkAllowance(asked);
  if (wrong !== null) return wrong;
  await regulate(parts, projectId);
  const row = await parts.writer.within([projectId], async (runner) => {
    await excludeAllowances(runner, projectId);
    const made = await insertAllowance(runner, projectId, asked);
    await tell(parts, runner, made, { verb: "created", origin });
    return made;
  });
  parts.reopen(projectId);
  return viewOf(parts, row);
}

export async function updateAllowance(
  parts: Parts,
  projectId: string,
  id: string,
  call: {
    change: Partial<Pick<wire.AllowanceInput, "limit" | "mode" | "default_reserve">>;
    origin: Origin;
  },
): Known {
  const { limit, mode, default_reserve: defaultReserve } = call.change;
  const change = {
    ...(limit === undefined ? {} : { limit }),
    ...(mode === undefined ? {} : { mode }),
    ...(defaultReserve === undefined ? {} : { defaultReserve }),
  };
  const changed = await parts.writer
    .within([projectId], async (runner) => {
      const row = await changeAllowance(runner, projectId, id, change);
      if (row === null) return null;
      const wrong = checkAllowance(lawOf(row));
      // Thrown, so that nothing of it is stored.
      if (wrong !== null) throw new Wrong(wrong);
      await tell(parts, runner, row, { verb: "changed", origin: call.origin });
      return row;
    })
    .catch((error: unknown) => {
      if (error instanceof Wrong) return error.refusal;
      throw error;
    });
  if (isRefusal(changed)) return changed;
  if (changed === null) return unknown();
  parts.reopen(projectId);
  return viewOf(parts, changed);
}

/** Carries a refusal out of a transaction. */
class Wrong extends Error {
  override readonly name = "Wrong";
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

export async function deleteAllowance(
  parts: Parts,
  projectId: string,
  id: string,
  origin: Origin,
): Known {
  const row = await parts.writer.within([projectId], async (runner) => {
    const removed = await changeAllowance(runner, projectId, id, { remove: true });
    if (removed !== null) await tell(parts, runner, removed, { verb: "removed", origin });
    return removed;
  });
  if (row === null) return unknown();
  parts.reopen(projectId);
  return viewOf(parts, row);
}

async function tell(
  parts: Parts,
  runner: Runner,
  row: AllowanceRow,
  { verb, origin }: { verb: Verb; origin: Origin },
): Promise<void> {
  const data: JsonObject = {
    allowance: toTypeId("alw", row.id),
    scope: row.scope,
    name: row.name,
    metric: row.metric,
    limit: row.most,
    mode: row.mode,
  };
  const type = `allowance.${verb}` as const;
  await recordOnProject(parts, runner, row.project_id, { type, source: "operator", data, origin });
}

function unknown(): Refusal {
  return refuse("not_found", "There is no such allowance.");
}

function allowanceFrom(id: string, input: wire.AllowanceInput): Allowance | Refusal {
  const window = windowFrom(input);
  if (isRefusal(window)) return window;
  return {
    id,
    scope: input.scope,
    name: input.name ?? null,
    metric: input.metric,
    limit: input.limit,
    mode: input.mode ?? "hard",
    window,
    defaultReserve: input.default_reserve ?? null,
  };
}

function windowFrom(input: wire.AllowanceInput): AllowanceWindow | null | Refusal {
  const { window: kind, window_hours: hours, time_zone: timeZone = "UTC" } = input;
  const clock = input.time_zone === undefined ? input.reset_time : input.time_zone;
  if (clock !== undefined && (kind === undefined || kind === "rolling")) {
    const field = input.time_zone === undefined ? "reset_time" : "time_zone";
    return refuseField(field, "is for windows of the calendar only");
  }
  if (kind === undefined) {
    return hours === undefined ? null : refuseField("window", "must be rolling for window_hours");
  }
  if (kind === "rolling") {
    return hours === undefined
      ? refuseField("window_hours", "is needed for a rolling window")
      : { kind, hours };
  }
  if (hours !== undefined) return refuseField("window_hours", "is for rolling windows only");
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(input.reset_time ?? "00:00") ?? [];
  if (hour === undefined || minute === undefined) {
    return refuseField("reset_time", "must be a time of day such as 09:30");
  }
  return { kind, timeZone, resetMinute: Number(hour) * 60 + Number(minute) };
}

// ---- questions ----------------------------------------------------------------------------------

async function viewOf(parts: Parts, row: AllowanceRow): Promise<wire.Allowance> {
  const shown = await readAllowance(parts, row.project_id, row.id);
  return shown ?? allowanceOf({ ...row, spent: 0, live: 0 }, parts.clock.wall());
}

export async function readAllowance(
  parts: Parts,
  projectId: string,
  id: string,
): Promise<wire.Allowance | null> {
  const rows = await read(parts, projectId, { after: nilUuid, id, limit: 1 });
  return rows[0] ?? null;
}

export async function readAllowancePage(
  parts: Parts,
  projectId: string,
  { cursor, limit }: PageInput,
): Promise<wire.Page<wire.Allowance>> {
  const after = cursor === null ? nilUuid : (fromTypeId("alw", cursor) ?? nilUuid);
  const rows = await read(parts, projectId, { after, id: null, limit: limit + 1 });
  return page(rows, limit, (last) => last.id);
}

async function read(
  parts: Parts,
  projectId: string,
  asked: { after: string; id: string | null; limit: number },
): Promise<wire.Allowance[]> {
  const offsetMs = parts.context.offsetMs();
  return parts.reader.within([projectId], async (runner) => {
    const now = await readNow(runner, offsetMs);
    const rows = await listAllowances(runner, projectId, { ...asked, offsetMs });
    return rows.map((row) => allowanceOf(row, now));
  });
}

export async function readUsage(
  parts: Parts,
  projectId: string,
  filter: UsageFilter,
): Promise<wire.UsageRow[]> {
  const { from, to } = filter;
  const agent = filter.agent ?? null;
  const account = filter.account ?? null;
  const rows = await parts.reader.within([projectId], (runner) =>
    sumUsage(runner, projectId, { from, to, agent, account, run: filter.run ?? null }),
  );
  return rows.map(usageRowOf);
}
