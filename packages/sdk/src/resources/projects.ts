// Projects: the isolation boundary, and its emergency stop.
// Promises: stop and resume are safe to repeat; creating is sent once.
// Leaves to others: who may do it (server; creating and listing need the owner key).

import type { Http } from "../http.ts";
import type { PageQuery } from "../paging.ts";
import type { Everything, Page, Project, RetentionChange } from "../wire.ts";

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
   * Runs are removed this many days after their end, with all that is theirs; null keeps them.
   * Dead letters that nobody has answered are kept, or removed after `dead_letter_days`.
   *
   * @example
   * await signalbox.projects.setRetention({ retention_days: 90, dead_letter_days: 365 });
   */
  setRetention(options: RetentionChange): Promise<Project> {
    return this.#http.put("/v1/project/retention", { body: options });
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

  /**
   * Whether the whole installation is stopped. Owner key.
   *
   * @example
   * const { stopped_at } = await signalbox.projects.everything();
   */
  everything(): Promise<Everything> {
    return this.#http.get("/v1/everything");
  }

  /**
   * Emergency stop of every project, those to come included. Owner key.
   *
   * @example
   * await signalbox.projects.stopEverything({ reason: "a key has leaked" });
   */
  stopEverything(options: { reason: string; cancel_live?: boolean }): Promise<Everything> {
    return this.#http.post("/v1/everything/stop", { body: options, retry: true });
  }

  /**
   * Lifts the stop of everything; projects with a stop of their own stay stopped. Owner key.
   *
   * @example
   * await signalbox.projects.resumeEverything({ reason: "the key is revoked" });
   */
  resumeEverything(options: { reason: string }): Promise<Everything> {
    return this.#http.post("/v1/everything/resume", { body: options, retry: true });
  }
}
