// The cookie of a session, and what proves that a page of ours sent a request.
// Promises: HttpOnly, SameSite=Strict, no Domain; over https Secure and `__Host-`, so that no other
// host or plain page can set what writes; servers on other ports of one machine have cookies of
// their own. The CSRF token is made from the session's secret and is worth nothing without the
// cookie.
// Leaves to others: whether the session is good (engine).

import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { limits } from "../domain/limits.ts";

/** The longest session token has fewer characters. */
const LONGEST = 200;
const SECURE = "__Host-";

/** One name per port: browsers share cookies between the ports of a host. */
function nameOf({ host }: IncomingHttpHeaders): string {
  const port = /:(\d{1,5})$/.exec(host ?? "")?.[1];
  return port === undefined ? "signalbox" : `signalbox-${port}`;
}

/** Only what a browser says of its own page: a proxy in front speaks TLS, not this server. */
function isSecure({ origin }: IncomingHttpHeaders): boolean {
  return origin?.toLowerCase().startsWith("https://") === true;
}

/** The session token a request carries; null when it has none. */
export function sessionToken(headers: IncomingHttpHeaders): string | null {
  const { cookie } = headers;
  if (cookie === undefined) return null;
  const name = nameOf(headers);
  const all = cookie.split(";").map((one) => one.trim());
  // A plain name may have come from another host of the domain: no page of https writes with it.
  const names = isSecure(headers) ? [`${SECURE}${name}=`] : [`${SECURE}${name}=`, `${name}=`];
  for (const wanted of names) {
    const found = all.find((one) => one.startsWith(wanted))?.slice(wanted.length);
    if (found !== undefined && found !== "" && found.length <= LONGEST) return found;
  }
  return null;
}

function attributes(headers: IncomingHttpHeaders): string {
  const strict = "Path=/; HttpOnly; SameSite=Strict";
  return isSecure(headers) ? `${strict}; Secure` : strict;
}

/** `Set-Cookie` of a new session. */
export function cookieOf(headers: IncomingHttpHeaders, token: string): string {
  const name = `${isSecure(headers) ? SECURE : ""}${nameOf(headers)}`;
  const seconds = limits.sessionMaxMs / 1000;
  return `${name}=${token}; ${attributes(headers)}; Max-Age=${seconds}`;
}

/** `Set-Cookie` that takes the session out of the browser. */
export function endedCookie(headers: IncomingHttpHeaders): string {
  const name = `${isSecure(headers) ? SECURE : ""}${nameOf(headers)}`;
  return `${name}=; ${attributes(headers)}; Max-Age=0`;
}

/** What a page reads with its session and sends as `Signalbox-CSRF` with every write. */
export function csrfTokenOf(token: string): string {
  return createHash("sha256").update(`csrf ${token}`).digest("base64url");
}

/** Whether a page of ours asks: the browser says so, and the page has the token. */
export function isOwnPage(headers: IncomingHttpHeaders, token: string): boolean {
  // The guard refuses other origins and sites; here one of the two must be said at all.
  const said = headers.origin !== undefined || headers["sec-fetch-site"] === "same-origin";
  const sent = headers["signalbox-csrf"];
  if (!said || typeof sent !== "string") return false;
  const [own, given] = [csrfTokenOf(token), sent].map((one) =>
    createHash("sha256").update(one).digest(),
  ) as [Buffer, Buffer];
  return timingSafeEqual(own, given);
}
