// The client: one connection to one Signalbox server, and everything one can ask of it.
// Promises: works in browsers and Node; no dependency; every call has a deadline (30 s per try
// unless given) and throws `SignalboxError`; safe calls are tried again, at most 5 times.
// Leaves to others: doing runs (`@signalbox/sdk/worker`).

import { Http } from "./http.ts";
import type { HttpOptions } from "./http.ts";
import { Accounts } from "./resources/accounts.ts";
import { Agents } from "./resources/agents.ts";
import { Allowances } from "./resources/allowances.ts";
import { DeadLetters } from "./resources/dead-letters.ts";
import { Audit } from "./resources/audit.ts";
import { Approvals } from "./resources/approvals.ts";
import { Events } from "./resources/events.ts";
import { Keys } from "./resources/keys.ts";
import { Projects } from "./resources/projects.ts";
import { Queues } from "./resources/queues.ts";
import { Runs } from "./resources/runs.ts";
import { Runtimes } from "./resources/runtimes.ts";
import { Sessions } from "./resources/sessions.ts";
import { Slots } from "./resources/slots.ts";
import { UsageReport } from "./resources/usage.ts";
import { Webhooks } from "./resources/webhooks.ts";
import type { HouseHealth } from "./wire.ts";

/**
 * `url` of the server, `key` (`sbx_…`), and with the owner key the `project` to act in, by name or
 * id. A page of the server's own origin says `session: true` instead of `key`: then the browser's
 * session asks (`sessions.open`). `timeoutMs` is the deadline of one try, default 30,000.
 */
export type SignalboxOptions = HttpOptions;

/**
 * The client.
 *
 * @example
 * const key = process.env.SIGNALBOX_KEY;
 * const signalbox = new Signalbox({ url: "http://127.0.0.1:4400", key });
 * const run = await signalbox.runs.submit({ agent: "reviewer", input: { pr: 42 } });
 * for await (const event of run.events()) console.log(event.type);
 * console.log(await run.result());
 */
export class Signalbox {
  readonly runs: Runs;
  readonly runtimes: Runtimes;
  readonly agents: Agents;
  readonly accounts: Accounts;
  readonly allowances: Allowances;
  readonly slots: Slots;
  readonly approvals: Approvals;
  readonly usage: UsageReport;
  readonly queues: Queues;
  readonly projects: Projects;
  readonly keys: Keys;
  readonly sessions: Sessions;
  readonly audit: Audit;
  readonly events: Events;
  readonly deadLetters: DeadLetters;
  readonly webhooks: Webhooks;
  /** The connection itself, for routes that have no method here. */
  readonly http: Http;

  /** Throws a TypeError for a `url` that is none or an empty `key`. Sends nothing. */
  constructor(options: SignalboxOptions) {
    this.http = new Http(options);
    this.runs = new Runs(this.http);
    this.runtimes = new Runtimes(this.http);
    this.agents = new Agents(this.http);
    this.accounts = new Accounts(this.http);
    this.allowances = new Allowances(this.http);
    this.slots = new Slots(this.http);
    this.approvals = new Approvals(this.http);
    this.usage = new UsageReport(this.http);
    this.queues = new Queues(this.http);
    this.projects = new Projects(this.http);
    this.keys = new Keys(this.http);
    this.sessions = new Sessions(this.http);
    this.audit = new Audit(this.http);
    this.events = new Events(this.http);
    this.deadLetters = new DeadLetters(this.http);
    this.webhooks = new Webhooks(this.http);
  }

  /**
   * Whether the server answers at all. Throws `SignalboxError` when it does not.
   *
   * @example
   * await signalbox.health(); // { status: "ok" }
   */
  health(): Promise<{ status: string }> {
    return this.http.get("/healthz", { retry: false, timeoutMs: 5_000 });
  }

  /**
   * How the house is: servers, sweeps, database, and what is wrong. Role operator; load and
   * numbers of all projects together for the owner alone.
   *
   * @example
   * const { findings } = await signalbox.house();
   * const wrong = findings.filter(({ verdict }) => verdict !== "ok");
   */
  house(): Promise<HouseHealth> {
    return this.http.get("/v1/health");
  }
}
