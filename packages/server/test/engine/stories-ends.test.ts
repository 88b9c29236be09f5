// Stories of ends: complete, fail, release, exhaust, cancel with every ending, kill, waiting for a
// tool, repeats of all of them.
import { describe, expect, test } from "vitest";
import { useStage } from "./stage.ts";
import { tell } from "./stories.ts";

const stage = useStage();

const stories: Record<string, string> = {
  "a completion from claimed records the start it skipped": `
    worker w1
    submit r1
    claim w1 -> r1
    complete w1 r1 output=hi -> completed used=1
    show r1 -> completed cause=completed output=hi error=none dead_letter=no
    events r1 -> run.submitted run.claimed+attempt.spawning run.started+attempt.running \
      run.completed+attempt.completed`,

  "a tool call is waited for, and a completion from there records the resume": `
    worker w1
    submit r1
    claim w1 -> r1
    start w1 r1 -> running
    await_tool w1 r1 -> waiting_tool
    resume w1 r1 -> running
    await_tool w1 r1 -> waiting_tool
    complete w1 r1 -> completed
    events r1 -> run.submitted run.claimed+attempt.spawning run.started+attempt.running \
      run.waiting_tool run.resumed run.waiting_tool run.resumed run.completed+attempt.completed`,

  "what the table has no cell for is refused": `
    worker w1
    submit r1
    claim w1 -> r1
    await_tool w1 r1 -> refused invalid_transition
    resume w1 r1 -> refused invalid_transition
    complete w1 r1 -> completed
    start w1 r1 -> refused stale_fencing_token
    kill r1 -> refused already_terminal
    cancel r1 -> refused already_terminal`,

  "every report can be repeated: it succeeds and writes nothing": `
    worker w1
    submit r1
    claim w1 -> r1
    start w1 r1 -> running
    start w1 r1 -> running
    await_tool w1 r1 -> waiting_tool
    await_tool w1 r1 -> waiting_tool
    resume w1 r1 -> running
    resume w1 r1 -> running
    complete w1 r1 output=one -> completed
    complete w1 r1 output=two -> completed
    show r1 -> completed output=one
    events r1 -> run.submitted run.claimed+attempt.spawning run.started+attempt.running \
      run.waiting_tool run.resumed run.completed+attempt.completed`,

  "a failure is tried again until the attempts are used up, then it is a dead letter": `
    worker w1
    submit r1
    claim w1 -> r1
    start w1 r1
    fail w1 r1 code=first -> pending used=1
    fail w1 r1 code=first -> pending used=1
    show r1 -> pending wait=5s dead_letter=no
    tick 5s
    sweep
    claim w1 -> r1 token=2
    fail w1 r1 code=second -> pending used=2
    tick 10s
    sweep
    claim w1 -> r1 token=3
    fail w1 r1 code=third -> failed used=3
    fail w1 r1 code=third -> failed used=3
    show r1 -> failed cause=attempts error=third dead_letter=yes
    attempts r1 -> 1:failed:error:counted 2:failed:error:counted 3:failed:error:counted`,

  "what is not retryable is a dead letter at once": `
    worker w1
    submit r1
    claim w1 -> r1
    fail w1 r1 code=broken retryable=no -> failed used=1
    show r1 -> failed cause=error error=broken dead_letter=yes
    tick 900s
    sweep
    claim w1 -> none`,

  "a release keeps the checkpoint, costs nothing and is claimable at once": `
    worker w1
    submit r1 max_attempts=1
    claim w1 -> r1 token=1
    start w1 r1 -> running used=1
    release w1 r1 cause=shutdown checkpoint=half -> pending used=0
    release w1 r1 -> pending used=0
    show r1 -> pending wait=none checkpoint=half
    claim w1 -> r1 token=2
    show r1 -> claimed used=1 token=2 checkpoint=half
    attempts r1 -> 1:released:shutdown:free 2:spawning:null:counted`,

  "the eleventh release counts": `
    worker w1
    submit r1 max_attempts=2
    ${"claim w1 -> r1\nrelease w1 r1 -> pending used=0\n".repeat(10)}
    claim w1 -> r1 token=11
    release w1 r1 -> pending used=1
    show r1 -> pending wait=5s
    tick 5s
    sweep
    claim w1 -> r1 token=12
    release w1 r1 -> failed used=2
    show r1 -> failed cause=attempts error=released dead_letter=yes`,

  "an exhausted provider costs nothing; a named recovery is waited for": `
    worker w1
    submit r1 max_attempts=1
    claim w1 -> r1
    exhaust w1 r1 -> pending used=0
    claim w1 -> r1 token=2
    exhaust w1 r1 until=+90s -> pending used=0
    claim w1 -> none
    tick 91s
    sweep
    claim w1 -> r1 token=3
    attempts r1 -> 1:released:exhausted:free 2:released:exhausted:free 3:spawning:null:counted`,

  "cancel of a pending run ends it at once": `
    submit r1
    cancel r1 -> cancelled
    cancel r1 -> refused already_terminal
    show r1 -> cancelled cause=cancel reason="changed my mind" used=0 dead_letter=no`,

  "cancel of a live run asks its worker, once": `
    worker w1
    submit r1
    claim w1 -> r1
    start w1 r1
    cancel r1 -> running
    cancel r1 -> running
    heartbeat w1 -> r1:ok cancel:r1
    show r1 -> running flag=yes
    complete w1 r1 output=late -> cancelled used=1
    complete w1 r1 output=late -> cancelled used=1
    show r1 -> cancelled cause=cancel output=late
    events r1 -> run.submitted run.claimed+attempt.spawning run.started+attempt.running \
      run.cancel_requested run.cancelled+attempt.completed`,

  "after the grace the house ends it and fences the worker": `
    worker w1
    submit r1
    claim w1 lease=300s -> r1
    start w1 r1
    cancel r1 -> running
    tick 20s
    heartbeat w1 -> r1:ok cancel:r1
    sweep
    show r1 -> running
    tick 11s
    sweep
    show r1 -> cancelled cause=cancel reason="changed my mind"
    complete w1 r1 -> refused stale_fencing_token
    heartbeat w1 -> r1:stale_fencing_token kill:r1
    attempts r1 -> 1:killed:cancel:counted`,

  "a deadline within the grace still ends it as a timeout": `
    worker w1
    submit r1 deadline=20s
    claim w1 lease=300s -> r1
    cancel r1 -> claimed
    tick 21s
    sweep
    show r1 -> timeout cause=deadline`,

  "a cancel reaches all descendants that still live": `
    worker w1
    submit r1
    submit child parent=r1
    submit grandchild parent=child
    submit done parent=r1
    submit other
    claim w1 free=9 -> r1 child grandchild done other
    complete w1 done -> completed
    release w1 grandchild -> pending
    cancel r1 cascade -> claimed
    show child -> claimed flag=yes
    show grandchild -> cancelled cause=cancel
    show done -> completed
    show other -> claimed flag=no`,

  "a kill fences at once and waits for nothing": `
    worker w1
    submit r1
    claim w1 -> r1
    start w1 r1
    kill r1 -> cancelled
    show r1 -> cancelled cause=kill reason="runaway"
    complete w1 r1 -> refused stale_fencing_token
    heartbeat w1 -> r1:stale_fencing_token kill:r1
    terminated w1 r1 -> cancelled
    attempts r1 -> 1:killed:kill:counted
    kill r1 -> refused already_terminal`,

  "a kill goes before a cancel that waits for its grace": `
    worker w1
    submit r1
    claim w1 -> r1
    cancel r1 -> claimed
    kill r1 -> cancelled
    show r1 -> cancelled cause=kill`,

  "events are numbered: the same is stored once, another under its number is refused": `
    worker w1
    submit r1
    claim w1 -> r1
    log w1 r1 1 2 3 -> stored=3 last_seq=5
    log w1 r1 1 2 3 -> stored=0 last_seq=5
    log w1 r1 3 4 -> stored=1 last_seq=6
    log w1 r1 4 text=other -> refused producer_seq_mismatch
    log w1 r1 5 5 -> stored=1 last_seq=7
    log w1 r1 9 -> stored=1 last_seq=8
    log w1 r1 8 -> refused producer_seq_mismatch
    emit w1 r1 10 type=x.mine -> stored=1
    emit w1 r1 11 type=run.completed -> refused reserved_event_type
    events r1 -> run.submitted run.claimed+attempt.spawning log.line log.line log.line log.line \
      log.line log.line x.mine`,

  "numbers begin anew with every attempt": `
    worker w1
    submit r1
    claim w1 -> r1
    log w1 r1 1 2 -> stored=2
    release w1 r1
    claim w1 -> r1 token=2
    log w1 r1 1 2 -> stored=2`,

  "another project knows nothing of any of this": `
    worker w1
    submit r1
    claim w1 -> r1
    elsewhere show r1 -> absent
    elsewhere cancel r1 -> refused not_found
    elsewhere kill r1 -> refused not_found
    elsewhere complete w1 r1 -> refused not_found
    elsewhere log w1 r1 1 -> refused not_found
    elsewhere explain r1 -> absent
    elsewhere claim w1 -> refused runtime_unknown
    show r1 -> claimed token=1`,
};

