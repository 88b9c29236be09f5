// The page of a run that has said much and was tried twice: its log in any place, what is looked
// for in it, attempts side by side, who did what, everything as a file.

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Claim, EventSubmission } from "@signalbox/sdk";
import type { Page } from "playwright-core";
import { ask, submitted } from "../../server/test/http/scene.ts";
import { hasBrowser, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

const LINES = 5_000;

/** A worker of curl: what the second attempt of the run says. */
type Talk = {
  readonly id: string;
  readonly say: (events: readonly EventSubmission[]) => Promise<void>;
};

const line = (text: string, more: object = {}): EventSubmission => ({
  type: "log.line",
  data: { text, ...more },
});

async function talkative({ scene }: Stage): Promise<Talk> {
  const { app, keys } = scene;
  const work = async (as: string, path: string, body: object): Promise<{ claims: Claim[] }> => {
    const reply = await ask(app, as, path, { body });
    if (reply.status >= 300) throw new Error(`${path}: ${reply.text}`);
    return reply.body;
  };
  await work(keys.worker, "PUT /v1/runtimes/host-1", {});
  const backoff = { base_ms: 800, jitter: 0 };
  const run = { queue: "talk", max_attempts: 3, backoff, metadata: { title: "Talks much" } };
  const { id } = await submitted(scene, run);
  const claim = async (agent: string) => {
    const asked = { runtime: "host-1", agents: [{ name: agent }], queues: ["talk"] };
    const more = { free: 1, lease_ms: 600_000, wait_ms: 20_000 };
    const { claims } = await work(keys.worker, "POST /v1/claims", { ...asked, ...more });
    const [one] = claims as [Claim];
    const fence = { attempt_id: one.attempt_id, fencing_token: one.fencing_token };
    return (verb: string, body: object = {}) =>
      work(one.attempt_key, `POST /v1/runs/${id}/${verb}`, { ...fence, ...body });
  };
  const first = await claim("ada");
  await first("start");
  const error = { code: "E-TRIED", message: "the first try broke" };
  await first("fail", { error, retryable: true });
  const second = await claim("bob");
  await second("start");
  const say = async (events: readonly EventSubmission[]): Promise<void> => {
    await second("events", { events });
  };
  for (let n = 0; n < LINES; n += 500) {
    const lines = Array.from({ length: 500 }, (_, at) => line(`line ${n + at + 1} of many`));
    if (n === 500) lines[250] = line('Needle in "quotes"', { stream: "stderr" });
    await say(lines);
  }
  const usage = { model: "opus", input_tokens: 1_234, cost_micros: 5_000 };
  await say([{ type: "usage.recorded", producer_seq: 1, usage }]);
  return { id, say };
}

const frame = "new Promise((drawn) => requestAnimationFrame(drawn))";

// There is no page without a browser.
describe.skipIf(!hasBrowser)("the page of a run", () => {
  let stage: Stage;
  let talk: Talk;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    talk = await talkative(stage);
  }, 60_000);
  afterAll(async () => {
    await stage?.close();
  });
  beforeEach(async () => {
    watched = await openPage(stage, { reducedMotion: "reduce" });
    ({ page } = watched);
    await signIn(stage, page, `/runs/${talk.id}`);
    await log().getByText(`line ${LINES} of many`).waitFor();
  });
  afterEach(async () => {
    expect(await watched.faults()).toEqual([]);
    await page.context().close();
  });

  const log = () => page.getByRole("region", { name: "Log", exact: true });
  const button = (name: string | RegExp) => page.getByRole("button", { name });
  const held = () => page.getByText(/held, of|of [\d ,.]+ events/).textContent();
  /** Scrolls by steps until a line is there. Each step is drawn before the next: none is missed. */
  const scrollTo = async (text: string, by: number): Promise<void> => {
    await expect
      .poll(
        async () => {
          await log().evaluate((box, step) => box.scrollBy(0, step), by);
          for (let frames = 0; frames < 3; frames += 1) await page.evaluate(frame);
          return log().getByText(text, { exact: true }).count();
        },
        { timeout: 60_000, interval: 1 },
      )
      .toBe(1);
  };

  test("a long log is followed at its end, and read back", { timeout: 180_000 }, async () => {
    expect(await page.getByLabel("Follow").isChecked()).toBe(true);
    // Only what is near is there: neither in the page nor in its memory.
    expect(await log().locator("[data-seq]").count()).toBeLessThan(100);
    expect(await held()).toMatch(/500 held, of/);
    await log().focus();
    await page.keyboard.press("PageUp");
    await expect.poll(() => page.getByLabel("Follow").isChecked()).toBe(false);
    await scrollTo(`line ${LINES - 1_200} of many`, -300);
    await button("To the beginning").click();
    await log().getByText("line 1 of many", { exact: true }).waitFor();
    await log()
      .getByText(/run.submitted/)
      .waitFor();
    await scrollTo("line 1200 of many", 300);
    await page.getByLabel("Follow").check();
    await log().getByText(`line ${LINES} of many`).waitFor();
    await talk.say([line("and then one more")]);
    await log().getByText("and then one more").waitFor();
  });

  test("a search finds over the whole run, with what comes after it", async () => {
    const field = page.getByRole("textbox", { name: "Search the log" });
    await field.fill('NEEDLE IN "');
    await log().getByText('Needle in "quotes"').waitFor();
    await expect.poll(held).toMatch(/^1 of /);
    await talk.say([line("not that"), line('another needle in "sight"')]);
    await log().getByText('another needle in "sight"').waitFor();
    expect(await log().getByText("not that").count()).toBe(0);
    await field.fill("of no such thing");
    await expect.poll(held).toMatch(/^0 of /);
    await field.fill("");
    await log().getByText("not that").first().waitFor();
    await page.getByLabel("Level").selectOption("trouble");
    await log().getByText('Needle in "quotes"').waitFor();
    await expect.poll(held).toMatch(/^1 of /);
  });

  test("pausing holds the screen, and going on shows what came meanwhile", async () => {
    await button("Pause").click();
    await talk.say(Array.from({ length: 7 }, (_, n) => line(`while paused ${n}`)));
    await button(/^Go on \(7 new\)$/).waitFor();
    expect(
      await log()
        .getByText(/while paused/)
        .count(),
    ).toBe(0);
    await button(/^Go on/).click();
    await log().getByText("while paused 6").waitFor();
    expect(await button(/^Go on/).count()).toBe(0);
  });

  test("everything can be had as a file, as lines and as the server has it", async () => {
    const { last_seq: last } = await stage.client.runs.get(talk.id);
    const taken = async (name: string): Promise<string[]> => {
      const downloading = page.waitForEvent("download");
      await button(name).click();
      const path = await (await downloading).path();
      return readFileSync(path, "utf8").trimEnd().split("\n");
    };
    const lines = await taken("Download");
    expect(lines.length).toBe(Number(last));
    expect(lines.filter((text) => text.endsWith(" of many"))).toHaveLength(LINES - 1);
    await page.getByRole("tab", { name: "Events" }).click();
    const events = (await taken("Download as JSON lines")).map(
      (text) => (JSON.parse(text) as { seq: string }).seq,
    );
    expect(events).toEqual(Array.from({ length: Number(last) }, (_, n) => String(n + 1)));
  });

  test("events as they are come a page at a time, and new ones when asked for", async () => {
    await page.getByRole("tab", { name: "Events" }).click();
    const shown = page.locator(".sb-raw");
    await expect.poll(() => shown.count(), { timeout: 15_000 }).toBe(100);
    await button(/older$/).click();
    await expect.poll(() => shown.count(), { timeout: 15_000 }).toBe(200);
    // By its number: the rest of a row says how long ago, which changes by itself.
    const first = async (): Promise<number> =>
      Number(await shown.first().locator("summary code").textContent());
    const newest = await first();
    await talk.say([line("raw and new")]);
    await button("Show 1 new").click();
    // The row that was the first is not the one to open.
    await expect.poll(first, { timeout: 15_000 }).toBe(newest + 1);
    await shown.first().locator("summary").click();
    await page.getByText('"raw and new"').waitFor();
  });

  test("two attempts stand side by side, and what differs is said", async () => {
    await page.getByRole("tab", { name: "Attempts (2)" }).click();
    const table = page.getByRole("region", { name: "Two attempts side by side" });
    const row = (name: string) => table.getByRole("row").filter({ hasText: name });
    await row("Agent").getByText("differs").waitFor();
    expect(await row("Agent").textContent()).toBe("Agentadabobdiffers");
    expect(await row("Runtime").textContent()).toBe("Runtimehost-1host-1same");
    await row("Error").getByText("E-TRIED: the first try broke").waitFor();
    await page.getByLabel("Left attempt").selectOption("2");
    await expect.poll(() => row("Agent").textContent()).toBe("Agentbobbobsame");
  });

  test("who did what, what it consumed, and how long it waited", async () => {
    await page.getByRole("tab", { name: "Who did what" }).click();
    const history = page.getByRole("region", { name: "Who did what" });
    await history
      .getByText(/run.requeued/)
      .first()
      .waitFor();
    const moves = await history.getByRole("row").count();
    expect(moves).toBeLessThan(20);
    await page.getByRole("tab", { name: "Usage" }).click();
    const usage = page.getByRole("region", { name: "Usage by model" });
    await usage.getByRole("row").filter({ hasText: "opus" }).waitFor();
    await expect.poll(() => usage.textContent()).toMatch(/opus1[ ,.]?234/);
    const waits = page.getByRole("list").filter({ hasText: /waited/ });
    await waits.first().waitFor({ state: "attached" });
  });
});
