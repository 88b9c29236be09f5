// The events of one run as a window: those around what is read, however many there are.
// Promises: in the order of `seq`, without gaps or repeats; at most 3,500 are held, the rest is
// asked for when it comes near; nothing that came while the window was elsewhere is lost, since the
// server has it; however many come at once, a screen is told once per frame.
// Leaves to others: the connection (`follow-run.ts`), what a screen makes of them (`log-rows.ts`).

import type { Event, Page, RunEventQuery, Signalbox } from "@signalbox/sdk";
import { everything, fits, queryOf } from "./look.ts";
import type { Look } from "./look.ts";

export type LogLink = "reading" | "live" | "ended" | "broken";

/** What screens see. Lists are new ones whenever they differ. */
export type LogView = {
  readonly events: readonly Event[];
  /** Whether there is more before and after the window. */
  readonly hasOlder: boolean;
  readonly hasNewer: boolean;
  /** A part is being asked for. */
  readonly isReading: boolean;
  /** The newest number of the run that is known. */
  readonly last: number;
  /** Counts up whenever the window does not simply go on at its end. */
  readonly began: number;
  /** Counts up whenever the reader is led to another place, and to which end of the window. */
  readonly jumps: number;
  readonly jumpedTo: "beginning" | "end";
  readonly link: LogLink;
  readonly error: unknown;
};

const PAGE = 500;
/** The window; at its end it may grow by a page before it is cut. */
const MOST = 3_000;

type Ask = (query: RunEventQuery) => Promise<Page<Event>>;

