// The guard against browsers: a page of another site must not reach this server, also on loopback.
// Promises: a request is served only if its Host is a name of ours (stops DNS rebinding), its
// Origin is absent or the same, and the browser itself does not call it cross-site (F-117). No
// CORS: no answer ever invites another site in.
// Leaves to others: keys (`auth.ts`), JSON-only bodies (`register.ts`).

import type { IncomingHttpHeaders } from "node:http";
import { refuse } from "../domain/refusal.ts";
import type { Refusal } from "../domain/refusal.ts";

const loopback = ["localhost", "127.0.0.1", "[::1]"];

/** What a browser says about where a request comes from; absent for every other client. */
const trustedSites: ReadonlySet<string> = new Set(["same-origin", "none"]);

/** Makes the guard for these names (without port) besides the loopback ones. */
export function browserGuard(
  names: readonly string[],
): (headers: IncomingHttpHeaders) => Refusal | null {
  const allowed = new Set([...loopback, ...names].map((name) => name.toLowerCase()));
  return (headers) => {
    const host = headers.host?.toLowerCase() ?? "";
    if (!allowed.has(hostName(host))) {
      return refuse(
        "forbidden_origin",
        "This server does not answer to that Host. Address it as localhost, or start it with " +
          "the name among its allowed hosts.",
      );
    }
    const { origin } = headers;
    if (origin !== undefined && !isSame(origin, host)) {
      return refuse("forbidden_origin", "Requests from pages of another origin are refused.");
    }
    const site = headers["sec-fetch-site"];
    if (site !== undefined && !trustedSites.has(site)) {
      return refuse("forbidden_origin", "Requests from pages of another site are refused.");
    }
    return null;
  };
}

/** `localhost:7070` → `localhost`, `[::1]:7070` → `[::1]`; text that is no host → "". */
function hostName(host: string): string {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/.exec(host);
  return match?.[1]?.replace(/\.$/, "") ?? "";
}

function isSame(origin: string, host: string): boolean {
  const at = origin.toLowerCase();
  return at === `http://${host}` || at === `https://${host}`;
}
