// Agents: durable, named identities that do work, with what they may do and how they are.
// Promises: every call is safe to repeat.
// Leaves to others: the limits of their accounts (`accounts.ts`), planned times (`slots.ts`).

import type { Http } from "../http.ts";
import { allItems } from "../paging.ts";
import type { PageQuery } from "../paging.ts";
import type { Agent, AgentRegistration, AgentStatus, Event, Page } from "../wire.ts";

/** Which agents to list. All given conditions must hold. */
export type AgentFilter = PageQuery & { status?: AgentStatus; paused?: boolean };

export type AgentEventQuery = PageQuery & {
  after_seq?: string;
  before_seq?: string;
  order?: "asc" | "desc";
  type?: string;
};

/** `signalbox.agents` */
export class Agents {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * One page of agents, by name.
   *
   * @example
   * const { items } = await signalbox.agents.list({ status: "exhausted" });
   */
  list(filter: AgentFilter = {}): Promise<Page<Agent>> {
    return this.#http.get("/v1/agents", { query: filter });
  }

  /**
   * All agents that match, page by page.
   *
   * @example
   * for await (const agent of signalbox.agents.iterate()) console.log(agent.name, agent.status);
   */
  iterate(filter: AgentFilter = {}): AsyncIterable<Agent> {
    const page = (cursor?: string): Promise<Page<Agent>> =>
      this.list(cursor === undefined ? filter : { ...filter, cursor });
    return allItems(page, filter.cursor);
  }

  /**
   * One agent by name. Throws 404 `not_found`.
   *
   * @example
   * const { status, exhausted_until } = await signalbox.agents.get("reviewer");
   */
  get(name: string): Promise<Agent> {
    return this.#http.get(pathOf(name));
  }

  /**
   * Registers an agent, or changes it: an absent field keeps its value, null is the default. An
   * agent that is only named by a worker exists without this, and is not limited.
   *
   * @example
   * await signalbox.agents.register("reviewer", {
   *   max_concurrent: 4,
   *   accounts: ["anthropic/max-1", "anthropic/max-2"],
   * });
   */
  register(name: string, registration: AgentRegistration): Promise<Agent> {
    return this.#http.put(pathOf(name), { body: registration });
  }

  /**
   * Lets an agent claim nothing more; what it has goes on.
   *
   * @example
   * await signalbox.agents.pause("reviewer", { reason: "its prompt is being rewritten" });
   */
  pause(name: string, options: { reason: string }): Promise<Agent> {
    return this.#http.post(`${pathOf(name)}/pause`, { body: options, retry: true });
  }

  /**
   * Lets a paused agent claim again.
   *
   * @example
   * await signalbox.agents.resume("reviewer");
   */
  resume(name: string, options: { reason?: string } = {}): Promise<Agent> {
    return this.#http.post(`${pathOf(name)}/resume`, { body: options, retry: true });
  }

  /**
   * One page of what happened to an agent, forward or backward by `seq`. Throws 404 `not_found`.
   *
   * @example
   * const { items } = await signalbox.agents.events("reviewer", { order: "desc", limit: 10 });
   */
  events(name: string, query: AgentEventQuery = {}): Promise<Page<Event>> {
    return this.#http.get(`${pathOf(name)}/events`, { query });
  }
}

function pathOf(name: string): string {
  return `/v1/agents/${encodeURIComponent(name)}`;
}