test.each(Object.entries(stories))("%s", async (_, story) => tell(stage, story));

// Every way to end or return the attempt, from every state that holds a lease, while a cancel
// stands.
const endings = {
  complete: "complete w1 r1",
  fail: "fail w1 r1",
  "fail for good": "fail w1 r1 retryable=no",
  release: "release w1 r1",
  exhaust: "exhaust w1 r1",
  expire: "tick 61s\nsweep\nshow r1",
};
const states = {
  claimed: "",
  running: "start w1 r1",
  waiting_tool: "start w1 r1\nawait_tool w1 r1",
};

describe("while a cancel stands, everything ends cancelled", () => {
  const cases = Object.keys(states).flatMap((state) =>
    Object.keys(endings).map((ending) => [ending, state] as const),
  );
  test.each(cases)("%s from %s", async (ending, state) => {
    await tell(
      stage,
      `worker w1
       submit r1
       claim w1 -> r1
       ${states[state as keyof typeof states]}
       cancel r1 -> ${state}
       ${endings[ending as keyof typeof endings]} -> cancelled
       show r1 -> cancelled cause=cancel used=1 dead_letter=no`.replace(
        ending === "release" || ending === "exhaust" ? "used=1" : "used=",
        ending === "release" || ending === "exhaust" ? "used=0" : "used=",
      ),
    );
  });

  test("an await too", async () => {
    await tell(
      stage,
      `worker w1
       submit r1
       claim w1 -> r1
       start w1 r1
       cancel r1 -> running
       await_tool w1 r1 -> cancelled
       await_tool w1 r1 -> cancelled
       attempts r1 -> 1:released:cancel:counted`,
    );
  });
});

test("a story that is not true is told wrong", async () => {
  const wrong = "worker w1\nsubmit r1\nclaim w1 -> r1\ncancel r1\ncomplete w1 r1 -> completed";
  await expect(tell(stage, wrong)).rejects.toThrow("answered: cancelled");
});
