// claim: hands ready runs to a worker, each under a new lease.
// Promises: the answer carries everything the worker needs, the attempt's secret among it and
// nowhere else; a claim whose caller has gone is given back at once, without cost.
// Leaves to others: who gets what (flush, `admit`), waiting (dispatcher).

import type * as wire from "@signalbox/sdk";
import { timeLeftMs } from "../../domain/due.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal } from "../../domain/refusal.ts";
import { isLeased } from "../../domain/run.ts";
import { toTypeId } from "../../std/ids.ts";
import { readRunDetails } from "../../store/run-queries.ts";
import { findRuntimes } from "../../store/runtimes.ts";
import type { ClaimInput, Origin } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { detailOf } from "../queries/views.ts";
import { knowAgents } from "./agents.ts";
import { joinAttemptKey } from "../keys.ts";
import type { Granted } from "../services/flush/items.ts";

export async function claim(
  parts: Parts,
  projectId: string,
  input: ClaimInput,
  call: { origin: Origin; signal: AbortSignal },
): Promise<wire.ClaimResponse | Refusal> {
  const named = input.agents.map(({ name }) => name);
  await Promise.all([
    rememberRuntime(parts, projectId, input.runtime),
    named.length === 0 ? null : knowAgents(parts, projectId, named, call.origin),
  ]);
  const { waitMs, ...rest } = input;
  const item = { kind: "claim", projectId, ...rest, origin: call.origin } as const;
  const found = await parts.dispatcher.claim(item, waitMs, call.signal);
  if (isRefusal(found)) return found;
  if (found.grants.length === 0) return { claims: [] };
  if (call.signal.aborted) {
    await giveBack(parts, projectId, found.grants);
    return { claims: [] };
  }
  const claims = await describe(parts, projectId, found.grants, found.at);
  parts.traces?.claimed(found.grants, call.origin);
  return { claims };
}

/**
 * The flush takes a runtime's capabilities from memory; the first claim after a start reads them.
 */
async function rememberRuntime(parts: Parts, projectId: string, name: string): Promise<void> {
  if (parts.context.runtimes.has(`${projectId}/${name}`)) return;
  const rows = await parts.reader.within([projectId], (runner) =>
    findRuntimes(runner, [{ projectId, name }]),
  );
  const row = rows[0];
  if (row !== undefined) parts.context.runtimes.set(`${projectId}/${name}`, row);
}

async function giveBack(
  parts: Parts,
  projectId: string,
  grants: readonly Granted[],
): Promise<void> {
  await Promise.all(
    grants.map((grant) =>
      parts.work.add({
        kind: "run",
        projectId,
        runId: grant.run.id,
        fence: { attemptId: grant.attemptId, token: grant.run.fencingToken },
        what: { command: { kind: "release", cause: "declined" } },
        origin: { actor: "house", requestId: "claim_abandoned", traceparent: null },
      }),
    ),
  );
}

/** The unknown outcome of a commit leaves a grant without its row: it is read then. */
async function describe(
  parts: Parts,
  projectId: string,
  grants: readonly Granted[],
  at: number,
): Promise<wire.Claim[]> {
  const missing = grants.filter((grant) => grant.detail === null).map((grant) => grant.run.id);
  if (missing.length > 0) {
    const rows = await parts.reader.within([projectId], (runner) =>
      readRunDetails(runner, missing),
    );
    for (const grant of grants) {
      grant.detail ??= rows.find((row) => row.id === grant.run.id) ?? null;
    }
  }
  return grants.flatMap((grant) => claimOf(parts, projectId, grant, at));
}

function claimOf(parts: Parts, projectId: string, grant: Granted, at: number): wire.Claim[] {
  if (grant.detail === null || !isLeased(grant.run)) return [];
  const { id, fencingToken, lease } = grant.run;
  const { traceparent } = grant.detail;
  const names = { projectId, runId: id, token: fencingToken };
  return [
    {
      run: detailOf(grant.detail),
      attempt_id: toTypeId("att", grant.attemptId),
      fencing_token: fencingToken,
      attempt_number: fencingToken,
      attempt_key: joinAttemptKey({ ...names, child: false, secret: grant.secret }),
      child_key: joinAttemptKey({ ...names, child: true, secret: grant.childSecret }),
      side_effect_token: toTypeId("run", id),
      agent: grant.agent,
      account: grant.account,
      lease_ms: lease.leaseMs,
      time_left_ms: timeLeftMs(grant.run, at),
      traceparent: parts.traces?.traceparentOfAttempt(traceparent, grant.attemptId) ?? traceparent,
    },
  ];
}
