// Agents, accounts, allowances and usage as rows → wire shapes.
// Promises: shapes of `@signalbox/sdk` only; what is derived (status, use, until when) is what
// admission sees.
// Leaves to others: reading (store), runs and events (views.ts).

import type * as wire from "@signalbox/sdk";
import { periodOf } from "../../domain/allowance/period.ts";
import { exhaustedUntil } from "../../domain/agent-status.ts";
import { toTypeId } from "../../std/ids.ts";
import type { AccountView, StoredExhaustion } from "../../store/accounts.ts";
import type { AgentView } from "../../store/agent-queries.ts";
import type { AllowanceRow } from "../../store/allowances.ts";
import { allowanceOf as lawOf } from "../../store/allowances.ts";
import type { UsageSum } from "../../store/usage.ts";
import { iso } from "../../store/run-rows.ts";
import { accountNamesOf } from "../services/flush/read-scopes.ts";

/** `limits`: those of its accounts that are not open. */
export function agentOf(row: AgentView, limits: readonly StoredExhaustion[]): wire.Agent {
  const accounts = accountNamesOf(row);
  const situation = {
    models: row.models,
    accounts: accounts.map((name) => ({
      name,
      rows: limits.filter(({ row: limit }) => limit.account === name).map((one) => one.row),
    })),
  };
  const until = row.status === "exhausted" ? exhaustedUntil(situation) : null;
  return {
    id: toTypeId("agt", row.id),
    name: row.name,
    description: row.description,
    status: row.status,
    status_reason: row.status_reason,
    status_since: iso(row.status_since),
    paused_at: iso(row.paused_at),
    pause_reason: row.pause_reason,
    paused_by: row.paused_by,
    capabilities: row.capabilities,
    models: row.models,
    labels: row.labels,
    max_concurrent: row.max_concurrent,
    max_run_duration_s:
      row.max_run_duration_ms === null ? null : Math.round(row.max_run_duration_ms / 1000),
    accounts,
    live: row.live,
    slot:
      row.slot_id === null || row.slot_type === null
        ? null
        : {
            id: toTypeId("slt", row.slot_id),
            type: row.slot_type,
            ends_at: iso(row.slot_ends_at as number),
          },
    exhausted_until: iso(until),
    last_heartbeat_at: iso(row.last_heartbeat_at),
    created_at: iso(row.created_at),
  };
}

export function accountOf(row: AccountView, limits: readonly StoredExhaustion[]): wire.Account {
  return {
    id: toTypeId("acc", row.id),
    name: row.name,
    provider: row.provider,
    labels: row.labels,
    agents: row.agents,
    exhaustions: limits.filter(({ row: limit }) => limit.account === row.name).map(exhaustionOf),
    created_at: iso(row.created_at),
  };
}

function exhaustionOf({ row }: StoredExhaustion): wire.Exhaustion {
  return {
    account: row.account,
    model: row.model,
    state: row.state,
    reason: row.reason,
    recovery_at: iso(row.recoveryAt),
    closed_at: iso(row.closedAt),
    probe_run: row.probe === null ? null : toTypeId("run", row.probe.runId),
    evidence: row.evidence,
  };
}

/** `now`: of which period it is. */
export function allowanceOf(
  row: AllowanceRow & { spent: number; live: number },
  now: number,
): wire.Allowance {
  const { window } = lawOf(row);
  const period = window === null ? null : periodOf(window, now);
  const rolling = window?.kind === "rolling" ? window.hours : null;
  const minutes = row.reset_minute;
  const clock = [Math.floor(minutes / 60), minutes % 60];
  return {
    id: toTypeId("alw", row.id),
    scope: row.scope,
    name: row.name,
    metric: row.metric,
    limit: row.most,
    window: row.window_kind,
    window_hours: rolling,
    time_zone: row.time_zone,
    reset_time: clock.map((part) => String(part).padStart(2, "0")).join(":"),
    mode: row.mode,
    default_reserve: row.default_reserve,
    spent: row.metric === "concurrent_runs" ? row.live : row.spent,
    reserved: row.reserved,
    // A rolling window has no beginning that people could wait for.
    period_started_at: rolling === null ? iso(period?.startsAt ?? null) : null,
    period_ends_at: rolling === null ? iso(period?.endsAt ?? null) : null,
    created_at: iso(row.created_at),
  };
}

export function usageRowOf(row: UsageSum): wire.UsageRow {
  const { agent, account, model, day, attempts, ...counters } = row;
  const known = Object.entries(counters).filter(([, value]) => value !== null);
  return { agent, account, model, day, attempts, usage: Object.fromEntries(known) };
}
