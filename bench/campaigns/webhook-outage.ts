// The receiver of a webhook goes away under load and comes back: every event arrives, signed, in
// order per run or marked, and no submit waited for it.
// Promises: load goes on all the time; what must have arrived is read from the register; the
// receiver checks signatures and bodies with packages that others made.
// Leaves to others: receivers that answer wrongly (tests of the engine), several servers (tests).

import type { Campaign, House } from "../stage/campaign.ts";
import { inOneHouse, never, sound } from "../stage/campaign.ts";
import type { Measured } from "../stage/figures.ts";
import { disordered, Hook } from "../stage/hook.ts";
import { Load } from "../stage/load.ts";
import { allEnded } from "../stage/submit.ts";
import { sleep, until } from "../stage/until.ts";
import { Wire } from "../stage/wire.ts";

const ARRIVE_MS = 300_000;
const LEASE_MS = 20_000;

/** Events that the webhook wants, from its first one on. */
const wanted = `
  select e.feed::integer as feed from signalbox.event e
  where e.stream = 'run' and e.feed > $1
    and (e.type like 'run.%' or exists (select from unnest(e.also) as a where a like 'run.%'))
  order by e.feed`;
const pending = `
  select count(*)::integer + (select count(*)::integer from signalbox.webhook w
      join signalbox.feed_counter f on f.project_id = w.project_id and f.n > w.cursor
      where w.disabled_at is null and w.deleted_at is null) as n
  from signalbox.delivery d where d.state = 'pending'`;
const cursor = "select max(w.cursor)::integer as n from signalbox.webhook w";

async function repetition({ stage, server, register }: House, n: number): Promise<Measured> {
  const queue = `webhook-outage-${n}`;
  const hook = await Hook.open(stage);
  const owner = new Wire({ url: server.url, key: server.credentials.ownerKey });
  const body = { url: hook.url, types: ["run.*"], allow_private: true };
  const made = await owner.must<{ id: string; secret: string }>("POST /v1/webhooks", { body });
  hook.secret = made.secret;
  const [first] = await register.rows<{ n: number }>(cursor);
  const load = new Load({
    queue,
    seed: stage.options.seed + n,
    submitters: 2,
    workers: 3,
    leaseMs: LEASE_MS,
    thinkMs: 100,
    wire: (name) => server.wire(name, false),
  });
  stage.beforehand(() => load.halt());
  await sleep(1000);
  await hook.away();
  const before = load.promised.submits.length;
  await sleep(stage.size(300_000, 4000));
  const whileAway = load.promised.submits.length - before;
  const heard = hook.arrivals.length;
  await hook.back();
  const backAt = performance.now();
  await until("the first delivery after the outage", () => hook.arrivals.length > heard, {
    limitMs: 60_000,
  });
  const foundMs = performance.now() - backAt;
  await sleep(1000);
  await load.stopSubmitting();
  await allEnded(register, queue, 120_000);
  await load.stop();
  const isDone = async (): Promise<boolean> =>
    (await register.rows<{ n: number }>(pending))[0]?.n === 0;
  await until("the last delivery", isDone, { limitMs: ARRIVE_MS });
  const caughtUpMs = performance.now() - backAt;
  const events = await register.rows<{ feed: number }>(wanted, [first?.n ?? 0]);
  const arrived = new Set(hook.arrivals.map(({ feed }) => feed));
  const known = new Set(events.map(({ feed }) => feed));
  await owner.must(`POST /v1/webhooks/${made.id}/delete`, { body: {} });
  return {
    events: events.length,
    submits_while_away: whileAway,
    lost: events.filter(({ feed }) => !arrived.has(feed)).length,
    never_committed: hook.arrivals.filter(({ feed }) => !known.has(feed)).length,
    badly_signed: hook.arrivals.filter(({ signed }) => !signed).length,
    not_cloudevents: hook.arrivals.filter(({ valid }) => !valid).length,
    out_of_order_unsaid: disordered(hook.arrivals).length,
    out_of_order_said: hook.arrivals.filter(({ marked }) => marked).length,
    more_than_once: hook.arrivals.length - new Set(hook.arrivals.map(({ id }) => id)).size,
    found_up_ms: foundMs,
    caught_up_ms: caughtUpMs,
    arrived_per_s: ((hook.arrivals.length - heard) * 1000) / caughtUpMs,
  };
}

export const webhookOutage: Campaign = {
  name: "webhook-outage",
  step: "step-4",
  row: "the receiver of a webhook is away for five minutes under load",
  asked: [
    "every event at least once, signed (`standardwebhooks`), a CloudEvent (`cloudevents`)",
    "in order per run or marked; submits go on",
  ].join(", "),
  reps: 1,
  quickReps: 1,
  limitS: 1_200,
  figures: {
    events: { unit: "", least: 10, headline: true },
    submits_while_away: { unit: "", least: 10, headline: true },
    lost: { ...never, headline: true },
    never_committed: { ...never, headline: true },
    badly_signed: { ...never, headline: true },
    not_cloudevents: { ...never, headline: true },
    out_of_order_unsaid: { ...never, headline: true },
    out_of_order_said: { unit: "" },
    more_than_once: { unit: "" },
    found_up_ms: { unit: "ms", most: 45_000, timed: true, headline: true },
    caught_up_ms: { unit: "ms", most: ARRIVE_MS, timed: true },
    arrived_per_s: { unit: "/s", timed: true },
    ...sound,
  },
  open: inOneHouse(repetition),
};
