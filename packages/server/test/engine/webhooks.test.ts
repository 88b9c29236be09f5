// Webhooks as they leave the house: what is delivered, signed how, in which order, and what becomes
// of it when receivers fail, hang, lie, or a server dies in between.
import { CloudEvent, HTTP } from "cloudevents";
import { verifyWebhook } from "@signalbox/sdk";
import type { Delivery, WebhookInput, WebhookWithSecret } from "@signalbox/sdk";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { fromTypeId } from "../../src/std/ids.ts";
import { cleanOutbox } from "../../src/store/house/outbox.ts";
import { withClient } from "../setup/database.ts";
import { must } from "../http/scene.ts";
import { newRunOf, origin } from "./fixtures.ts";
import type { Received, Receiver } from "./receiver.ts";
import { useReceivers } from "./receiver.ts";
import { useStage } from "./stage.ts";

const stage = useStage();
const receiver = useReceivers();

type Hooked = {
  projectId: string;
  at: Receiver;
  hook: WebhookWithSecret;
  /** UUID of the webhook. */
  id: string;
  submit: (parts?: Parameters<typeof newRunOf>[0]) => Promise<string>;
  /** Rounds until nothing is due any more. */
  deliver: () => Promise<void>;
  deliveries: () => Promise<Delivery[]>;
};

async function hooked(input: Partial<WebhookInput> = {}): Promise<Hooked> {
  const projectId = await stage.project();
  const at = await receiver();
  const hook = await hookAt(projectId, at.url, input);
  const id = fromTypeId("whk", hook.id) as string;
  return {
    projectId,
    at,
    hook,
    id,
    submit: async (parts = {}) => {
      const [result] = await stage.engine.submit(projectId, [newRunOf(parts)], origin);
      if (result === undefined || "refused" in result) throw new Error("not submitted");
      return result.run.id;
    },
    deliver: async () => {
      for (let before = -1; before !== at.got.length;) {
        before = at.got.length;
        await stage.engine.parts.deliveries().once();
      }
    },
    deliveries: async () => {
      const page = { limit: 100, cursor: null, webhookId: id, state: null };
      return (await stage.engine.deliveries(projectId, page))?.items ?? [];
    },
  };
}

async function hookAt(
  projectId: string,
  url: string,
  input: Partial<WebhookInput> = {},
): Promise<WebhookWithSecret> {
  const asked = { url, allow_private: true, ...input };
  return must(await stage.engine.createWebhook(projectId, { input: asked, owner: true, origin }));
}

const cancel = (projectId: string, runId: string): Promise<unknown> =>
  stage.engine.cancel(
    projectId,
    fromTypeId("run", runId) as string,
    { reason: null, cascade: false },
    origin,
  );
const types = (got: readonly Received[]): string[] => got.map(({ event }) => event.type);
const header = ({ headers }: Received, name: string): string => String(headers[name]);

test("every committed event that matches is delivered once and in order", async () => {
  const projectId = await stage.project();
  await stage.engine.submit(projectId, [newRunOf()], origin);
  const at = await receiver();
  await hookAt(projectId, at.url, { types: ["run.*"] });
  const [made] = await stage.engine.submit(projectId, [newRunOf()], origin);
  if (made === undefined || "refused" in made) throw new Error("not submitted");
  await cancel(projectId, made.run.id);
  for (let n = 0; n < 4; n++) await stage.engine.parts.deliveries().once();
  expect(at.got.map(({ event }) => [event.type, event.subject])).toEqual([
    ["run.submitted", made.run.id],
    ["run.cancelled", made.run.id],
  ]);
});

test("the body is a CloudEvent that another package reads, with its place", async () => {
  const { at, submit, deliver, projectId } = await hooked({ types: ["run.*"] });
  const runId = await submit();
  await deliver();
  const [got] = at.got as [Received];
  const read = HTTP.toEvent({ headers: got.headers, body: got.body });
  if (Array.isArray(read)) throw new Error("one event was sent, not a batch");
  const event = new CloudEvent({ ...read });
  expect(event.validate()).toBe(true);
  expect(event.type).toBe("run.submitted");
  expect(event.subject).toBe(runId);
  expect(event["stream"]).toBe("run");
  expect(event["seq"]).toBe("1");
  const rows = await stage.engine.projectEvents(projectId, { afterFeed: 0, limit: 100 });
  const stored = rows.items.find((one) => one.type === "run.submitted");
  expect(event["feed"]).toBe(stored?.feed);
  expect(event.id).toBe(stored?.id);
  expect(event.data).toEqual({ ...stored, project: got.event.projectid });
});

