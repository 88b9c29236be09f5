// Projects: the isolation boundary, and its emergency stop.
// Promises: stop and resume are safe to repeat; creating is sent once.
// Leaves to others: who may do it (server; creating and listing need the owner key).

import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { Page, Project } from "../wire.ts";

/** `signalbox.projects` */
export class Projects {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * The project of this key.
   *
   * @example
   * const { name, stopped_at } = await signalbox.projects.current();
   */
  current(): Promise<Project> {
    return this.#http.get("/v1/project");
  }

  /**
   * One page of all projects. Owner key.
   *
   * @example
   * const { items } = await signalbox.projects.list();
   */
  list(query: PageQuery = {}): Promise<Page<Project>> {
    return this.#http.get("/v1/projects", { query });
  }

  /**
   * Makes a project. Owner key. Throws 409 `project_exists`.
   *
   * @example
   * const project = await signalbox.projects.create({ name: "support" });
   */
  create(options: { name: string }): Promise<Project> {
    return this.#http.post("/v1/projects", { body: options });
  }

  /**
   * Emergency stop: no claim and no renewal succeeds until `resume`. Live runs go back to pending,
   * or are cancelled with `cancel_live`.
   *
   * @example
   * await signalbox.projects.stop({ reason: "agents delete branches" });
   */
  stop(options: { reason: string; cancel_live?: boolean }): Promise<Project> {
    return this.#http.post("/v1/stop", { body: options, retry: true });
  }

  /**
   * Lifts the emergency stop.
   *
   * @example
   * await signalbox.projects.resume({ reason: "the prompt is fixed" });
   */
  resume(options: { reason: string }): Promise<Project> {
    return this.#http.post("/v1/resume", { body: options, retry: true });
  }
}
