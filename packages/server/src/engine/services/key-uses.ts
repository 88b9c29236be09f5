// When keys and sessions were last used: to the minute or so, written beside the requests.
// Promises: a request never waits for it; one key is written at most once a minute by one server;
// what is remembered is bounded.
// Leaves to others: which keys are good (`queries/principals.ts`).

import type { Clock } from "../../std/clock.ts";
import { groupBy } from "../../std/group.ts";
import type { Logger } from "../../std/logger.ts";
import type { Reader, Runner } from "../../store/db.ts";
import { noteKeysUsed } from "../../store/keys.ts";
import { noteSessionsSeen } from "../../store/sessions.ts";
import { Later } from "./later.ts";

export type KeyUseOptions = {
  readonly writer: Reader;
  readonly house: Reader;
  readonly clock: Clock;
  readonly logger: Logger;
};

const EVERY_MS = 60_000;
const MOST = 10_000;

type Use = { readonly what: "key" | "session"; readonly projectId: string | null; id: string };

export class KeyUses {
  readonly #options: KeyUseOptions;
  readonly #later: Later;
  /** When each was noted last, by its id. */
  readonly #noted = new Map<string, number>();
  #uses: Use[] = [];

  constructor(options: KeyUseOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const what = "when keys were last used";
    this.#later = new Later({ clock, logger, what, write: () => this.#write() });
  }

  key(projectId: string | null, id: string): void {
    this.#note({ what: "key", projectId, id });
  }

  session(projectId: string | null, id: string): void {
    this.#note({ what: "session", projectId, id });
  }

  /** Writes what was noted so far: for tests. */
  settled(): Promise<void> {
    return this.#later.settled();
  }

  stop(): Promise<void> {
    return this.#later.stop();
  }

  #note(use: Use): void {
    const now = this.#options.clock.mono();
    if (now - (this.#noted.get(use.id) ?? -Infinity) < EVERY_MS) return;
    if (this.#noted.size >= MOST) this.#noted.clear();
    this.#noted.set(use.id, now);
    this.#uses.push(use);
    this.#later.arm();
  }

  async #write(): Promise<void> {
    const uses = this.#uses;
    this.#uses = [];
    const [ofProjects, owners] = [
      uses.filter(({ projectId }) => projectId !== null),
      uses.filter(({ projectId }) => projectId === null),
    ];
    const { writer, house } = this.#options;
    const projects = [...groupBy(ofProjects, ({ projectId }) => projectId as string).keys()];
    if (ofProjects.length > 0) await writer.within(projects, (runner) => write(runner, ofProjects));
    if (owners.length > 0) await house.within([], (runner) => write(runner, owners));
  }
}

async function write(runner: Runner, uses: readonly Use[]): Promise<void> {
  const idsOf = (what: Use["what"]): string[] =>
    uses.flatMap((use) => (use.what === what ? [use.id] : [])).toSorted();
  const [keys, sessions] = [idsOf("key"), idsOf("session")];
  if (keys.length > 0) await noteKeysUsed(runner, keys);
  if (sessions.length > 0) await noteSessionsSeen(runner, sessions);
}
