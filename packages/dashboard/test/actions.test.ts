// What an operator does: each action in a real browser, and what the register says afterwards.

import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Page, Request } from "playwright-core";
import { makeFleet } from "./fleet.ts";
import type { Fleet } from "./fleet.ts";
import { hasBrowser, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

// There is nothing to click without a browser.
describe.skipIf(!hasBrowser)("actions", () => {
  let stage: Stage;
  let fleet: Fleet;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    fleet = await makeFleet(stage.client);
  });
  afterAll(async () => {
    await fleet?.end();
    await stage?.close();
  });
  beforeEach(async () => {
    watched = await openPage(stage, { reducedMotion: "reduce" });
    ({ page } = watched);
  });
  afterEach(async () => {
    expect(await watched.faults()).toEqual([]);
    await page.context().close();
  });

  const button = (name: string | RegExp) => page.getByRole("button", { name });
  const dialog = () => page.getByRole("dialog");
  /** Fills the reason and presses the button of the dialog. */
  const confirm = async (go: string, reason: string): Promise<void> => {
    await dialog().getByRole("textbox").fill(reason);
    await dialog().getByRole("button", { name: go }).click();
    await dialog().waitFor({ state: "detached" });
  };

  test("an agent is paused with a reason, and resumed", async () => {
    await signIn(stage, page);
    await button("Pause fixer").click();
    expect(await dialog().getByRole("button", { name: "Pause it" }).isDisabled()).toBe(true);
    await confirm("Pause it", "it breaks the build");
    await button("Resume fixer").waitFor();
    expect((await stage.client.agents.get("fixer")).pause_reason).toBe("it breaks the build");
    await button("Resume fixer").click();
    await button("Pause fixer").waitFor();
    expect((await stage.client.agents.get("fixer")).paused_at).toBeNull();
  });

  test("what was consumed is had as a file: the rows of the API", async () => {
    await signIn(stage, page, "/usage");
    const downloading = page.waitForEvent("download");
    await button("Export CSV").click();
    const file = await downloading;
    expect(file.suggestedFilename()).toMatch(/^usage-.+-\d{4}-\d\d-\d\d\.csv$/);
    const [heads, ...lines] = readFileSync(await file.path(), "utf8")
      .trimEnd()
      .split("\r\n");
    expect(heads).toMatch(/^day,agent,account,model,attempts,input_tokens,.*,cost_micros$/);
    const rows = await stage.client.usage.list({ from: "2020-01-01T00:00:00Z" });
    expect(lines).toHaveLength(rows.length);
    const opus = rows.find(({ model }) => model === "opus-5");
    const line = lines.find((one) => one.includes(",opus-5,"))?.split(",");
    expect(line?.[5]).toBe(String(opus?.usage.input_tokens));
  });

  test("filters stand in the address, and many runs are cancelled after a count", async () => {
    await signIn(stage, page, "/runs");
    await page.getByRole("textbox", { name: "Queue" }).fill("archive");
    await page.waitForURL("**/runs?queue=archive");
    await page.reload();
    await page.getByText("40 shown, that is all").waitFor();
    await button("Cancel all that match").click();
    await dialog().getByRole("heading", { name: "Cancel 40 runs" }).waitFor();
    const open = await stage.client.runs.list({ queue: "archive", state: "pending" });
    expect(open.items).toHaveLength(40);
    await confirm("Cancel 40 runs", "the archive is gone");
    await page.getByText("40 asked to stop, 0 were over, 0 refused").waitFor();
    const left = await stage.client.runs.list({ queue: "archive", state: "pending" });
    expect(left.items).toEqual([]);
    await page.getByRole("group", { name: "Runs by state" }).getByText("failed").click();
    await page.waitForURL("**state=failed**");
    await page.getByText("No run is like that").waitFor();
  });

  test("a run page shows what is said now, and kills", async () => {
    await signIn(stage, page, `/runs/${fleet.live}`);
    await page.getByText("14 files changed").waitFor();
    await fleet.say("one more thing, said just now");
    await page.getByText("one more thing, said just now").waitFor();
    await page.getByRole("textbox", { name: "Search the log" }).fill("just now");
    await page.getByText(/^1 of \d+ events/).waitFor();
    await page.getByRole("textbox", { name: "Search the log" }).fill("");
    const downloading = page.waitForEvent("download");
    await button("Download").click();
    expect((await downloading).suggestedFilename()).toBe(`${fleet.live}.log`);
    await button("Kill …").click();
    await confirm("Kill the run", "it talks too much");
    await page.getByText("it talks too much").first().waitFor();
    const run = await stage.client.runs.get(fleet.live);
    expect([run.state, run.end_cause]).toEqual(["cancelled", "kill"]);
    await button("Kill …").waitFor({ state: "detached" });
  });

  test("a pending run says why it is not running", async () => {
    await signIn(stage, page, `/runs/${fleet.pending}`);
    const { summary } = await stage.client.runs.explain(fleet.pending);
    const why = page.getByRole("region", { name: "Why is it not running?" });
    await why.getByText(summary.slice(0, 20)).first().waitFor();
  });

  test("the emergency stop takes two steps and a reason, and is lifted with one", async () => {
    await signIn(stage, page);
    await button("Stop all …").click();
    expect((await stage.client.projects.current()).stopped_at).toBeNull();
    await confirm("Stop everything now", "agents delete branches");
    await page.getByText("Nothing is handed out.").waitFor();
    const stopped = await stage.client.projects.current();
    expect([stopped.stopped_at !== null, stopped.stop_reason]).toEqual([
      true,
      "agents delete branches",
    ]);
    await button("Lift the stop …").click();
    await confirm("Lift it", "the prompt is fixed");
    await button("Stop all …").waitFor();
    expect((await stage.client.projects.current()).stopped_at).toBeNull();
  });

  test("a queue is resumed, a runtime drained, an account tried again", async () => {
    await signIn(stage, page, "/queues");
    await button("Resume queue archive").click();
    await button("Pause queue archive").waitFor();
    await page.goto("/runtimes");
    await button("Drain fixer@host-1").click();
    await confirm("Drain it", "the host is rebooted");
    await button("Drain fixer@host-1").waitFor({ state: "detached" });
    expect((await stage.client.runtimes.get("fixer@host-1")).state).toBe("draining");
    await page.goto("/accounts");
    await button("Recover anthropic/max-1").click();
    await confirm("Try again now", "the plan was upgraded");
    await page.getByText("probing").first().waitFor();
    const account = await stage.client.accounts.get("anthropic/max-1");
    expect(account.exhaustions.map(({ state }) => state)).toEqual(["half_open"]);
  });

  test("the keyboard alone: palette, search, next, open, keys", async () => {
    await signIn(stage, page);
    await page.keyboard.press("Control+k");
    await page.getByPlaceholder("Screen, agent, run_…, action").fill("queues");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Queues" }).waitFor();
    await dialog().waitFor({ state: "detached" });
    await page.keyboard.press("g");
    await page.keyboard.press("r");
    await page.getByRole("heading", { name: "Runs", level: 1 }).waitFor();
    await page.locator("[data-item]").first().waitFor();
    await page.keyboard.press("/");
    expect(await focused("aria-label")).toBe("Run id");
    await page.getByRole("heading", { name: "Runs", level: 1 }).click();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    expect(await focused("aria-rowindex")).toBe("3");
    await page.keyboard.press("k");
    expect(await focused("aria-rowindex")).toBe("2");
    await page.keyboard.press("Enter");
    await page.getByRole("tab", { name: "Log" }).waitFor();
    await page.keyboard.press("?");
    await dialog().getByText("Next, previous item").waitFor();
  });

  /** An attribute of what has the focus. */
  const focused = (name: string): Promise<string | null> =>
    page.evaluate<string | null>(`document.activeElement.getAttribute("${name}")`);

  test("two tabs share one stream, and the second goes on when the first is closed", async () => {
    const open = new Set<Request>();
    const oneIsOpen = (): Promise<void> =>
      expect.poll(() => open.size, { timeout: 15_000 }).toBe(1);
    const context = page.context();
    context.on("request", (request) => {
      if (request.headers()["accept"] === "text/event-stream") open.add(request);
    });
    context.on("requestfinished", (request) => open.delete(request));
    context.on("requestfailed", (request) => open.delete(request));
    await signIn(stage, page, "/runs");
    await page.getByText("live", { exact: true }).waitFor();
    const other = await context.newPage();
    // Signed in already: tabs share the session.
    await other.goto("/runs");
    await other.getByText(/shown/).waitFor();
    await stage.client.runs.submit({ metadata: { title: "Seen in both" } });
    for (const tab of [page, other]) {
      await tab.getByText("Seen in both").waitFor({ timeout: 60_000 });
    }
    await oneIsOpen();
    await page.goto("about:blank");
    await other.getByText("live", { exact: true }).waitFor();
    await stage.client.runs.submit({ metadata: { title: "Seen in the second" } });
    await other.getByText("Seen in the second").waitFor({ timeout: 60_000 });
    await oneIsOpen();
    await page.goto("/");
  });

  test("what happens elsewhere comes by itself", async () => {
    await signIn(stage, page, "/runs");
    await page.getByText(/shown/).waitFor();
    await stage.client.runs.submit({ metadata: { title: "Came while you looked" } });
    await page.getByText("Came while you looked").waitFor({ timeout: 60_000 });
  });
});