describe("signatures", () => {
  test("verify with another package and with the SDK; a changed body does not", async () => {
    const { at, hook, submit, deliver } = await hooked({ types: ["run.*"] });
    await submit();
    await deliver();
    const [got] = at.got as [Received];
    const headers = got.headers as Record<string, string>;
    const verifier = new StandardWebhook(hook.secret);
    expect(verifier.verify(got.body, headers)).toEqual(got.event);
    expect(await verifyWebhook(got.headers, got.body, hook.secret)).toEqual(got.event);
    const changed = got.body.replace("run.submitted", "run.completed");
    expect(() => verifier.verify(changed, headers)).toThrow("No matching signature");
    await expect(verifyWebhook(got.headers, changed, hook.secret)).rejects.toThrow("no signature");
  });

  test("what is replayed six minutes later, or comes from the future, is refused", async () => {
    const { at, hook, submit, deliver } = await hooked({ types: ["run.*"] });
    await submit();
    await deliver();
    const [got] = at.got as [Received];
    const sentMs = Number(header(got, "webhook-timestamp")) * 1000;
    const late = { now: sentMs + 360_000 };
    const early = { now: sentMs - 360_000 };
    const verify = (options: { now: number }): Promise<unknown> =>
      verifyWebhook(got.headers, got.body, hook.secret, options);
    await expect(verify(late)).rejects.toThrow("too old");
    await expect(verify(early)).rejects.toThrow("future");
    await expect(verify({ now: sentMs + 200_000 })).resolves.toEqual(got.event);
  });

  test("while a secret is rotated both sign; without overlap only the new one does", async () => {
    const { at, hook, id, projectId, submit, deliver } = await hooked({ types: ["run.*"] });
    const ref = { projectId, id };
    const rotate = async (overlapS: number): Promise<string> =>
      must(await stage.engine.rotateWebhook(ref, { overlapS, origin })).secret;
    const second = await rotate(3600);
    await submit();
    await deliver();
    const [both] = at.got as [Received];
    expect(header(both, "webhook-signature").split(" ")).toHaveLength(2);
    for (const secret of [hook.secret, second]) {
      expect(await verifyWebhook(both.headers, both.body, secret)).toEqual(both.event);
    }
    const third = await rotate(0);
    await submit();
    await deliver();
    const last = at.got.at(-1) as Received;
    expect(await verifyWebhook(last.headers, last.body, third)).toEqual(last.event);
    await expect(verifyWebhook(last.headers, last.body, second)).rejects.toThrow("no signature");
  });
});

test("a try that failed comes again after its wait, with the same id", async () => {
  const { at, submit, deliver, deliveries } = await hooked({ types: ["run.*"] });
  at.answer = () => 503;
  await submit();
  await deliver();
  expect(at.got).toHaveLength(1);
  at.answer = () => 200;
  stage.tick(1100);
  await deliver();
  expect(at.got).toHaveLength(2);
  const ids = at.got.map((got) => header(got, "webhook-id"));
  expect(new Set(ids).size).toBe(1);
  expect(await deliveries()).toMatchObject([
    { id: ids[0], state: "delivered", tries: 2, status: 200, excerpt: "noted", error: null },
  ]);
});

