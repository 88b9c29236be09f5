// Stories of outages: nobody was up for a time. Live leases are extended before any is taken back,
// and what is lost nevertheless costs nothing. (An engine of its own: it remembers its outages.)
import { test } from "vitest";
import { useStage } from "./stage.ts";
import { tell } from "./stories.ts";

const stage = useStage();

const stories: Record<string, string> = {
  "an outage of the house extends live leases by its length and costs nothing": `
    worker w1
    submit r1 max_attempts=1
    claim w1 lease=60s -> r1
    start w1 r1
    sweep
    outage 90s
    sweep
    show r1 -> running used=1 token=1
    heartbeat w1 -> r1:ok
    complete w1 r1 -> completed used=1 token=1`,

  "a lease lost to an outage longer than a lease is given back": `
    worker w1
    submit r1 max_attempts=1
    claim w1 lease=60s -> r1
    sweep
    outage 300s
    sweep
    tick 61s
    sweep
    show r1 -> pending used=0 token=1 wait=none
    attempts r1 -> 1:lost:outage:free
    claim w1 -> r1 token=2`,

  "everything that was live goes on; a cancel's grace and a deadline do not wait": `
    worker w1
    submit r1
    submit r2
    submit r3 deadline=50s
    claim w1 free=3 lease=60s -> r1 r2 r3
    cancel r2 -> claimed
    sweep
    outage 100s
    sweep
    show r1 -> claimed used=1
    show r2 -> cancelled
    show r3 -> timeout`,
};

test.each(Object.entries(stories))("%s", async (_, story) => tell(stage, story));
