// The catalogue of invariants: what must hold, by its number, and what a database alone cannot show
// of it, with the tests that do.
// Promises: every number has a row; one that `verify` does not ask about says why, and which test
// shows it instead, or that none does. The reference is made of it, and tests hold it to the
// invariants and to the tests that are there.
// Leaves to others: the questions (`invariants.ts` and its parts).

/** A test that shows what no database can, by its own words and where it is. */
export type Shown = readonly [words: string, file: string];

/** One row. */
export type Catalogued = {
  readonly number: number;
  readonly says: string;
  /** What rows and events do not tell of it, why, and who does; absent: they tell all. */
  readonly beyond?: { readonly why: string; readonly shown: readonly Shown[] };
};

const ENGINE = "packages/server/test/engine";
const HTTP = "packages/server/test/http";
const PROCESS = "packages/sdk/test/process";

/** Every invariant there is, in the order of its number. */
export const catalogue: readonly Catalogued[] = [
  { number: 1, says: "A run has at most one live lease; tokens are 1, 2, 3 …" },
  {
    number: 2,
    says: "Nothing is written under a token outside its lease but what is marked late.",
    beyond: {
      why: "That a stale call was refused is in its answer.",
      shown: [["is refused by every write with 409 and changes nothing", `${HTTP}/worker.test.ts`]],
    },
  },
  { number: 3, says: "An attempt's id and token never repeat." },
  { number: 4, says: "A lease is taken back only after it expired." },
  {
    number: 5,
    says: "What has not ended has an owner and an instant, or a reason from a closed list.",
    beyond: {
      why: "Reasons are computed when they are asked for, and not stored.",
      shown: [
        [
          "explain names everything that holds a run back, of the claim's own list",
          `${ENGINE}/stories-submit.test.ts`,
        ],
      ],
    },
  },
  { number: 6, says: "The states of a run form a path in the transition table." },
  { number: 7, says: "A run ends at most once, and nothing follows that changes it." },
  { number: 8, says: "Streams are numbered 1..n, feeds in commit order, without gaps." },
  { number: 9, says: "State is what the events add up to." },
  { number: 10, says: "No state is newer than its last event, no event without its state." },
  {
    number: 11,
    says: "What was accepted is stored as it was sent.",
    beyond: {
      why: "Which answers clients received is known to them alone.",
      shown: [
        ["what is missing or different is found", "packages/server/test/campaigns/stage.test.ts"],
      ],
    },
  },
  { number: 12, says: "A run has exactly one origin." },
  {
    number: 13,
    says: "An idempotency key has one effect; so has a number of a runner.",
    beyond: {
      why: "That all answers are equal is in the answers.",
      shown: [
        ["50 at once under one key are one run", `${HTTP}/runs.test.ts`],
        ["another body under the key is refused", `${HTTP}/runs.test.ts`],
      ],
    },
  },
  { number: 14, says: "Attempts used are those claimed less those given back, within bounds." },
  { number: 15, says: "An attempt ends once, with a cause of the closed list." },
  {
    number: 16,
    says: "No claim takes an agent or a concurrency key above its limit.",
    beyond: {
      why: "Limits of the past are not kept with every claim.",
      shown: [["max_concurrent of an agent holds over workers", `${ENGINE}/allowances.test.ts`]],
    },
  },
  {
    number: 17,
    says: "Spent and reserved never pass a limit by what is admitted.",
    beyond: {
      why: "What was reserved at a claim is not kept once it is used up.",
      shown: [
        [
          "spent + reserved never passes the limit: what does not fit waits, and why",
          `${ENGINE}/allowances.test.ts`,
        ],
        [
          "spent is charges less refunds, reserved is what is left, no grant passes the limit",
          "packages/server/test/domain/allowance/ledger.test.ts",
        ],
      ],
    },
  },
  { number: 18, says: "Spent is charges less refunds, reserved what is left; usage counts once." },
  { number: 19, says: "A reservation is open exactly while its attempt is live." },
  { number: 20, says: "A question is pending exactly while its run waits for it." },
  { number: 21, says: "What is executed is what was decided." },
  { number: 22, says: "After a cancel or under a stop there is no claim." },
  { number: 23, says: "A dead letter has failed, and is redriven at most once." },
  { number: 24, says: "A slot begins once; an agent is in one at most." },
  {
    number: 25,
    says: "A follower hears a contiguous, ordered range of the feed, or a resync.",
    beyond: {
      why: "What a follower received is known to it alone; that the feed has no gap is I-8.",
      shown: [
        ["forty followers of three projects are told by one tail", `${ENGINE}/feed.test.ts`],
        ["a follower that takes nothing is let go, and misses nothing", `${ENGINE}/feed.test.ts`],
        [
          "with a cursor among removed events hear one resync, and the rest in order",
          `${ENGINE}/retention.test.ts`,
        ],
      ],
    },
  },
  {
    number: 26,
    says: "A delivery is of a committed event, under one id, in order or marked, signed.",
    beyond: {
      why: "Signatures and what receivers saw are not stored.",
      shown: [
        [
          "verify with another package and with the SDK; a changed body does not",
          `${ENGINE}/webhooks.test.ts`,
        ],
        [
          "a try that failed comes again after its wait, with the same id",
          `${ENGINE}/webhooks.test.ts`,
        ],
      ],
    },
  },
  {
    number: 27,
    says: "Nothing of a project is in what another sees.",
    beyond: {
      why: "Answers, streams and logs are not stored.",
      shown: [
        ["no answer to a key of another project holds it", `${HTTP}/canary.test.ts`],
        [
          "of the project's feed carry what is its own, live and from the register",
          `${HTTP}/canary.test.ts`,
        ],
      ],
    },
  },
  {
    number: 28,
    says: "Who changed something was allowed to; a revoked key is refused at once.",
    beyond: {
      why: "Roles are checked at the door, and events do not repeat them.",
      shown: [["a foreign id is answered exactly like an absent one", `${HTTP}/access.test.ts`]],
    },
  },
  { number: 29, says: "Every event has an actor and a request id." },
  {
    number: 30,
    says: "Secrets are nowhere outside their sealed column.",
    beyond: {
      why: "A database knows its own keys, and those by their digest only.",
      shown: [
        [
          "are in no log line, event, list or problem document, nor in the database",
          `${HTTP}/canary.test.ts`,
        ],
      ],
    },
  },
  { number: 31, says: "No stored value is above its limit, no stored text ill-formed." },
  {
    number: 32,
    says: "For one run, the numbers that reads return never decrease.",
    beyond: {
      why: "What was read, and when, is known to the readers alone.",
      shown: [["what a read has returned, no later read falls behind", `${ENGINE}/reads.test.ts`]],
    },
  },
  {
    number: 33,
    says: "Retention removes whole ended runs, never with what is to be delivered.",
    beyond: {
      why: "What was removed is gone; whether it was old enough with it.",
      shown: [
        [
          "without a policy nothing is removed; with one, what ended longer ago alone",
          `${ENGINE}/retention.test.ts`,
        ],
        ["a run with events that are not delivered yet", `${ENGINE}/retention.test.ts`],
      ],
    },
  },
  {
    number: 34,
    says: "Every accepted run has ended, or waits for something the API names.",
    beyond: {
      why: "It is decided when the house is at rest; a register at work is asked for I-5 instead.",
      shown: [
        [
          "what is due can be done: no due instant leads to a refusal",
          "packages/server/test/domain/rank.test.ts",
        ],
      ],
    },
  },
  {
    number: 35,
    says: "No process of an attempt outlives its end.",
    beyond: {
      why: "Processes are on the workers' machines.",
      shown: [
        ["that %s is ended whole", `${PROCESS}/tree.test.ts`],
        [
          "ends the tree when its time is over, without the server",
          `${PROCESS}/supervisor.test.ts`,
        ],
      ],
    },
  },
  {
    number: 36,
    says: "Two process trees of a run execute at once only after a frozen host resumes.",
    beyond: {
      why: "Processes are on the workers' machines.",
      shown: [
        [
          "freezes the tree before the lease can end, and thaws it when it is still ours",
          `${PROCESS}/supervisor.test.ts`,
        ],
        [
          "kills a frozen tree that lost its lease without waking it",
          `${PROCESS}/supervisor.test.ts`,
        ],
      ],
    },
  },
  {
    number: 37,
    says: "Who is overtaken is overtaken by a bounded amount.",
    beyond: {
      why: "What held a run back at each instant of the past is not kept.",
      shown: [
        [
          "below critical a point is worth 15 minutes: nothing starves (I-37)",
          "packages/server/test/domain/rank.test.ts",
        ],
        [
          "a run that goes before a better one is found",
          "packages/server/test/campaigns/fleet.test.ts",
        ],
      ],
    },
  },
  {
    number: 38,
    says: "A project that floods leaves another's submit-to-claim time within twice its own.",
    beyond: { why: "It is a time under load. No test measures it yet.", shown: [] },
  },
  {
    number: 39,
    says: "Each terminal event is tried at every webhook that wants it.",
    beyond: {
      why: "What a webhook wanted when an event was new is not kept once it is changed.",
      shown: [
        [
          "every committed event that matches is delivered once and in order",
          `${ENGINE}/webhooks.test.ts`,
        ],
      ],
    },
  },
  {
    number: 40,
    says: "At rest there is no lease and no open reservation.",
    beyond: {
      why: "A register at work is not at rest; I-19 ties reservations to live attempts.",
      shown: [
        [
          "books that do not add up, and reservations that are open, are found",
          "packages/server/test/campaigns/fleet.test.ts",
        ],
      ],
    },
  },
  {
    number: 41,
    says: "Descriptors, timers, sessions and memory come back to where they were.",
    beyond: {
      why: "They are of processes. Memory over hours is measured by a bench, and by no test.",
      shown: [
        ["ends streams and long polls at once and leaves nothing open", `${HTTP}/streams.test.ts`],
      ],
    },
  },
  {
    number: 42,
    says: "A chain of hashes shows that nothing was exchanged afterwards (optional).",
    beyond: { why: "There is no such chain.", shown: [] },
  },
];

/** Numbers of the catalogue about which this many names of invariants ask: `I-9 fold` is of 9. */
export function askedAbout(names: readonly string[]): ReadonlySet<number> {
  return new Set(names.map((name) => Number(/^I-(\d+) /.exec(name)?.[1])));
}
