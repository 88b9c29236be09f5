// The stage of the browser's tests: the real server with the built dashboard, a fleet made through
// the SDK, and Debian's Chromium.
// Promises: whatever breaks the page's policy or throws in it is collected; a machine without a
// browser says so aloud, once, and the tests that need one do not run.
// Leaves to others: what is asserted.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Signalbox } from "@signalbox/sdk";
import { chromium } from "playwright-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";
import { openDashboard } from "../../server/src/http/dashboard.ts";
import type { Dashboard } from "../../server/src/http/dashboard.ts";
import { openScene } from "../../server/test/http/scene.ts";
import type { Scene } from "../../server/test/http/scene.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const built = join(root, "packages/server/dist/dashboard");
const pictures = process.env["SIGNALBOX_PICTURES"] ?? join(root, "test-results/pictures");

const executablePath = [process.env["CHROMIUM"] ?? "", "/usr/bin/chromium"].find(
  (path) => path !== "" && existsSync(path),
);
if (executablePath === undefined) {
  process.stdout.write("NO BROWSER: /usr/bin/chromium is not there; nothing of the screens ran\n");
}

/** Whether the screens can be tested on this machine. */
export const hasBrowser = executablePath !== undefined;

export type Stage = {
  readonly scene: Scene;
  readonly url: string;
  readonly client: Signalbox;
  readonly browser: Browser;
  readonly close: () => Promise<void>;
};

/** The built dashboard, as the server hands it out. */
export function openBuilt(): Dashboard {
  const dashboard = openDashboard(built);
  if (dashboard === null) throw new Error("the dashboard is not built: npm run build");
  return dashboard;
}

/** Debian's Chromium: one per test file, a context per test. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: [
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-dev-shm-usage",
    ],
  });
}

export async function openStage(): Promise<Stage> {
  const scene = await openScene({ dashboard: openBuilt(), checkResponses: false });
  const url = await scene.app.listen({ host: "127.0.0.1", port: 0 });
  const browser = await openBrowser();
  const client = new Signalbox({ url, key: scene.keys.admin });
  const close = async (): Promise<void> => {
    await browser.close();
    await scene.close();
  };
  return { scene, url, client, browser, close };
}

/** A page and everything that went wrong in it. */
export type Watched = { readonly page: Page; readonly faults: () => Promise<string[]> };

/** Runs in the page before anything of it. `__canary` is what hostile text tries to set. */
const listener = `
  window.__faults = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    window.__faults.push("policy: " + event.violatedDirective + " " + event.blockedURI +
      " " + (event.sample || "") + " " + (event.sourceFile || "")));
`;

export async function openPage(
  { browser, url }: Pick<Stage, "browser" | "url">,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ baseURL: url, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const thrown: string[] = [];
  page.on("pageerror", (error) => thrown.push(`thrown: ${error.message}`));
  page.on("console", (message) => {
    // A refusal or a server that is away is the browser's to note, and the page's to say.
    const isNoted = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !isNoted) thrown.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    thrown.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const to = new URL(request.url());
    const isOurs = to.origin === url || to.protocol === "blob:";
    if (!isOurs) thrown.push(`went elsewhere: ${request.url()}`);
    if (request.url().includes("sbx_")) thrown.push(`a key in an address: ${to.pathname}`);
  });
  await page.addInitScript(listener);
  const faults = async (): Promise<string[]> => [
    ...thrown,
    ...(await page.evaluate<string[]>("window.__faults")),
  ];
  return { page, faults };
}

/** Signs in by pasting a key, the administrator's unless said otherwise. */
export async function signIn(
  { scene }: Pick<Stage, "scene">,
  page: Page,
  path = "/",
  key: string = scene.keys.admin,
): Promise<void> {
  await signInWith(key, page, path);
}

export async function signInWith(key: string, page: Page, path = "/"): Promise<void> {
  await page.goto("/");
  await page.getByRole("textbox", { name: "Key" }).fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
  if (path !== "/") await page.goto(path);
}

/** Nothing of the screen is still being asked for. */
export async function loaded(page: Page): Promise<void> {
  await page.locator("#screen h1").waitFor();
  await expect
    .poll(() => page.locator("[aria-label=Loading]").count(), { timeout: 15_000 })
    .toBe(0);
}

/** Where a picture of this name goes. */
export function picture(name: string): string {
  mkdirSync(pictures, { recursive: true });
  return join(pictures, `${name}.png`);
}