export class EventLog {
  readonly #ask: Ask;
  readonly #listeners = new Set<() => void>();
  #view: LogView = {
    events: [],
    hasOlder: false,
    hasNewer: false,
    isReading: true,
    last: 0,
    began: 0,
    jumps: 0,
    jumpedTo: "end",
    link: "reading",
    error: null,
  };
  #look: Look = everything;
  #isHeld = false;
  /** Where the server goes on; null: there is no more. */
  #olderCursor: string | null = null;
  /** Everything up to this number has been looked at, at the end of the window. */
  #lookedTo = 0;
  /** What came since the last frame. */
  #fresh: Event[] = [];
  #isTold = false;
  /** Answers to an earlier question are dropped. */
  #question = 0;

  constructor(client: Signalbox, id: string) {
    this.#ask = (query) => client.runs.events(id, query);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly seen = (): LogView => this.#view;

  /** Reads the newest page. Returns the newest number there is: where to follow from. */
  async begin(): Promise<number> {
    const [newest] = (await this.#ask({ order: "desc", limit: 1 })).items;
    this.#heard(Number(newest?.seq ?? 0));
    await this.toEnd();
    return this.#view.last;
  }

  /** One event of the stream, in order. */
  take(event: Event): void {
    this.#fresh.push(event);
    this.#soon();
  }

  linked(link: LogLink, error: unknown = null): void {
    this.#change({ link, error });
  }

  /** Shows something else of the run: from its end. */
  look(look: Look): Promise<void> {
    this.#look = look;
    return this.toEnd();
  }

  /** From now on what comes is counted and not shown. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Shows what comes again, from the end of the run. */
  async goOn(): Promise<void> {
    this.#isHeld = false;
    if (this.#view.hasNewer) await this.toEnd();
  }

  /** The newest page, and what comes after it. */
  toEnd(): Promise<void> {
    return this.#restart({ order: "desc" });
  }

  /** The oldest page. */
  toBeginning(): Promise<void> {
    return this.#restart({ order: "asc" });
  }

  async #restart(from: { order: "asc" | "desc" }): Promise<void> {
    const { last } = this.#view;
    const query = { ...queryOf(this.#look), ...from, limit: PAGE };
    await this.#read(query, ({ items, next_cursor: next }) => {
      const isEnd = from.order === "desc";
      this.#olderCursor = isEnd ? next : null;
      this.#lookedTo =
        isEnd || next === null ? seqOf(items.at(isEnd ? 0 : -1), last) : Number(next);
      return {
        events: isEnd ? items.toReversed() : items,
        hasOlder: this.#olderCursor !== null,
        hasNewer: !isEnd && next !== null,
        began: this.#view.began + 1,
        jumps: this.#view.jumps + 1,
        jumpedTo: isEnd ? "end" : "beginning",
      };
    });
    await this.#catchUp();
  }

  /** The page before the window. */
  async older(): Promise<void> {
    if (this.#view.isReading || this.#olderCursor === null) return;
    const asked = { order: "desc", cursor: this.#olderCursor, limit: PAGE } as const;
    await this.#read({ ...queryOf(this.#look), ...asked }, ({ items, next_cursor: next }) => {
      const all = [...items.toReversed(), ...this.#view.events];
      this.#olderCursor = next;
      const isCut = all.length > MOST;
      const events = isCut ? all.slice(0, MOST) : all;
      if (isCut) this.#lookedTo = seqOf(events.at(-1), 0);
      const hasNewer = this.#view.hasNewer || isCut;
      return { events, hasOlder: next !== null, hasNewer, began: this.#view.began + 1 };
    });
    await this.#catchUp();
  }

  /** The page after the window. */
  async newer(): Promise<void> {
    if (this.#view.isReading || !this.#view.hasNewer) return;
    await this.#readOn();
    await this.#catchUp();
  }

  async #readOn(): Promise<void> {
    const { last } = this.#view;
    const asked = { order: "asc", after_seq: String(this.#lookedTo), limit: PAGE } as const;
    await this.#read({ ...queryOf(this.#look), ...asked }, ({ items, next_cursor: next }) => {
      this.#lookedTo = next === null ? seqOf(items.at(-1), last) : Number(next);
      return { ...this.#cut([...this.#view.events, ...items]), hasNewer: next !== null };
    });
  }

  /** What came over the stream while a page was read may be missing at the end of the window. */
  async #catchUp(): Promise<void> {
    while (!this.#view.hasNewer && !this.#isHeld && this.#lookedTo < this.#view.last) {
      const before = this.#lookedTo;
      await this.#readOn();
      if (this.#lookedTo === before) return;
    }
  }

  /** Cuts a window that has grown at its end: by a page at a time, since all rows are made anew. */
  #cut(events: readonly Event[]): Pick<LogView, "events" | "hasOlder" | "began"> {
    const { hasOlder, began } = this.#view;
    if (events.length <= MOST + PAGE) return { events, hasOlder, began };
    const left = events.slice(-MOST);
    this.#olderCursor = left[0]?.seq ?? null;
    return { events: left, hasOlder: true, began: began + 1 };
  }

  async #read(query: RunEventQuery, apply: (page: Page<Event>) => Partial<LogView>): Promise<void> {
    const question = (this.#question += 1);
    this.#change({ isReading: true });
    try {
      const page = await this.#ask(query);
      if (question !== this.#question) return;
      this.#heard(Number(page.items.at(query.order === "desc" ? 0 : -1)?.seq ?? 0));
      this.#change({ ...apply(page), isReading: false, error: null });
    } catch (error) {
      if (question === this.#question) this.#change({ isReading: false, error });
    }
  }

  #heard(seq: number): void {
    if (seq > this.#view.last) this.#view = { ...this.#view, last: seq };
  }

  /** Puts what came into the window, where the window is at the end. */
  #flush(): void {
    const fresh = this.#fresh;
    this.#fresh = [];
    if (fresh.length === 0) return;
    this.#heard(seqOf(fresh.at(-1), 0));
    const { hasNewer, isReading, events, last } = this.#view;
    if (hasNewer || this.#isHeld) {
      this.#view = { ...this.#view, hasNewer: true };
      return;
    }
    // While a page is read the end is not known: `#catchUp` asks for what is left out here.
    if (isReading) return;
    const looksOn = fresh.filter(
      (event) => Number(event.seq) > this.#lookedTo && fits(event, this.#look),
    );
    this.#lookedTo = Math.max(this.#lookedTo, last);
    if (looksOn.length > 0) this.#view = { ...this.#view, ...this.#cut([...events, ...looksOn]) };
  }

  #change(change: Partial<LogView>): void {
    this.#view = { ...this.#view, ...change };
    this.#soon();
  }

  /** Tells in the next frame; tabs behind have none, and are told when they are looked at. */
  #soon(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    window.requestAnimationFrame(() => {
      this.#isTold = false;
      this.#flush();
      this.#view = { ...this.#view };
      for (const listener of this.#listeners) listener();
    });
  }
}

const seqOf = (event: Event | undefined, otherwise: number): number =>
  Math.max(Number(event?.seq ?? 0), otherwise);
