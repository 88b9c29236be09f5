// Accounts in a flush: limits that were locked, what reports, instants and probes make of them, and
// the events of that.
// Promises: the law (`domain/exhaustion`) decides every change; each change that is worth one is
// one event on the account's stream, numbered under the account's lock.
// Leaves to others: reading and locking (read.ts, flush.ts), writing (write.ts).

import type { Exhaustion, LimitNotice, Probe } from "../../../domain/exhaustion/exhaustion.ts";
import {
  probeGranted,
  probeOver,
  probeSucceeded,
  recovered,
  reported,
} from "../../../domain/exhaustion/exhaustion.ts";
import type { AccountRow, StoredExhaustion } from "../../../store/accounts.ts";
import type { EventRow } from "../../../store/events.ts";
import type { Origin } from "../../contract.ts";

type Changed = ReturnType<typeof recovered>;
/** The part of a flush's state that the book needs. */
type Register = { readonly at: number; readonly events: EventRow[] };

/** What is to be done with the limits of an account; `model` undefined = all of them. */
export type AccountCommand =
  | { readonly kind: "report"; readonly notice: LimitNotice }
  | {
      readonly kind: "recover";
      readonly model?: string | null;
      readonly by: "sweep" | "person";
      /** A person's. */
      readonly reason?: string;
    }
  | { readonly kind: "probe"; readonly runId: string; readonly token: number; works: boolean };

/** Limits of single models that one account has at most. */
const MOST_MODELS = 64;

type Kept = { readonly projectId: string; row: Exhaustion; changed: boolean };

export class AccountBook {
  readonly #register: Register;
  readonly #rows = new Map<string, Kept>();
  readonly #accounts = new Map<string, AccountRow & { bumped?: boolean }>();

  constructor(register: Register) {
    this.#register = register;
  }

  /** Takes locked limits into the flush. */
  hold(rows: readonly StoredExhaustion[]): void {
    for (const { projectId, row } of rows) {
      this.#rows.set(nameOf(projectId, row), { projectId, row, changed: false });
    }
  }

  /** Takes locked accounts into the flush: their events can be numbered. */
  holdAccounts(rows: readonly AccountRow[]): void {
    for (const row of rows) {
      const key = `${row.project_id}/${row.name}`;
      if (!this.#accounts.has(key)) this.#accounts.set(key, row);
    }
  }

  /** Limits of an account as this flush has left them, without those that are open. */
  rowsOf(projectId: string, account: string): Exhaustion[] {
    const rows: Exhaustion[] = [];
    for (const kept of this.#rows.values()) {
      if (kept.projectId === projectId && kept.row.account === account) rows.push(kept.row);
    }
    return rows.filter((row) => row.state !== "open");
  }

  /** Does what a report, an instant, a person or a probe asks for. */
  apply(projectId: string, account: string, command: AccountCommand, origin: Origin): void {
    const { at } = this.#register;
    if (command.kind === "report") {
      const notice = this.#bounded(projectId, account, command.notice);
      const key = nameOf(projectId, { account, model: notice.model });
      const before = this.#rows.get(key)?.row ?? null;
      this.#take(projectId, before, reported(before, account, notice, at), origin);
      return;
    }
    const own = [...this.#rows.values()].filter(
      (kept) => kept.projectId === projectId && kept.row.account === account,
    );
    for (const { row } of own) {
      if (command.kind === "probe") {
        const { works } = command;
        const changed = works ? probeSucceeded(row, command, at) : probeOver(row, command);
        this.#take(projectId, row, changed, origin);
      } else if (command.model === undefined || command.model === row.model) {
        // A sweep comes for those whose instant has come.
        const due = row.recoveryAt !== null && row.recoveryAt <= at;
        if (command.by === "person" || due) {
          const { after, fact } = recovered(row, at, command.by);
          const why = command.reason === undefined ? {} : { reason: command.reason };
          const told = fact === null ? null : { ...fact, data: { ...fact.data, ...why } };
          this.#take(projectId, row, { after, fact: told }, origin);
        }
      }
    }
  }

  /** Whoever reports may invent names of models: beyond {@link MOST_MODELS} all models rest. */
  #bounded(projectId: string, account: string, notice: LimitNotice): LimitNotice {
    const { model } = notice;
    const own = [...this.#rows.values()].filter(
      (kept) => kept.projectId === projectId && kept.row.account === account,
    );
    const isKnown = model === null || own.some(({ row }) => row.model === model);
    return isKnown || own.length < MOST_MODELS ? notice : { ...notice, model: null };
  }

  /** An attempt tries a limit that is half open. */
  grant(projectId: string, row: Exhaustion, probe: Probe, origin: Origin): void {
    const before = this.#rows.get(nameOf(projectId, row))?.row ?? row;
    this.#take(projectId, before, probeGranted(before, probe), origin);
  }

  #take(projectId: string, before: Exhaustion | null, changed: Changed, origin: Origin): void {
    const { after, fact } = changed;
    if (after === before) return;
    this.#rows.set(nameOf(projectId, after), { projectId, row: after, changed: true });
    if (fact !== null) this.#record(projectId, after.account, fact, origin);
  }

  #record(
    projectId: string,
    account: string,
    fact: NonNullable<Changed["fact"]>,
    origin: Origin,
  ): void {
    const row = this.#accounts.get(`${projectId}/${account}`);
    if (row === undefined) return;
    row.last_seq += 1;
    row.bumped = true;
    const isPerson = fact.data["by"] === "person";
    const { actor, requestId, traceparent } = origin;
    this.#register.events.push({
      streamId: row.id,
      stream: "account",
      seq: row.last_seq,
      projectId,
      fact: { ...fact, source: isPerson ? "operator" : "host", at: this.#register.at },
      actor,
      requestId,
      traceparent,
    });
  }

  /** Limits to be written. */
  get changed(): StoredExhaustion[] {
    return [...this.#rows.values()].filter((kept) => kept.changed);
  }

  /** Accounts whose event numbers moved on. */
  get bumped(): { id: string; lastSeq: number }[] {
    return [...this.#accounts.values()]
      .filter((row) => row.bumped === true)
      .map((row) => ({ id: row.id, lastSeq: row.last_seq }));
  }
}

function nameOf(projectId: string, row: Pick<Exhaustion, "account" | "model">): string {
  return JSON.stringify([projectId, row.account, row.model]);
}
