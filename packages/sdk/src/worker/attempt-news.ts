// News of attempts: what a worker tells a program that counts or measures.
// Promises: two calls per attempt, when it was claimed and when it is over, with plain facts and
// nothing of the input or output; a listener that throws disturbs nothing.
// Leaves to others: counting (the program's own library), when (`worker.ts`).

import type { Claim } from "../wire.ts";

/**
 * How an attempt was over, as this worker saw it. `lost`: the server has given the run away, or
 * will, since the lease was lost; `stopped`: it was taken back by an emergency stop.
 */
export type AttemptOutcome =
  | "completed"
  | "failed"
  | "released"
  | "exhausted"
  | "killed"
  | "stopped"
  | "lost";

type AttemptFacts = {
  readonly runId: string;
  readonly attemptId: string;
  readonly number: number;
  readonly queue: string;
  readonly runner: string;
  readonly agent: string | null;
  readonly model: string | null;
};

/** What `onAttempt` is told. */
export type AttemptNews = AttemptFacts &
  (
    | { readonly what: "claimed" }
    | { readonly what: "ended"; readonly outcome: AttemptOutcome; readonly durationMs: number }
  );

export type AttemptListener = (news: AttemptNews) => void;

/** Tells of one attempt; `ended` is to be called when it is over. */
export function tellOf(
  { run, attempt_id: attemptId, attempt_number: number, agent }: Claim,
  listener: AttemptListener | undefined,
  onError: (error: unknown) => void,
): { readonly ended: (outcome: AttemptOutcome) => void } {
  if (listener === undefined) return { ended: () => {} };
  const { id: runId, queue, runner, model } = run;
  const facts = { runId, attemptId, number, queue, runner, agent, model };
  const tell: AttemptListener = (news) => {
    try {
      listener(news);
    } catch (error) {
      onError(error);
    }
  };
  const began = performance.now();
  tell({ ...facts, what: "claimed" });
  return {
    ended: (outcome) => {
      const durationMs = Math.round(performance.now() - began);
      tell({ ...facts, what: "ended", outcome, durationMs });
    },
  };
}
