// What a page does when the world around it changes: the server restarts or is away, the key is
// revoked, another project lives next door.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Browser, Page } from "playwright-core";
import { Worker } from "@signalbox/sdk/worker";
import type { Attempt } from "@signalbox/sdk/worker";
import { until } from "./fleet.ts";
import { openHouse } from "./house.ts";
import type { House } from "./house.ts";
import { hasBrowser, loaded, openBrowser, openPage, signInWith } from "./stage.ts";
import type { Watched } from "./stage.ts";

/** A page goes on within the longest wait between two tries (5 s), plus a slow machine. */
const patient = { timeout: 40_000 };

// There is no page without a browser.
describe.skipIf(!hasBrowser)("a page and the world around it", () => {
  let house: House;
  let browser: Browser;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    house = await openHouse();
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await house?.close();
  });
  beforeEach(async () => {
    watched = await openPage({ browser, url: house.url }, { reducedMotion: "reduce" });
    ({ page } = watched);
  });
  afterEach(async () => {
    expect(await watched.faults()).toEqual([]);
    await page.context().close();
  });

  const live = (one: Page) => one.getByText("live", { exact: true });

  /** A run under way, and how to say something in it. */
  const running = async () => {
    const [{ client }] = house.neighbours;
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    let begin = (_attempt: Attempt): void => {};
    const started = new Promise<Attempt>((resolve) => (begin = resolve));
    const options = { agents: ["keeper"], runtime: "keeper@host-1", leaseS: 600 };
    const worker = new Worker(client, { ...options, signals: false, onError: () => {} });
    worker.handle(async (attempt: Attempt) => {
      begin(attempt);
      await held;
      return null;
    });
    await worker.start();
    const { id } = await client.runs.submit({ agent: "keeper", metadata: { title: "Long one" } });
    const attempt = await started;
    const end = async (): Promise<void> => {
      letGo();
      await worker.stop({ drainMs: 0 });
    };
    return { id, attempt, end, client };
  };

  test("a restart in the middle: the page goes on by itself, nothing lost or twice", async () => {
    const { id, attempt, end, client } = await running();
    await signInWith(house.neighbours[0].key, page, `/runs/${id}`);
    await attempt.log("said before");
    await page.getByText("said before").waitFor();
    const other = await page.context().newPage();
    await other.goto("/runs"); // by the session of the first page
    await other.getByText("Long one").waitFor();

    await house.down();
    await page.getByText("server away").waitFor(patient);
    await page.getByText("The server does not answer.").waitFor(patient);
    await page.getByText("signalbox doctor").waitFor();
    // What was there stays there.
    expect(await page.getByText("said before").count()).toBe(1);
    const said = Array.from({ length: 30 }, (_, n) => attempt.log(`said while away, ${n};`));
    await house.up();
    await Promise.all(said);
    await attempt.log("said after");

    await page.getByText("said after").waitFor(patient);
    await live(page).waitFor(patient);
    await page.getByText("The server does not answer.").waitFor({ state: "detached", ...patient });
    await page.getByRole("textbox", { name: "Search the log" }).fill("said while away");
    for (let n = 0; n < 30; n += 1) {
      await expect.poll(() => page.getByText(`said while away, ${n};`).count()).toBe(1);
    }
    await client.runs.submit({ metadata: { title: "Submitted after the restart" } });
    await other.getByText("Submitted after the restart").waitFor(patient);
    await end();
    await until(client, id, ({ state }) => state === "completed");
    await page.getByText("completed", { exact: true }).first().waitFor(patient);
  });

  test("a server that is away says so on every screen, and what was seen stays", async () => {
    await signInWith(house.neighbours[0].key, page, "/runs");
    await loaded(page);
    await live(page).waitFor();
    await house.down();
    await page.getByText("The server does not answer.").waitFor(patient);
    const rows = await page.locator("[data-item]").count();
    expect(rows).toBeGreaterThan(0);
    await page.getByRole("link", { name: "Fleet" }).click();
    await page.getByText("The server does not answer").first().waitFor(patient);
    await house.up();
    await live(page).waitFor(patient);
    await page.getByText("The server does not answer").waitFor({ state: "detached", ...patient });
    await page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
    await page.getByText("keeper").first().waitFor(patient);
  });

  test("two projects side by side see their own, at first and live", async () => {
    const [harbour, orchard] = house.neighbours;
    const next = await openPage({ browser, url: house.url }, { reducedMotion: "reduce" });
    await harbour.client.runs.submit({ metadata: { title: "Only of the harbour" } });
    await orchard.client.runs.submit({ metadata: { title: "Only of the orchard" } });
    await signInWith(harbour.key, page, "/runs");
    await signInWith(orchard.key, next.page, "/runs");
    await page.getByText("Only of the harbour").waitFor();
    await next.page.getByText("Only of the orchard").waitFor();
    await live(page).waitFor();
    await live(next.page).waitFor();
    await harbour.client.runs.submit({ metadata: { title: "Live in the harbour" } });
    await orchard.client.runs.submit({ metadata: { title: "Live in the orchard" } });
    await page.getByText("Live in the harbour").waitFor(patient);
    await next.page.getByText("Live in the orchard").waitFor(patient);
    const words = (one: Page): Promise<string> => one.locator("#root").innerText();
    expect(await words(page)).not.toContain("orchard");
    expect(await words(next.page)).not.toContain("harbour");
    expect(await next.faults()).toEqual([]);
    await next.page.context().close();
  });

  test("a key that is revoked in the middle opens nothing more, and the page says so", async () => {
    const [{ client }] = house.neighbours;
    const made = await client.keys.create({ name: "for an hour", roles: ["operator"] });
    await signInWith(made.key, page, "/runs");
    await loaded(page);
    await client.keys.revoke(made.id);
    // The page hears of it at once: what it asks then is refused.
    await page.getByText("Your session has ended.").waitFor(patient);
    await page.getByRole("textbox", { name: "Key" }).waitFor();
    expect(new URL(page.url()).pathname).toBe("/runs");
  });
});
