// Stories of the line: who goes first, what holds a run back, who may claim it, and what stops all.
import { test } from "vitest";
import { useStage } from "./stage.ts";
import { tell } from "./stories.ts";

const stage = useStage();

const stories: Record<string, string> = {
  "urgent work overtakes, critical work before all": `
    worker w1
    submit low priority=20
    submit medium
    submit high priority=60
    submit critical priority=80
    submit later priority=40
    claim w1 free=2 -> critical high
    claim w1 free=9 -> medium later low`,

  "a point of priority is worth fifteen minutes of waiting": `
    worker w1
    submit old priority=40
    tick 301m
    submit young priority=60
    claim w1 -> old
    claim w1 -> young
    submit first priority=40
    tick 299m
    submit second priority=60
    claim w1 -> second`,

  "a run keeps its place over a requeue": `
    worker w1
    submit r1
    claim w1 -> r1
    tick 1s
    submit r2
    release w1 r1
    claim w1 -> r1`,

  "a worker takes what it has room for": `
    worker w1
    submit r1
    submit r2
    submit r3
    claim w1 free=2 -> r1 r2
    claim w1 free=2 -> r3
    claim w1 free=2 -> none`,

  "not before its time": `
    worker w1
    submit r1 not_before=+30s
    claim w1 -> none
    tick 20s
    sweep
    claim w1 -> none
    tick 10s
    sweep
    claim w1 -> r1`,

  "a dependency is waited for": `
    worker w1
    submit r1
    submit r2 after=r1
    submit r3 after=r1,r2
    claim w1 free=9 -> r1
    complete w1 r1
    claim w1 free=9 -> r2
    claim w1 -> none
    complete w1 r2
    claim w1 -> r3`,

  "a dependency that has completed already holds nothing back": `
    worker w1
    submit r1
    claim w1 -> r1
    complete w1 r1
    submit r2 after=r1
    claim w1 -> r2`,

  "under policy wait the dependents of a failed run wait, and only they": `
    worker w1
    submit r1
    submit r2 after=r1
    claim w1 -> r1
    fail w1 r1 retryable=no -> failed
    sweep
    show r2 -> pending
    claim w1 -> none
    cancel r2 -> cancelled`,

  "under policy fail they fail too, all the way down, and are no dead letters": `
    worker w1
    submit r1
    submit r2 after=r1 on_failure=fail
    submit r3 after=r2 on_failure=fail
    submit r4 after=r2
    claim w1 -> r1
    fail w1 r1 retryable=no -> failed
    show r2 -> failed cause=dependency error=dependency_failed dead_letter=no used=0
    show r3 -> failed cause=dependency
    show r4 -> pending
    events r2 -> run.submitted run.failed`,

  "a cancel of what is depended on fails the dependents too": `
    submit r1
    submit r2 after=r1 on_failure=fail
    cancel r1 -> cancelled
    show r2 -> failed cause=dependency`,

  "dependents of a run that had failed before they were submitted": `
    worker w1
    submit r1
    cancel r1
    submit r2 after=r1
    submit r3 after=r1 on_failure=fail
    show r3 -> failed cause=dependency
    show r2 -> pending
    claim w1 -> none`,

  "a concurrency key lets one through at a time": `
    worker w1
    submit r1 key=k
    submit r2 key=k
    submit r3 key=k
    submit other key=o
    claim w1 free=9 -> r1 other
    claim w1 -> none
    complete w1 r1
    claim w1 free=9 -> r2
    release w1 r2
    claim w1 free=9 -> r2 token=2
    kill r2
    claim w1 free=9 -> r3`,

  "a key with a limit lets so many through": `
    worker w1
    submit r1 key=k limit=2
    submit r2 key=k limit=2
    submit r3 key=k limit=2
    submit r4 key=k limit=2
    claim w1 free=9 -> r1 r2
    complete w1 r2
    claim w1 free=9 -> r3
    claim w1 free=9 -> none
    complete w1 r1
    complete w1 r3
    claim w1 free=9 -> r4`,

  "a lost lease frees its key": `
    worker w1
    worker w2
    submit r1 key=k max_attempts=1
    submit r2 key=k
    claim w1 -> r1
    claim w2 -> none
    tick 61s
    sweep
    show r1 -> failed
    claim w2 -> r2`,

  "a taken key hides nobody else's work": `
    worker w1
    submit r1 key=k
    claim w1 -> r1
    submit r2 key=k priority=99
    submit r3 priority=0
    claim w1 -> r3`,

  "the same key in another project is another key": `
    worker w1
    elsewhere worker w1
    submit r1 key=k
    elsewhere submit r2 key=k
    claim w1 -> r1
    elsewhere claim w1 -> r2`,

  "a paused queue hands out nothing, others do": `
    worker w1
    submit r1 queue=slow
    submit r2
    pause slow -> paused
    pause slow -> paused
    claim w1 free=9 -> r2
    claim w1 -> none
    unpause slow -> resumed
    claim w1 -> r1`,

  "what is live in a paused queue goes on": `
    worker w1
    submit r1
    claim w1 -> r1
    pause default
    start w1 r1 -> running
    heartbeat w1 -> r1:ok
    complete w1 r1 -> completed`,

  "a stopped project gives back what is live, keeps its checkpoint, and claims nothing": `
    worker w1
    submit r1 max_attempts=1
    submit r2
    claim w1 -> r1
    start w1 r1
    stop -> stopped
    show r1 -> pending used=0 token=1
    attempts r1 -> 1:released:stopped:free
    complete w1 r1 -> refused stale_fencing_token
    heartbeat w1 -> r1:stale_fencing_token stop:r1
    claim w1 -> none
    submit r3 -> created
    sweep
    claim w1 -> none
    lift -> lifted
    claim w1 free=9 -> r1 r2 r3`,

  "a stop may also cancel what is live": `
    worker w1
    submit r1
    submit r2
    claim w1 -> r1
    stop cancel_live -> stopped
    show r1 -> cancelled
    show r2 -> pending
    lift
    claim w1 free=9 -> r2`,

  "a stop of one project is none of another's business": `
    elsewhere worker w1
    elsewhere submit r1
    stop
    elsewhere claim w1 -> r1`,

  "a worker claims for the runners it has": `
    worker w1
    submit r1 runner=review
    claim w1 -> none
    claim w1 runners=review -> r1`,

  "capabilities are required of the runtime, not of the claim": `
    worker w1
    worker w2 capabilities=gpu,net
    submit r1 requires=gpu
    claim w1 -> none
    claim w2 -> r1
    submit r2 requires=gpu,moon
    claim w2 -> none
    worker w2 capabilities=gpu,moon
    claim w2 -> r2`,

  "a run that names an agent waits for it; a worker takes one run per free place of an agent": `
    worker w1
    worker w2
    submit r1 agent=ada
    submit r2
    submit r3
    claim w2 agents=bob free=9 -> r2 token=1 agent=bob
    claim w1 agents=ada:1 free=9 -> r1 token=1 agent=ada
    claim w1 agents=ada:0,bob:5 free=9 -> r3 agent=bob`,

  "a run that names a runtime waits for it": `
    worker w1
    worker w2
    submit r1 runtime=w2
    claim w1 -> none
    claim w2 -> r1`,

  "a claim may serve some queues only": `
    worker w1
    submit r1 queue=a
    submit r2 queue=b
    claim w1 queues=b free=9 -> r2
    claim w1 queues=c free=9 -> none`,

  "a draining worker and an unknown one take nothing": `
    worker w1
    submit r1
    claim nobody -> refused runtime_unknown
    worker w1 state=draining -> draining
    claim w1 -> refused runtime_draining
    worker w1 -> online
    claim w1 -> r1`,
};

test.each(Object.entries(stories))("%s", async (_, story) => tell(stage, story));
