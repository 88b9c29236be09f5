// Slots: planned times in an agent's calendar.
// Promises: creating is sent once; changes of a slot are safe to repeat.
// Leaves to others: starting what is due (server).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type { Page, Slot, SlotInput, SlotStatus } from "../wire.ts";

/** Which slots to list. All given conditions must hold. */
export type SlotFilter = PageQuery & { agent?: string; status?: SlotStatus };

/** `signalbox.slots` */
export class Slots {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of slots.
   *
   * @example
   * const { items } = await signalbox.slots.list({ agent: "reviewer", status: "ongoing" });
   */
  list(filter: SlotFilter = {}): Promise<Page<Slot>> {
    return this.#http.get("/v1/slots", { query: filter });
  }

  /**
   * All slots that match, page by page.
   *
   * @example
   * for await (const slot of signalbox.slots.iterate({ agent: "reviewer" })) console.log(slot.id);
   */
  iterate(filter: SlotFilter = {}): AsyncIterable<Slot> {
    const page = (cursor?: string): Promise<Page<Slot>> =>
      this.list(cursor === undefined ? filter : { ...filter, cursor });
    return allItems(page, filter.cursor);
  }

  /**
   * One slot. Throws 404 `not_found`.
   *
   * @example
   * const { status, run_id } = await signalbox.slots.get(id);
   */
  get(id: string): Promise<Slot> {
    return this.#http.get(pathOf(id));
  }

  /**
   * Plans a time for an agent: with `run` a run is submitted when it starts, without one the agent
   * is occupied until it is over.
   *
   * @example
   * await signalbox.slots.create({
   *   agent: "reviewer",
   *   type: "on_call",
   *   starts_at: "2026-01-31T18:00:00Z",
   *   ends_at: "2026-02-01T06:00:00Z",
   * });
   */
  create(input: SlotInput): Promise<Slot> {
    return this.#http.post("/v1/slots", { body: input });
  }

  /**
   * Starts a slot now. Throws 409 `invalid_transition`.
   *
   * @example
   * await signalbox.slots.start(id);
   */
  start(id: string, options: { reason?: string } = {}): Promise<Slot> {
    return this.#change(id, "start", options);
  }

  /**
   * Says that a slot's work is done. Throws 409 `invalid_transition`.
   *
   * @example
   * await signalbox.slots.finish(id);
   */
  finish(id: string, options: { reason?: string } = {}): Promise<Slot> {
    return this.#change(id, "finish", options);
  }

  /**
   * Breaks a slot off. Throws 409 `invalid_transition`.
   *
   * @example
   * await signalbox.slots.abort(id, { reason: "nothing left to do" });
   */
  abort(id: string, options: { reason?: string } = {}): Promise<Slot> {
    return this.#change(id, "abort", options);
  }

  /**
   * Cancels a slot before it starts. Throws 409 `invalid_transition`.
   *
   * @example
   * await signalbox.slots.skip(id, { reason: "holiday" });
   */
  skip(id: string, options: { reason?: string } = {}): Promise<Slot> {
    return this.#change(id, "skip", options);
  }

  #change(id: string, verb: string, options: { reason?: string }): Promise<Slot> {
    return this.#http.post(`${pathOf(id)}/${verb}`, { body: options, retry: true });
  }
}

function pathOf(id: string): string {
  return `/v1/slots/${encodeURIComponent(id)}`;
}
