// Stories of submitting: idempotency, bulk, references and cycles; and what explain says (in a
// stage whose time stands still, so that workers stay present).
import { test } from "vitest";
import { useStage } from "./stage.ts";
import { tell } from "./stories.ts";

const stage = useStage();

const stories: Record<string, string> = {
  "the same key and body are the same run, another body is refused": `
    submit r1 idempotency=K body=aa -> created
    submit r2 idempotency=K body=aa -> same r1
    submit r3 idempotency=K body=bb -> refused idempotency_mismatch
    submit r4 idempotency=L body=bb -> created
    elsewhere submit r5 idempotency=K body=bb -> created`,

  "a key stands for ever, whatever has become of its run": `
    worker w1
    submit r1 idempotency=K body=aa
    claim w1 -> r1
    complete w1 r1
    submit r2 idempotency=K body=aa -> same r1
    events r1 -> run.submitted run.claimed+attempt.spawning run.started+attempt.running \
      run.completed+attempt.completed`,

  "without a key every submission is a run of its own": `
    submit r1 body=aa -> created
    submit r2 body=aa -> created`,

  "items of one request may name each other": `
    worker w1
    bulk a b c after=b:#a;c:#b -> created | created | created
    claim w1 free=9 -> a
    complete w1 a
    claim w1 free=9 -> b
    complete w1 b
    claim w1 free=9 -> c`,

  "each item has its own result": `
    submit old
    bulk a b c after=a:#nowhere deadline=c:-5s -> refused unknown_dependency | created | refused \
      validation_failed
    show b -> pending`,

  "what depends on a refused item is refused too, for it could never start": `
    bulk a b c deadline=a:-5s after=b:#a;c:#b -> refused validation_failed | refused \
      validation_failed | refused validation_failed`,

  "a cycle is refused, whole; what is outside of it is not": `
    worker w1
    bulk a b c d after=a:#c;b:#a;c:#b -> refused dependency_cycle | refused dependency_cycle | \
      refused dependency_cycle | created
    bulk e after=e:#e -> refused dependency_cycle
    claim w1 free=9 -> d`,

  "one request, one key twice: one run": `
    bulk a b idempotency=a:K;b:K body=a:aa;b:aa -> created | same a
    bulk c d idempotency=c:L;d:L body=c:aa;d:bb -> created | refused idempotency_mismatch`,

  "a run of another project is no dependency": `
    elsewhere submit r1
    submit r2 after=r1 -> refused unknown_dependency`,

  "a deadline in the past, or before the run may begin, is refused": `
    submit r1 deadline=-1s -> refused validation_failed
    submit r2 deadline=+5s not_before=+6s -> refused validation_failed`,

  "explain: nobody there": `
    submit r1
    explain r1 -> no_agent`,

  "explain names everything that holds a run back, of the claim's own list": `
    worker w1 capabilities=net
    submit r1
    explain r1 -> no_free_slot
    submit r2
    explain r2 -> ahead
    submit r3 requires=gpu
    explain r3 -> no_capability
    submit r4 runner=review
    explain r4 -> no_runner
    submit r5 runtime=w9
    explain r5 -> no_runtime
    submit r6 not_before=+60s
    explain r6 -> not_due
    submit r7 after=r6
    explain r7 -> dependency
    pause default
    explain r1 -> queue_paused
    stop
    explain r7 -> project_stopped dependency queue_paused`,

  "explain of a key that is taken, and of runs that do not wait": `
    worker w1
    submit r1 key=k
    submit r2 key=k
    claim w1 free=9 -> r1
    explain r2 -> concurrency_key
    explain r1 -> claimed
    complete w1 r1
    explain r1 -> completed`,
};

test.each(Object.entries(stories))("%s", async (_, story) => tell(stage, story));
