// A browser on the dashboard: Chromium without a window, signed in, measured over its own protocol.
// Promises: each is a new profile, so its cache is cold; the program is the one of the system, or
// CHROMIUM; what the page throws ends the campaign as failed; the browser ends with the stage.
// Leaves to others: what is measured (campaigns/dashboard-*.ts), reading traces (trace.ts).

import { existsSync } from "node:fs";

import { chromium } from "playwright-core";
import type { Browser, BrowserContext, CDPSession, Page } from "playwright-core";

import { sharedMemoryKib } from "./proc.ts";
import type { Server } from "./server.ts";
import type { Stage } from "./stage.ts";

const SIZE = { width: 1440, height: 900 };

const args = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-dev-shm-usage",
  "--enable-precise-memory-info",
];

/** Starts the browser; it ends with the stage. */
export async function openBrowser(stage: Stage): Promise<Browser> {
  const executablePath = [process.env["CHROMIUM"] ?? "", "/usr/bin/chromium"].find(
    (path) => path !== "" && existsSync(path),
  );
  if (executablePath === undefined) throw new Error("there is no /usr/bin/chromium");
  const browser = await chromium.launch({ executablePath, args });
  stage.notes.push(
    `Chromium ${browser.version()} without a window, ${SIZE.width} x ${SIZE.height}.`,
  );
  stage.afterwards(() => browser.close());
  return browser;
}

/** A page of a profile of its own, and what goes wrong in it. */
export class Seat {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly cdp: CDPSession;
  readonly #faults: string[] = [];

  private constructor(context: BrowserContext, page: Page, cdp: CDPSession) {
    this.context = context;
    this.page = page;
    this.cdp = cdp;
    page.on("pageerror", (error) => this.#faults.push(error.message));
  }

  static async take(browser: Browser, server: Server): Promise<Seat> {
    const context = await browser.newContext({ baseURL: server.url, viewport: SIZE });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    return new Seat(context, page, await context.newCDPSession(page));
  }

  /** Signs in with the key of this machine, so that it lasts while the tab does. */
  async signIn(server: Server): Promise<void> {
    const { page } = this;
    await page.goto("/");
    await page.getByRole("textbox", { name: "Key" }).fill(server.credentials.key);
    const kept = page.getByLabel("Keep it until this tab is closed");
    if ((await kept.count()) > 0) await kept.check();
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
  }

  /** Bytes of the page's own heap, after everything that can be let go is. */
  async heapBytes(): Promise<number> {
    await this.cdp.send("HeapProfiler.collectGarbage");
    const { usedSize } = await this.cdp.send("Runtime.getHeapUsage");
    return usedSize;
  }

  async leave(): Promise<void> {
    await this.context.close();
    if (this.#faults.length > 0) throw new Error(`the page threw: ${this.#faults[0]}`);
  }
}

/** The browser's own processes that draw pages, each with its proportional share of memory. */
export async function rendererMib(browser: Browser): Promise<number> {
  const cdp = await browser.newBrowserCDPSession();
  try {
    const { processInfo } = await cdp.send("SystemInfo.getProcessInfo");
    const drawing = processInfo.filter(({ type }) => type === "renderer");
    return drawing.reduce((sum, { id }) => sum + sharedMemoryKib(id), 0) / 1_024;
  } finally {
    await cdp.detach();
  }
}
