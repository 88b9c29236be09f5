// Dead letters: looked at, redriven and discarded in a real browser, and what the server says then.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Page } from "playwright-core";
import { openPeople } from "./people.ts";
import type { People } from "./people.ts";
import { hasBrowser, openPage, openStage, signIn } from "./stage.ts";
import type { Stage, Watched } from "./stage.ts";

const LIVE = { timeout: 60_000 };

// There is nothing to click without a browser.
describe.skipIf(!hasBrowser)("dead letters", () => {
  let stage: Stage;
  let people: People;
  let watched: Watched;
  let page: Page;
  beforeAll(async () => {
    stage = await openStage();
    people = await openPeople(stage.client, ["mailer", "deployer"]);
  });
  afterAll(async () => {
    await people?.end();
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

  const button = (name: string | RegExp) => page.getByRole("button", { name, exact: true });
  const dialog = () => page.getByRole("dialog");
  const closed = () => dialog().waitFor({ state: "detached" });
  const titled = (title: string) => ({ metadata: { title } });
  /** Runs of one group, in a queue of their own. */
  const failed = async (queue: string, titles: readonly string[]): Promise<string[]> => {
    const ids: string[] = [];
    for (const title of titles) {
      ids.push(await people.fail("mailer", `${queue} is down`, { queue, ...titled(title) }));
    }
    return ids;
  };
  const letters = async (queue: string, status: "open" | "redriven" | "discarded" = "open") =>
    (await stage.client.deadLetters.list({ queue, status })).items[0]?.count ?? 0;

  test("groups say how many and what; the filter stands in the address", async () => {
    await people.fail("mailer", "550 <user-1@shop.example> unknown", { queue: "mail" });
    await people.fail("mailer", "550 <user-2@shop.example> unknown", { queue: "mail" });
    await people.fail("deployer", "connect ETIMEDOUT 10.0.0.7:5432", { queue: "deploy" });
    await signIn(stage, page, "/dead-letters");
    const group = page.getByRole("listitem").filter({ hasText: "<user-2@shop.example>" });
    expect(await group.innerText()).toMatch(/^2\s+runs[^]*mailer[^]*queue mail/);
    await page.getByRole("textbox", { name: "Queue" }).fill("deploy");
    await page.waitForURL("**/dead-letters?queue=deploy");
    await page.reload();
    await page.getByText("1 dead letter in 1 group").waitFor();
    await page.getByRole("textbox", { name: "Queue" }).fill("nothing");
    await page.getByText("No dead letter is like that").waitFor();
    await page.getByRole("textbox", { name: "Queue" }).press("Escape");
    await page.getByRole("link", { name: /ETIMEDOUT/ }).click();
    await page.getByRole("heading", { name: "1 dead letter" }).waitFor();
  });

  test("one is redriven with another agent, priority and input; the old one says so", async () => {
    const [id = ""] = await failed("one", ["Send to one"]);
    await signIn(stage, page, "/dead-letters?queue=one");
    await page.getByRole("link", { name: /is down/ }).click();
    await button("Redrive … Send to one").click();
    await dialog().getByRole("combobox", { name: "Agent" }).fill("deployer");
    await dialog().getByLabel("Priority").selectOption("60");
    await dialog().getByLabel("Another input").check();
    const input = dialog().getByRole("textbox", { name: "Input" });
    expect(JSON.parse(await input.inputValue())).toEqual({ message: "one is down" });
    await input.fill('{"fixed": true');
    expect(await button("Redrive the run").isDisabled()).toBe(true);
    await input.fill('{"fixed": true}');
    await dialog().getByText("−1 removed").waitFor();
    await button("Redrive the run").click();
    await dialog().getByText("1 redriven").waitFor();
    const [made] = (await stage.client.runs.list({ queue: "one", agent: "deployer" })).items;
    const run = await stage.client.runs.get(made?.id ?? "");
    expect(run).toMatchObject({ priority: 60, input: { fixed: true }, redrive_of: id });
    await dialog().getByRole("link").last().click();
    await page.waitForURL(`**/runs/${run.id}`);
    await page.goto(`/runs/${id}`);
    await page.getByText("Redriven into").waitFor();
    expect(await button("Redrive …").count()).toBe(0);
  });

  test("a group is redriven after its number was said; when it grows nothing is done", async () => {
    await failed("grows", ["First", "Second"]);
    await signIn(stage, page, "/dead-letters?queue=grows");
    await button(/^Redrive all 2 …/).click();
    await dialog().getByRole("heading", { name: "Redrive 2 dead letters" }).waitFor();
    expect(await letters("grows")).toBe(2);
    await failed("grows", ["Third"]);
    await dialog().getByRole("combobox", { name: "Agent" }).fill("nobody yet");
    await button("Redrive 2 runs").click();
    await dialog().getByText("Nothing was done").waitFor();
    expect(await letters("grows")).toBe(3);
    await button("Redrive 3 runs").click();
    await dialog().getByText("3 redriven").waitFor();
    expect(await dialog().getByText("became").count()).toBe(3);
    const made = await stage.client.runs.list({ queue: "grows", agent: "nobody yet" });
    expect(made.items).toHaveLength(3);
    await button("Close").last().click();
    await closed();
    await page.getByText("No dead letter is like that").waitFor(LIVE);
    await button("Redriven").click();
    await page.getByRole("link", { name: /is down/ }).click();
    await page.getByText("3 shown, that is all").waitFor();
    expect(await page.getByText("redriven", { exact: true }).count()).toBe(3);
  });

  test("those that are ticked are discarded with a note, by keyboard alone", async () => {
    const ids = await failed("keys", ["Old", "Middle", "New"]);
    await signIn(stage, page, "/dead-letters?queue=keys");
    await page.getByRole("link", { name: /is down/ }).waitFor();
    const press = (key: string) => page.keyboard.press(key);
    await press("j");
    await press("Enter");
    await button("Redrive … New").waitFor();
    for (const key of ["j", "x", "j", "x"]) await press(key);
    await page.getByText("2 selected").waitFor();
    await button("Discard selected …").focus();
    await press("Enter");
    await dialog().getByRole("heading", { name: "Discard 2 dead letters" }).waitFor();
    expect(await button("Discard 2 runs").isDisabled()).toBe(true);
    await dialog().getByLabel("Note").focus();
    await page.keyboard.type("the list was withdrawn");
    await press("Enter");
    await dialog().getByText("2 discarded").waitFor();
    await press("Escape");
    await closed();
    const { items } = await stage.client.deadLetters.list({ queue: "keys", status: "discarded" });
    expect(items.map(({ count }) => count)).toEqual([2]);
    expect(await letters("keys")).toBe(1);
    await page.goto(`/runs/${ids[2]}`);
    await page.getByText("the list was withdrawn").waitFor();
  });

  test("the run's page redrives, discards, and has the commands for both", async () => {
    const [first = "", second = ""] = await failed("page", ["Alpha", "Beta"]);
    await signIn(stage, page, `/runs/${first}`);
    await page.getByText("redrive it or discard it").waitFor();
    await button("Redrive …").click();
    await button("Redrive the run").click();
    await dialog().getByText("1 redriven").waitFor();
    await button("Close").last().click();
    await page.getByText("Redriven into").waitFor();
    await page.goto(`/runs/${second}?tab=commands`);
    await page.getByText(`signalbox dead redrive ${second}`).waitFor();
    await page.getByText(`/v1/runs/${second}/discard`).waitFor();
    await button("Discard …").click();
    await dialog().getByLabel("Note").fill("a duplicate");
    await button("Discard the run").click();
    await dialog().getByText("1 discarded").waitFor();
    await button("Close").last().click();
    await page.getByText("a duplicate").first().waitFor();
    expect([await letters("page", "redriven"), await letters("page", "discarded")]).toEqual([1, 1]);
  });

  test("what was dealt with elsewhere leaves by itself, and a dialog says so", async () => {
    const [id = ""] = await failed("gone", ["Gone soon"]);
    await signIn(stage, page, "/dead-letters?queue=gone");
    await page.getByRole("link", { name: /is down/ }).click();
    await page.getByText("live", { exact: true }).waitFor();
    await button("Discard … Gone soon").click();
    await dialog().getByLabel("Note").fill("mine");
    await stage.client.deadLetters.discard(id, { note: "theirs" });
    await button("Discard the run").click();
    await dialog().getByText("Refused: dead_letter_closed").waitFor();
    await page.keyboard.press("Escape");
    await closed();
    await button("Discard … Gone soon").waitFor({ state: "detached", ...LIVE });
    await button("Discarded").click();
    await page.getByText("theirs").waitFor();
  });
});
