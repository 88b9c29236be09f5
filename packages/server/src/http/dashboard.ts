// The built dashboard as routes: a closed list of files, each at its own address.
// Promises: what the build put into dist/dashboard and nothing else is served, so no path is ever
// made from a request; files whose name holds their hash may be kept for ever, index.html never;
// a file is read once, when it is first asked for; compressed as the build left it.
// Leaves to others: building it (packages/dashboard), headers of every answer, data (`/v1`).

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyRequest } from "fastify";
import { route } from "./route.ts";
import type { Route } from "./route.ts";
import { Type } from "./typebox.ts";

/** What a browser gets for a file: its bytes, and how they are to be read and kept. */
export type Page = { readonly body: Buffer; readonly headers: { readonly [name: string]: string } };

export type Dashboard = {
  /** Addresses of all files besides the page itself, such as `/assets/index-x1.js`. */
  readonly paths: readonly string[];
  /** The file of a known path; `accepts` is the request's Accept-Encoding. */
  readonly file: (path: string, accepts: string) => Page;
};

const PAGE = "/index.html";
const types: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
/** Made by the build beside each file, best first. */
const encodings = [
  { name: "br", extension: ".br" },
  { name: "gzip", extension: ".gz" },
] as const;

/** Where the build of this package puts it. */
const built = fileURLToPath(new URL("../dashboard/", import.meta.url));

/** The page names the files of this very build; only these names hold a hash of their content. */
function kept(path: string): string {
  if (path === PAGE) return "no-store";
  return path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "max-age=3600";
}

/** The dashboard in a folder; null when none was built there. */
export function openDashboard(folder: string = built): Dashboard | null {
  if (!existsSync(join(folder, PAGE))) return null;
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const there = new Set(names.map((name) => `/${name.replaceAll("\\", "/")}`));
  const paths = [...there].filter((path) => path !== PAGE && types[extname(path)] !== undefined);
  const read = new Map<string, Buffer>();
  const bytes = (path: string): Buffer => {
    const before = read.get(path) ?? readFileSync(join(folder, path));
    read.set(path, before);
    return before;
  };
  return {
    paths,
    file: (path, accepts) => {
      const encoding = encodings.find(
        ({ name, extension }) => accepts.includes(name) && there.has(path + extension),
      );
      return {
        body: bytes(path + (encoding?.extension ?? "")),
        headers: {
          "content-type": types[extname(path)] ?? "application/octet-stream",
          "cache-control": kept(path),
          vary: "accept-encoding",
          ...(encoding === undefined ? {} : { "content-encoding": encoding.name }),
        },
      };
    },
  };
}

/** The routes of a built dashboard: its page at `/`, its files beside it. */
export function dashboardRoutes(dashboard: Dashboard): Route[] {
  const at = (url: string, path: string): Route =>
    route({
      method: "GET",
      url,
      operationId: `dashboard${url}`,
      summary: "For browsers",
      tag: "hidden",
      auth: "public",
      scope: "installation",
      responses: { 200: Type.Unsafe<Buffer>({}) },
      handle: async ({ header }) => ({
        status: 200,
        ...dashboard.file(path, header("accept-encoding") ?? ""),
      }),
    });
  // Where login links lead: the page takes the code out of the address.
  return [at("/", PAGE), at("/login", PAGE), ...dashboard.paths.map((path) => at(path, path))];
}

/**
 * The page for an address that only the dashboard knows (`/runs/run_…`), when a browser asks for a
 * document; null for everything else, which is answered as an unknown address.
 */
export function pageFor(dashboard: Dashboard, request: FastifyRequest): Page | null {
  const { method, url, headers } = request;
  const path = url.split("?", 1)[0] ?? "";
  const isDocument = method === "GET" && (headers.accept ?? "").includes("text/html");
  const isOurs = !path.startsWith("/v1/") && !path.includes(".");
  if (!isDocument || !isOurs) return null;
  return dashboard.file(PAGE, headers["accept-encoding"] ?? "");
}