describe("order", () => {
  test("of one run, later events wait for the first; another run does not", async () => {
    const { at, projectId, submit, deliver } = await hooked({ types: ["run.*"] });
    const stuck = await submit();
    await cancel(projectId, stuck);
    const other = await submit();
    at.answer = ({ event }) => (event.subject === stuck ? 500 : 200);
    await deliver();
    const seen = at.got.map(({ event }) => [event.subject, event.type]);
    expect(seen).toContainEqual([stuck, "run.submitted"]);
    expect(seen).toContainEqual([other, "run.submitted"]);
    expect(seen).not.toContainEqual([stuck, "run.cancelled"]);
    at.answer = () => 200;
    stage.tick(1100);
    await deliver();
    const own = at.got.filter(({ event }) => event.subject === stuck);
    expect(types(own)).toEqual(["run.submitted", "run.submitted", "run.cancelled"]);
    expect(own.some(({ event }) => event.outoforder)).toBe(false);
  });

  test("after five failed tries an event steps aside and later ones say out_of_order", async () => {
    const { at, projectId, submit, deliver, deliveries } = await hooked({ types: ["run.*"] });
    at.answer = ({ event }) => (event.type === "run.submitted" ? 500 : 200);
    const runId = await submit();
    await cancel(projectId, runId);
    for (let n = 0; n < 5; n++) {
      await deliver();
      stage.tick(400_000);
    }
    expect(types(at.got).filter((type) => type === "run.submitted")).toHaveLength(5);
    await deliver();
    const last = at.got.find(({ event }) => event.type === "run.cancelled") as Received;
    expect(last.event.outoforder).toBe(true);
    expect(last.event.data).toMatchObject({ out_of_order: true });
    const aside = (await deliveries()).find(({ type }) => type === "run.submitted");
    expect(aside).toMatchObject({ state: "pending", aside: true });
    at.answer = () => 200;
    stage.tick(1_000_000);
    await deliver();
    expect((at.got.at(-1) as Received).event).toMatchObject({
      type: "run.submitted",
      outoforder: true,
    });
  });
});

test("a webhook that failed for a day is disabled, and goes on where it stopped", async () => {
  const { at, id, projectId, submit, deliver } = await hooked({ types: ["run.*"] });
  at.answer = () => 500;
  await submit();
  await deliver();
  stage.tick(24 * 3_600_000 + 1000);
  await deliver();
  const off = await stage.engine.webhook(projectId, id);
  expect(off?.disabled_reason).toBe("every delivery has failed for 24 hours");
  const feed = await stage.engine.projectEvents(projectId, { afterFeed: 0, limit: 100 });
  expect(feed.items.at(-1)).toMatchObject({ type: "webhook.disabled", actor: "house" });
  at.answer = () => 200;
  const before = at.got.length;
  const missed = await submit();
  await deliver();
  expect(at.got).toHaveLength(before);
  const on = { reason: null, skipMissed: false, origin };
  must(await stage.engine.switchWebhook({ projectId, id }, on));
  stage.tick(1_000_000);
  await deliver();
  expect(at.got.slice(before).map(({ event }) => event.subject)).toContain(missed);
});

test("410 Gone disables a webhook at once", async () => {
  const { at, id, projectId, submit, deliver } = await hooked({ types: ["run.*"] });
  at.answer = () => 410;
  await submit();
  await deliver();
  const off = await stage.engine.webhook(projectId, id);
  expect(off?.disabled_reason).toBe("the endpoint answered 410 Gone");
});

test("a delivery is sent again with the same id; a test delivery has no event", async () => {
  const { at, id, projectId, submit, deliver, deliveries } = await hooked({ types: ["run.*"] });
  await submit();
  await deliver();
  const [sent] = (await deliveries()) as [Delivery];
  must(await stage.engine.redeliver(projectId, fromTypeId("dlv", sent.id) as string));
  await deliver();
  expect(at.got.map((got) => header(got, "webhook-id"))).toEqual([sent.id, sent.id]);
  must(await stage.engine.testWebhook(projectId, id));
  await deliver();
  expect((at.got.at(-1) as Received).event).toMatchObject({ type: "webhook.test" });
});

describe("hostile receivers", () => {
  test("a redirect is not followed", async () => {
    const { at, submit, deliver, deliveries } = await hooked({ types: ["run.*"] });
    const inside = await receiver();
    at.answer = () => (response) => response.writeHead(307, { location: inside.url }).end();
    await submit();
    await deliver();
    expect(inside.got).toEqual([]);
    const error = "answered 307; redirects are not followed";
    expect(await deliveries()).toMatchObject([{ state: "pending", status: 307, error }]);
  });

  test("of a huge answer 4 KiB are kept, and what cannot be stored is replaced", async () => {
    const { at, submit, deliver, deliveries } = await hooked({ types: ["run.*"] });
    at.answer = () => (response) => {
      response.writeHead(200);
      response.on("error", () => {});
      response.end(`\u0000${"x".repeat(5_000_000)}`);
    };
    await submit();
    await deliver();
    const [one] = (await deliveries()) as [Delivery];
    expect(one.state).toBe("delivered");
    expect(one.excerpt).toMatch(/^␀x+$/);
    expect(one.excerpt).toHaveLength(4096);
  });

  test("one that hangs up is a failure, and the next try succeeds", async () => {
    const { at, submit, deliver, deliveries } = await hooked({ types: ["run.*"] });
    at.answer = () => (response) => response.destroy();
    await submit();
    await deliver();
    expect(await deliveries()).toMatchObject([{ state: "pending", status: null, tries: 1 }]);
    at.answer = () => 200;
    stage.tick(1100);
    await deliver();
    expect(await deliveries()).toMatchObject([{ state: "delivered", tries: 2 }]);
  });
});

