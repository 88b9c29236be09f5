// Where a webhook may point, as far as the text of its URL tells.
// Promises: https unless private targets are allowed; no user name, no fragment, no odd way to
// write an address (`0x7f.1`, `2130706433`, full-width digits); what a URL parser makes of the host
// is what stands there (F-112).
// Leaves to others: what names resolve to, which is looked at before every try (engine).

import type { Refusal } from "../refusal.ts";
import { refuseField } from "../refusal.ts";
import { addressKind } from "./address.ts";

const MOST = 2000;
/** What a URL parser drops, trims or encodes, and what shows as something else. */
const unseen = /[\p{C}\p{Z}]/u;
const address4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** A target that was looked at: `host` without brackets, `literal` if it is an address already. */
export type Target = { readonly url: URL; readonly host: string; readonly literal: boolean };

/**
 * The target of a URL, or why it is none.
 *
 * @example
 * targetOf("https://example.org/hook", false);
 */
export function targetOf(text: string, allowPrivate: boolean): Target | Refusal {
  const wrong = (message: string): Refusal => refuseField("url", message);
  const written = /^([a-z]+):\/\/([^/?#\\]*)/i.exec(text);
  const isOdd = text.includes("\\") || unseen.test(text);
  if (text.length > MOST || written === null || isOdd || !URL.canParse(text)) {
    return wrong("must be an absolute URL such as https://example.org/hook, at most 2,000 long");
  }
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") return wrong("must be https");
  if (url.protocol === "http:" && !allowPrivate) {
    return wrong("must be https; only a webhook that may reach private addresses can be http");
  }
  if (url.username !== "" || url.password !== "" || (written[2] ?? "").includes("@")) {
    return wrong("must not carry a user name or password");
  }
  if (url.hash !== "" || text.includes("#")) return wrong("must not have a fragment");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const literal = address4.test(host) || host.includes(":");
  const typed = (written[2] ?? "").replace(/:\d*$/, "").toLowerCase();
  if (literal && address4.test(host) && typed !== host) {
    return wrong(`writes the address ${host} in an odd way; write it as four decimal numbers`);
  }
  if (literal) {
    const kind = addressKind(host);
    if (!isAllowed(kind, allowPrivate)) return wrong(`${host} is not a public address`);
  } else if (!allowPrivate && /(?:^|\.)localhost\.?$/.test(host)) {
    return wrong("localhost is not a public address");
  }
  return { url, host, literal };
}

/** Whether an address of this kind may be connected to. */
export function isAllowed(kind: ReturnType<typeof addressKind>, allowPrivate: boolean): boolean {
  return kind === "public" || (kind === "private" && allowPrivate);
}
