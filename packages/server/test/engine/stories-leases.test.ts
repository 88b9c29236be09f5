// Stories of leases: expiry, backoff, the last attempt, renewals, deadlines.
import { describe, expect, test } from "vitest";
import { useStage } from "./stage.ts";
import { StoryFailed, tell } from "./stories.ts";

const stage = useStage();

describe("the interpreter bites", () => {
  test.each([
    ["a wrong answer", "worker w1 -> online\nsubmit r1 -> created\nclaim w1 -> r1 token=2"],
    ["a wrong word", "worker w1 -> draining"],
    ["a missing word", "submit r1\nsubmit r2\nworker w1\nclaim w1 free=2 -> r1"],
    ["a refusal nobody expected", "submit r1\ncancel r1\ncancel r1"],
    ["an unknown verb", "dance"],
  ])("%s", async (_, story) => {
    await expect(tell(stage, story)).rejects.toThrow(StoryFailed);
  });

  test("and shows the story up to there, with the answer", async () => {
    const told = tell(stage, "worker w1\nsubmit r1\nclaim w1 -> none\nshow r1 -> pending");
    await expect(told).rejects.toThrow(
      "\n  worker w1\n  submit r1\n  claim w1 -> none\n    answered: r1 token=1",
    );
  });
});

const stories: Record<string, string> = {
  "a lost lease goes back to the line with a backoff, and its worker is fenced": `
    worker w1
    submit r1
    claim w1 -> r1 token=1
    start w1 r1 -> running
    tick 50s
    sweep
    show r1 -> running
    tick 11s
    sweep
    show r1 -> pending used=1 token=1 wait=5s
    attempts r1 -> 1:lost:lease_expired:counted
    complete w1 r1 -> refused stale_fencing_token
    log w1 r1 1 -> refused stale_fencing_token
    heartbeat w1 r1 -> r1:stale_fencing_token fenced:r1
    claim w1 -> none
    tick 5s
    sweep
    worker w2
    claim w2 -> r1 token=2
    complete w1 r1 -> refused stale_fencing_token
    complete w2 r1 output=done -> completed used=2 token=2
    show r1 -> completed output=done
    attempts r1 -> 1:lost:lease_expired:counted 2:completed:completed:counted
    events r1 -> run.submitted run.claimed+attempt.spawning run.started+attempt.running \
      run.requeued+attempt.lost run.claimed+attempt.spawning run.started+attempt.running \
      run.completed+attempt.completed`,

  "an expired lease that nobody took back yet is still good": `
    worker w1
    submit r1
    claim w1 -> r1
    tick 300s
    complete w1 r1 -> completed
    sweep
    show r1 -> completed used=1`,

  "the loss of the last attempt is a dead letter": `
    worker w1
    submit r1 max_attempts=2
    claim w1 -> r1 token=1
    tick 61s
    sweep
    tick 5s
    sweep
    claim w1 -> r1 token=2
    start w1 r1 -> running used=2
    tick 61s
    sweep
    show r1 -> failed used=2 token=2 cause=attempts error=E-RUN-002 dead_letter=yes
    show r1 -> failed reason="max attempts exceeded"
    tick 900s
    sweep
    claim w1 -> none
    complete w1 r1 -> refused stale_fencing_token
    cancel r1 -> refused already_terminal`,

  "the backoff doubles": `
    worker w1
    submit r1 max_attempts=4
    claim w1 -> r1
    fail w1 r1 -> pending used=1
    show r1 -> pending wait=5s
    tick 5s
    sweep
    claim w1 -> r1
    fail w1 r1 -> pending used=2
    show r1 -> pending wait=10s
    tick 4s
    sweep
    claim w1 -> none
    tick 6s
    sweep
    claim w1 -> r1
    tick 61s
    sweep
    show r1 -> pending used=3 wait=20s
    attempts r1 -> 1:failed:error:counted 2:failed:error:counted 3:lost:lease_expired:counted`,

  "heartbeats keep a lease alive for as long as they come, in every state that holds one": `
    worker w1
    submit r1
    claim w1 lease=60s -> r1
    tick 50s
    heartbeat w1 -> r1:ok
    start w1 r1
    tick 50s
    heartbeat w1 -> r1:ok
    await_tool w1 r1 -> waiting_tool
    tick 50s
    sweep
    heartbeat w1 -> r1:ok
    tick 50s
    sweep
    show r1 -> waiting_tool used=1 token=1
    tick 11s
    sweep
    show r1 -> pending used=1`,

  "a lease is as long as the claim asked for, whatever others ask": `
    worker w1
    worker w2
    submit r1
    submit r2
    claim w1 lease=5s -> r1
    claim w2 lease=120s -> r2
    tick 6s
    sweep
    show r1 -> pending
    show r2 -> claimed
    tick 115s
    sweep
    show r2 -> pending`,

  "the worker re-claims its own lost run: beats for the new token flow, the old one stays dead": `
    worker w1
    submit r1
    claim w1 -> r1 token=1
    tick 61s
    sweep
    tick 5s
    sweep
    claim w1 -> r1 token=2
    heartbeat w1 -> r1:ok
    complete w1 r1 -> completed token=2`,

  "a pending run past its deadline ends and is never claimed": `
    worker w1
    submit r1 deadline=30s
    tick 31s
    claim w1 -> none
    sweep
    show r1 -> timeout cause=deadline used=0 reason="deadline passed"
    events r1 -> run.submitted run.timeout`,

  "a live run's deadline ends it and fences the worker": `
    worker w1
    submit r1 deadline=30s
    claim w1 lease=300s -> r1
    start w1 r1
    tick 31s
    sweep
    show r1 -> timeout cause=deadline used=1 token=1
    attempts r1 -> 1:killed:deadline:counted
    complete w1 r1 -> refused stale_fencing_token
    heartbeat w1 -> r1:stale_fencing_token deadline:r1`,

  "a deadline holds while the run waits for its backoff": `
    worker w1
    submit r1 deadline=70s
    claim w1 -> r1
    tick 61s
    sweep
    show r1 -> pending wait=5s
    tick 10s
    sweep
    show r1 -> timeout used=1`,

  "max_duration counts from the claim, heartbeats do not help": `
    worker w1
    submit r1 max_duration=100s
    claim w1 -> r1
    start w1 r1
    tick 50s
    heartbeat w1 -> r1:ok
    tick 40s
    heartbeat w1 -> r1:ok
    sweep
    show r1 -> running
    tick 11s
    sweep
    show r1 -> timeout cause=deadline reason="max_duration passed"
    attempts r1 -> 1:killed:max_duration:counted`,

  "max_duration begins anew with every attempt": `
    worker w1
    submit r1 max_duration=100s
    tick 500s
    claim w1 -> r1
    tick 61s
    sweep
    tick 5s
    sweep
    claim w1 -> r1 token=2
    tick 50s
    heartbeat w1 -> r1:ok
    sweep
    show r1 -> claimed token=2`,

  "late news: log lines and the end of the processes for ten minutes, nothing else": `
    worker w1
    submit r1
    claim w1 -> r1
    start w1 r1
    log w1 r1 1 2 -> stored=2 last_seq=5
    complete w1 r1 -> completed
    tick 590s
    log w1 r1 3 -> stored=1
    terminated w1 r1 -> completed
    emit w1 r1 4 -> refused stale_fencing_token
    tick 11s
    log w1 r1 5 -> refused stale_fencing_token
    terminated w1 r1 -> refused stale_fencing_token
    show r1 -> completed`,
};

test.each(Object.entries(stories))("%s", async (_, story) => tell(stage, story));