test("an endpoint that fails five times rests, and is found up again", async () => {
  const { at, submit, deliver, deliveries } = await hooked({ types: ["run.*"] });
  at.answer = () => 503;
  for (let n = 0; n < 12; n++) await submit();
  await deliver();
  const first = at.got.length;
  expect(first).toBeGreaterThanOrEqual(5);
  expect(first).toBeLessThanOrEqual(8);
  stage.tick(60_000);
  await stage.engine.parts.deliveries().once();
  expect(at.got).toHaveLength(first + 1);
  at.answer = () => 200;
  stage.tick(60_000);
  await deliver();
  expect((await deliveries()).filter(({ state }) => state === "delivered")).toHaveLength(12);
});

test("a server that dies between sending and marking: it comes again with its id", async () => {
  const { at, id, projectId, submit, deliver } = await hooked({ types: ["run.*"] });
  await submit();
  // What a dead server leaves: the receiver has it, the row is leased and unmarked.
  at.answer = () => (response) => {
    void withClient(stage.database.connection, async (client) => {
      await client.query(
        "update signalbox.delivery set leased_by = gen_random_uuid() where webhook_id = $1",
        [id],
      );
    }).then(() => response.writeHead(200).end());
  };
  await deliver();
  expect(at.got).toHaveLength(1);
  at.answer = () => 200;
  await deliver();
  expect(at.got).toHaveLength(1);
  stage.tick(31_000);
  await deliver();
  expect(at.got.map((got) => header(got, "webhook-id"))).toEqual(
    Array.from({ length: 2 }, () => header(at.got[0] as Received, "webhook-id")),
  );
  const page = { limit: 10, cursor: null, webhookId: id, state: "delivered" };
  expect((await stage.engine.deliveries(projectId, page))?.items).toHaveLength(1);
});

test("filters by agent and queue look at what the run was submitted for", async () => {
  const { at, submit, deliver } = await hooked({ types: ["run.submitted"], queue: "mail" });
  await submit({ queue: "mail" });
  await submit({ queue: "other" });
  await deliver();
  expect(at.got).toHaveLength(1);
  const agent = await hooked({ types: ["run.submitted"], agent: "writer" });
  await agent.submit({ agent: "reader" });
  const wanted = await agent.submit({ agent: "writer" });
  await agent.deliver();
  expect(agent.at.got.map(({ event }) => event.subject)).toEqual([wanted]);
});

test("no event of the register tells a secret or more of a URL than its host", async () => {
  const { hook, projectId, id } = await hooked({ url: "https://example.org/t0ken" });
  must(await stage.engine.rotateWebhook({ projectId, id }, { overlapS: 1, origin }));
  const text = JSON.stringify(
    await stage.engine.projectEvents(projectId, { afterFeed: 0, limit: 100 }),
  );
  expect(text).toContain("example.org");
  expect(text).not.toContain("t0ken");
  expect(text).not.toContain("whsec_");
  const shown = JSON.stringify(await stage.engine.webhooks(projectId, { limit: 10, cursor: null }));
  expect(shown).not.toContain(hook.secret.slice(6));
});

test("what a removed webhook had not delivered is forgotten, others keep theirs", async () => {
  const { at, id, projectId, submit, deliver } = await hooked({ types: ["run.*"] });
  const other = await hooked({ types: ["run.*"] });
  at.answer = () => 500;
  other.at.answer = () => 500;
  await submit();
  await other.submit();
  await deliver();
  must(await stage.engine.deleteWebhook({ projectId, id }, origin));
  await stage.engine.parts.house.within([], cleanOutbox);
  await withClient(stage.database.connection, async (client) => {
    const { rows } = await client.query<{ webhook_id: string }>(
      "select d.webhook_id from signalbox.delivery d where d.webhook_id = any ($1::uuid[])",
      [[id, other.id]],
    );
    expect(rows).toEqual([{ webhook_id: other.id }]);
  });
});
