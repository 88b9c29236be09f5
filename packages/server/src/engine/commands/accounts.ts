// Accounts of providers: describing them, reporting a limit, recovering by hand.
// Promises: limits change in a flush, so no claim slips past a report; a recovery by a person makes
// the next run try, and says who and why; what describes an account is an event when it changes.
// Leaves to others: what becomes of a limit (`domain/exhaustion`).

import type * as wire from "@signalbox/sdk";
import type { Refusal } from "../../domain/refusal.ts";
import { isRefusal, refuse } from "../../domain/refusal.ts";
import { canonicalJson } from "../../std/digest.ts";
import { listAccounts, lockAccounts, readExhaustions, saveAccount } from "../../store/accounts.ts";
import { readNow } from "../../store/flushes.ts";
import type { Origin, PageInput } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { accountOf } from "../queries/fleet-views.ts";
import { page } from "../queries/page.ts";
import type { AccountCommand } from "../services/flush/accounts.ts";
import { regulate, understood } from "./exhausted.ts";
import { record } from "./operate.ts";

type Known = Promise<wire.Account | Refusal>;

export async function registerAccount(
  parts: Parts,
  projectId: string,
  name: string,
  call: { registration: wire.AccountRegistration; origin: Origin },
): Known {
  const { provider, labels } = call.registration;
  await parts.writer.within([projectId], async (runner) => {
    const rows = await lockAccounts(runner, [{ projectId, account: name }], parts.newId);
    const row = rows[0];
    if (row === undefined) throw new Error("an account that was just inserted is not there");
    const data = {
      name,
      provider: provider === undefined ? row.provider : provider,
      labels: labels === undefined ? row.labels : (labels ?? {}),
    };
    const before = { name, provider: row.provider, labels: row.labels };
    if (row.last_seq > 0 && canonicalJson(before) === canonicalJson(data)) return;
    const seq = row.last_seq + 1;
    await saveAccount(runner, { ...row, ...data, last_seq: seq });
    const where = { stream: "account", streamId: row.id, seq, projectId } as const;
    const entry = { type: "account.registered", source: "operator", data } as const;
    await record(parts, runner, where, { ...entry, origin: call.origin });
  });
  return known(parts, projectId, name);
}

export async function reportExhaustion(
  parts: Parts,
  projectId: string,
  account: string,
  call: { report: wire.LimitReport; origin: Origin },
): Known {
  await regulate(parts, projectId);
  const at = await parts.reader.within([projectId], (runner) =>
    readNow(runner, parts.context.offsetMs()),
  );
  const command = { kind: "report", notice: understood(call.report, at) } as const;
  return change(parts, { projectId, account }, command, call.origin);
}

export async function recoverAccount(
  parts: Parts,
  projectId: string,
  account: string,
  call: { model?: string | null; reason: string; origin: Origin },
): Known {
  if ((await readAccount(parts, projectId, account)) === null) return unknown(account);
  const { model, origin, reason } = call;
  const command = {
    kind: "recover",
    by: "person",
    reason,
    ...(model === undefined ? {} : { model }),
  } as const;
  return change(parts, { projectId, account }, command, origin);
}

async function change(
  parts: Parts,
  ref: { projectId: string; account: string },
  command: AccountCommand,
  origin: Origin,
): Known {
  const answer = await parts.control.add({ kind: "account", ...ref, command, origin });
  return isRefusal(answer) ? answer : known(parts, ref.projectId, ref.account);
}

async function known(parts: Parts, projectId: string, name: string): Known {
  return (await readAccount(parts, projectId, name)) ?? unknown(name);
}

function unknown(name: string): Refusal {
  return refuse("not_found", `There is no account "${name}".`);
}

export async function readAccount(
  parts: Parts,
  projectId: string,
  name: string,
): Promise<wire.Account | null> {
  return (await viewsOf(parts, projectId, { after: "", name, limit: 1 }))[0] ?? null;
}

export async function readAccountPage(
  parts: Parts,
  projectId: string,
  { cursor, limit }: PageInput,
): Promise<wire.Page<wire.Account>> {
  const asked = { after: cursor ?? "", name: null, limit: limit + 1 };
  return page(await viewsOf(parts, projectId, asked), limit, ({ name }) => name);
}

async function viewsOf(
  parts: Parts,
  projectId: string,
  asked: { after: string; name: string | null; limit: number },
): Promise<wire.Account[]> {
  return parts.reader.within([projectId], async (runner) => {
    const rows = await listAccounts(runner, projectId, asked);
    const refs = rows.map((row) => ({ projectId, account: row.name }));
    const limits = rows.length === 0 ? [] : await readExhaustions(runner, refs);
    return rows.map((row) => accountOf(row, limits));
  });
}
