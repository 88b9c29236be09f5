// API keys as this server last saw them: so that a request need not ask the database who it is.
// Promises: nothing that begins after a key was revoked is accepted (I-28): a key is remembered
// only while no other server is up that could have revoked it, is forgotten when this one does,
// and is looked up again every 2 s in any case; requests that must look share the next look, never
// one that began before them.
// Leaves to others: comparing secrets (queries/principals.ts), knowing of other servers (doorbell).

import type { FoundKey } from "../../store/keys.ts";

export type KeyMemoryOptions = {
  readonly look: (prefix: string) => Promise<FoundKey | null>;
  /** Whether no other server of this installation is up, as far as can be known. */
  readonly alone: () => boolean;
  readonly mono: () => number;
  /** Milliseconds since 1970; compared with expiries, with a margin for a clock that differs. */
  readonly wall: () => number;
};

const FRESH_MS = 2000;
const CLOCK_MARGIN_MS = 60_000;
const MAX_KEYS = 1000;

type Known = { readonly key: FoundKey; readonly at: number };
type Looks = { now: Promise<unknown>; next: Promise<FoundKey | null> | null };

export class KeyMemory {
  readonly #options: KeyMemoryOptions;
  readonly #known = new Map<string, Known>();
  readonly #looks = new Map<string, Looks>();
  #forgotten = 0;

  constructor(options: KeyMemoryOptions) {
    this.#options = options;
  }

  /** The key with this public prefix, revoked and expired ones too; null when there is none. */
  find(prefix: string): Promise<FoundKey | null> {
    const known = this.#known.get(prefix);
    if (known !== undefined && this.#holds(known)) return Promise.resolve(known.key);
    const looks = this.#looks.get(prefix);
    if (looks === undefined) return this.#begin(prefix);
    looks.next ??= looks.now.then(() => this.#begin(prefix));
    return looks.next;
  }

  /** Forgets all: a key has just changed. */
  forget(): void {
    this.#forgotten += 1;
    this.#known.clear();
  }

  #holds({ key, at }: Known): boolean {
    const { alone, mono, wall } = this.#options;
    if (!alone() || mono() - at > FRESH_MS) return false;
    return key.expires_at === null || key.expires_at - CLOCK_MARGIN_MS > wall();
  }

  #begin(prefix: string): Promise<FoundKey | null> {
    const before = this.#forgotten;
    const at = this.#options.mono();
    const look = this.#options.look(prefix);
    const looks: Looks = { now: Promise.resolve(), next: null };
    looks.now = look
      .then((key) => {
        if (key === null || before !== this.#forgotten) return;
        if (this.#known.size >= MAX_KEYS) this.#known.clear();
        this.#known.set(prefix, { key, at });
      })
      .catch(() => {}) // told to those who asked
      .then(() => {
        if (this.#looks.get(prefix) === looks) this.#looks.delete(prefix);
      });
    this.#looks.set(prefix, looks);
    return look;
  }
}
