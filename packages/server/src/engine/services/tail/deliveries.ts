// Deliveries: turns the feed into deliveries, and tries what is due, on any number of servers.
// Promises: no transition waits for it; the feed is gap-free, so a persisted cursor makes a
// delivery of every committed event and of no other (F-113); at most 8 tries at once per endpoint,
// 64 per project, so that slow endpoints of one keep no other waiting, and 256 in all; a server
// that dies between sending and marking leaves a lease that ends: at least once.
// Leaves to others: what matches and what a try changes (`domain/webhook`), the POST (send.ts).

import { setMaxListeners } from "node:events";
import type { TryOutcome } from "../../../domain/webhook/tries.ts";
import { afterTry, FAILURES_TO_REST } from "../../../domain/webhook/tries.ts";
import { wants } from "../../../domain/webhook/filter.ts";
import { Service } from "../../../std/service.ts";
import type { Reader } from "../../../store/db.ts";
import type { LeasedDelivery, WebhookRef } from "../../../store/deliveries.ts";
import {
  feedOnward,
  fillWebhook,
  leaseDeliveries,
  lockToFill,
  releaseDeliveries,
  triesUnderWay,
} from "../../../store/deliveries.ts";
import type { Marked, TriedRows } from "../../../store/delivery-marks.ts";
import { lockTriedDeliveries, markDeliveries } from "../../../store/delivery-marks.ts";
import { readEvents } from "../../../store/events.ts";
import type { StoredEvent } from "../../../store/events.ts";
import type { WebhookToSend } from "../../../store/house/outbox.ts";
import {
  cleanOutbox,
  projectsWithWebhooks,
  signingSecrets,
  webhooksToFill,
  webhooksToSend,
} from "../../../store/house/outbox.ts";
import { disableWebhook } from "../../../store/webhooks.ts";
import { recordWebhook } from "../../commands/webhooks.ts";
import type { Parts } from "../../parts.ts";
import { eventOf } from "../../queries/views.ts";
import { houseOrigin } from "../after.ts";
import { bodyOf, headersOf } from "./message.ts";
import { send, SEND_MS } from "./send.ts";

export type DeliveryOptions = {
  readonly parts: () => Parts;
  /** Connections of its own, as `app`: a burst of deliveries keeps no operator waiting. */
  readonly writer: Reader;
  readonly serverId: string;
  readonly version: string;
  readonly random: () => number;
};

const FILL_PAGE = 500;
const PAGES_PER_ROUND = 8;
const LOOK_MS = 1000;
/** Events of one commit, and of the next few, become deliveries together. */
const GATHER_MS = 20;
const AT_ONCE = 8;
const AT_ONCE_OF_PROJECT = 64;
const AT_ONCE_IN_ALL = 256;
const LEASE_MS = SEND_MS + 20_000;
const CLEAN_EVERY_MS = 600_000;
/** Not with the first round: what a server is asked at its start goes before. */
const FIRST_CLEAN_MS = 5000;
const STOP_WAIT_MS = 2000;

/** Deliveries taken for a try, with the events they are of (by feed), and what signs them. */
type Leased = {
  readonly deliveries: readonly LeasedDelivery[];
  readonly events: ReadonlyMap<number, StoredEvent>;
  readonly secrets: readonly string[];
};
type Trying = { readonly delivery: LeasedDelivery; readonly done: Promise<void> };
type Ended = { readonly delivery: LeasedDelivery; readonly outcome: TryOutcome };
/** Tries of one webhook that are marked together, once those before them are. */
type Gathering = { readonly ended: Ended[]; readonly marked: Promise<void> };

export class Deliveries {
  readonly #options: DeliveryOptions;
  readonly #service: Service;
  readonly #trying = new Map<string, Trying>();
  readonly #gathering = new Map<string, Gathering>();
  readonly #marking = new Map<string, Promise<void>>();
  readonly #stopping = new AbortController();
  #projects: ReadonlySet<string> = new Set();
  #lastClean = -Infinity;

  constructor(options: DeliveryOptions & Pick<Parts, "clock" | "logger">) {
    this.#options = options;
    const { clock, logger } = options;
    setMaxListeners(AT_ONCE_IN_ALL, this.#stopping.signal); // each try listens
    const round = (): Promise<number> => this.#round();
    this.#service = new Service({ name: "tail.deliveries", clock, logger, round });
  }

  start(): void {
    const { clock } = this.#options.parts();
    this.#lastClean = clock.mono() - CLEAN_EVERY_MS + FIRST_CLEAN_MS;
    this.#service.start();
  }

  /** Something was committed in this project. */
  committed(projectId: string): void {
    if (this.#projects.has(projectId)) this.#service.wakeWithin(GATHER_MS);
  }

  /** Somebody has changed a webhook, or wants something sent. */
  wake(): void {
    this.#service.wake();
  }

  /** For tests that start no service: one round, and the tries that it began. */
  async once(): Promise<void> {
    await this.#round();
    await Promise.all([...this.#trying.values()].map(({ done }) => done));
  }

  async stop(): Promise<void> {
    await this.#service.stop();
    const { clock } = this.#options.parts();
    const all = Promise.all([...this.#trying.values()].map(({ done }) => done));
    const cancel = clock.setDeadline(STOP_WAIT_MS, () => this.#stopping.abort());
    await all;
    cancel();
  }

  async #round(): Promise<number> {
    const { house, clock, context } = this.#options.parts();
    const found = await house.within([], async (runner) => ({
      projects: await projectsWithWebhooks(runner),
      toFill: await webhooksToFill(runner),
    }));
    this.#projects = new Set(found.projects);
    let isBehind = false;
    for (const ref of found.toFill) isBehind = (await this.#fill(ref)) || isBehind;
    const toSend = await house.within([], (runner) => webhooksToSend(runner, context.offsetMs()));
    let wait = LOOK_MS;
    for (const one of toSend) wait = Math.min(wait, await this.#begin(one));
    if (clock.mono() - this.#lastClean > CLEAN_EVERY_MS) {
      this.#lastClean = clock.mono();
      await house.within([], cleanOutbox);
    }
    return isBehind ? 0 : wait;
  }

  /** Makes deliveries of what is new in the feed; whether more is left. */
  async #fill(ref: WebhookRef): Promise<boolean> {
    for (let pages = 0; pages < PAGES_PER_ROUND; pages++) {
      if (!(await this.#fillPage(ref))) return false;
    }
    return true;
  }

  async #fillPage(ref: WebhookRef): Promise<boolean> {
    const { writer } = this.#options;
    const { newId } = this.#options.parts();
    return writer.within([ref.projectId], async (runner) => {
      const webhook = await lockToFill(runner, ref);
      if (webhook === null) return false;
      const events = await feedOnward(runner, ref.projectId, {
        after: webhook.cursor,
        limit: FILL_PAGE,
        scoped: webhook.agent !== null || webhook.queue !== null,
      });
      const last = events.at(-1);
      if (last === undefined) return false;
      const wanted = events.filter((event) => wants(webhook, event));
      const deliveries = wanted.map((event) => ({ id: newId(), event }));
      await fillWebhook(runner, ref, { cursor: last.feed, deliveries });
      return events.length === FILL_PAGE;
    });
  }

  /** Begins tries of what is due at one endpoint; in how many milliseconds to look again. */
  async #begin(ref: WebhookToSend): Promise<number> {
    if (ref.due_at > ref.now) return ref.due_at - ref.now;
    const mine = [...this.#trying.values()];
    const ofProject = mine.filter(({ delivery }) => delivery.project_id === ref.projectId);
    const here = ofProject.filter(({ delivery }) => delivery.webhook_id === ref.webhookId);
    const room = Math.min(
      AT_ONCE - here.length,
      AT_ONCE_OF_PROJECT - ofProject.length,
      AT_ONCE_IN_ALL - mine.length,
    );
    // The end of a try wakes the next round.
    if (room <= 0) return LOOK_MS;
    const leased = await this.#lease(ref, room);
    if (leased.deliveries.length === 0) return LOOK_MS;
    for (const delivery of leased.deliveries) this.#track(delivery, leased);
    return LOOK_MS;
  }

  async #lease(ref: WebhookRef, room: number): Promise<Leased> {
    const { writer, serverId } = this.#options;
    const { house, context } = this.#options.parts();
    const offsetMs = context.offsetMs();
    const none: Leased = { deliveries: [], events: new Map(), secrets: [] };
    const leased = await writer.within([ref.projectId], async (runner) => {
      const now = await triesUnderWay(runner, ref, offsetMs);
      if (now === null) return none;
      const rests = now.failures >= FAILURES_TO_REST;
      if (rests && (now.n > 0 || (now.rest_until ?? 0) > now.now)) return none;
      const limit = rests ? 1 : Math.min(room, AT_ONCE - now.n);
      if (limit <= 0) return none;
      const asked = { by: serverId, limit, offsetMs, probe: rests, leaseMs: LEASE_MS };
      const deliveries = await leaseDeliveries(runner, ref, asked);
      const places = deliveries.flatMap(({ stream_id: streamId, seq }) =>
        streamId === null || seq === null ? [] : [{ streamId, seq }],
      );
      const rows = places.length === 0 ? [] : await readEvents(runner, places);
      return { ...none, deliveries, events: new Map(rows.map((row) => [row.feed, row])) };
    });
    if (leased.deliveries.length === 0) return none;
    const secrets = await house.within([], (runner) => signingSecrets(runner, ref));
    return { ...leased, secrets };
  }

  #track(delivery: LeasedDelivery, leased: Leased): void {
    const { logger } = this.#options.parts();
    const done = this.#try(delivery, leased)
      .catch((error: unknown) => {
        const fields = { err: error, delivery: delivery.id };
        logger.warn(fields, "a delivery was not marked; its lease ends and it is tried again");
      })
      .finally(() => {
        this.#trying.delete(delivery.id);
        this.#service.wake();
      });
    this.#trying.set(delivery.id, { delivery, done });
  }

  async #try(delivery: LeasedDelivery, { events, secrets }: Leased): Promise<void> {
    const { clock } = this.#options.parts();
    const { version } = this.#options;
    const row = delivery.feed === null ? null : (events.get(delivery.feed) ?? null);
    const body = bodyOf(delivery, row === null ? null : eventOf(row));
    const headers = headersOf(delivery.id, body, { secrets, wall: clock.wall(), version });
    const { url, allow_private: allowPrivate } = delivery;
    const outcome = await send(
      { url, allowPrivate, headers, body },
      { clock, signal: this.#stopping.signal },
    );
    if (!outcome.ok && this.#stopping.signal.aborted) await this.#giveBack(delivery);
    else await this.#mark({ delivery, outcome });
  }

  /** A try that was cut off by a stop is none. */
  async #giveBack({ project_id: projectId, id }: LeasedDelivery): Promise<void> {
    const { writer, serverId: by } = this.#options;
    await writer.within([projectId], (runner) =>
      releaseDeliveries(runner, { projectId, by }, [id]),
    );
  }

  /** Marks it, with what else of its webhook ends while the marks before are written. */
  #mark(ended: Ended): Promise<void> {
    const { webhook_id: id } = ended.delivery;
    const open = this.#gathering.get(id);
    if (open !== undefined) {
      open.ended.push(ended);
      return open.marked;
    }
    const all = [ended];
    const marked = (this.#marking.get(id) ?? Promise.resolve()).then(() => {
      this.#gathering.delete(id);
      return this.#markAll(all);
    });
    this.#gathering.set(id, { ended: all, marked });
    const over = marked
      .catch(() => {})
      .finally(() => {
        if (this.#marking.get(id) === over) this.#marking.delete(id);
      });
    this.#marking.set(id, over);
    return marked;
  }

  async #markAll(ended: readonly Ended[]): Promise<void> {
    try {
      await this.#writeMarks(ended);
    } catch (error) {
      if (ended.length === 1) throw error;
      // One of them may be at fault: the others are not to be sent again for that.
      const alone = await Promise.allSettled(ended.map((one) => this.#writeMarks([one])));
      const fault = alone.find(({ status }) => status === "rejected");
      if (fault !== undefined) throw error;
    }
  }

  async #writeMarks(ended: readonly Ended[]): Promise<void> {
    const { writer, serverId: by } = this.#options;
    const parts = this.#options.parts();
    const [first] = ended;
    if (first === undefined) return;
    const { project_id: projectId, webhook_id: webhookId } = first.delivery;
    const ref = { projectId, webhookId };
    const ids = ended.map(({ delivery }) => delivery.id);
    const offsetMs = parts.context.offsetMs();
    await writer.within([projectId], async (runner) => {
      const rows = await lockTriedDeliveries(runner, ref, { by, ids, offsetMs });
      if (rows === null || rows.deliveries.size === 0) return;
      const { disable, ...marks } = this.#after(rows, ended);
      await markDeliveries(runner, ref, { ...marks, now: rows.now });
      if (disable === null) return;
      const row = await disableWebhook(runner, { projectId, id: webhookId }, disable);
      if (row === null) return;
      const entry = { type: "webhook.disabled", source: "host", reason: disable } as const;
      await recordWebhook(parts, runner, row, { ...entry, origin: houseOrigin("webhooks") });
    });
  }

  /** What the tries make of their rows and of the endpoint, one after the other. */
  #after({ endpoint: before, now, deliveries }: TriedRows, ended: readonly Ended[]) {
    let endpoint = before;
    let answersAgain = false;
    let disable: string | null = null;
    const marks: Marked[] = [];
    for (const { delivery, outcome } of ended) {
      const row = deliveries.get(delivery.id);
      if (row === undefined) continue;
      const { tries, first_try_at: firstTryAt, aside } = row;
      const random = this.#options.random();
      const facts = { tries, firstTryAt, aside, endpoint, now, random };
      const after = afterTry(outcome, facts);
      answersAgain ||= outcome.ok && endpoint.failures >= FAILURES_TO_REST;
      endpoint = after.endpoint;
      disable ??= after.disable;
      marks.push({ before: row, after: after.delivery, outcome });
    }
    return { marks, endpoint, answersAgain, disable };
  }
}
