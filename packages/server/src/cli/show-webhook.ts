// Webhooks and deliveries as people read them.
// Promises: a secret is shown by the command that made it, with the word that it is shown once;
// what receivers answered is escaped.
// Leaves to others: fetching (commands/webhooks.ts), JSON (`--json` prints the wire shapes).

import type { Delivery, Webhook } from "@signalbox/sdk";
import { safeLine } from "./safe-text.ts";
import type { Screen } from "./screen.ts";
import { ago } from "./show-run.ts";

function stateOf({
  disabled_at: off,
  disabled_reason: why,
  failing_since: since,
}: Webhook): string {
  if (off !== null) return `disabled ${ago(off)}: ${safeLine(why ?? "", 60)}`;
  return since === null ? "on" : `failing since ${ago(since)}`;
}

function wants({ types, agent, queue }: Webhook): string {
  const parts = [types.length === 0 ? "all" : types.join(" ")];
  if (agent !== null) parts.push(`of agent ${agent}`);
  if (queue !== null) parts.push(`in queue ${queue}`);
  return safeLine(parts.join(", "), 60);
}

/** The table of `webhooks list`. */
export function showWebhooks(screen: Screen, webhooks: readonly Webhook[]): void {
  const rows = webhooks.map((one) => [
    one.id,
    safeLine(one.url, 60),
    wants(one),
    String(one.pending),
    stateOf(one),
  ]);
  screen.table(["WEBHOOK", "URL", "EVENTS", "PENDING", "STATE"], rows);
}

/** A webhook in a few lines. */
export function showWebhook(screen: Screen, webhook: Webhook): void {
  const fact = (name: string, text: string): void =>
    screen.line(`${screen.colours.dim(name.padEnd(9))} ${text}`);
  screen.line(`${webhook.id} ${stateOf(webhook)}`);
  fact("url", safeLine(webhook.url, 200));
  if (webhook.description !== null) fact("for", safeLine(webhook.description, 200));
  fact("events", wants(webhook));
  fact("pending", `${webhook.pending}, feed ${webhook.cursor} of ${webhook.feed}`);
  if (webhook.allow_private) fact("private", "may reach private addresses");
  if (webhook.previous_secret_until !== null) {
    fact("secrets", `the one before signs along until ${webhook.previous_secret_until}`);
  }
}

/** A secret, which nobody can ask for again. */
export function showSecret(screen: Screen, secret: string): void {
  screen.line(`${screen.colours.dim("secret".padEnd(9))} ${secret}`);
  screen.aside("shown once: keep it where the receiver checks signatures");
}

function told({ status, took_ms: ms, error }: Delivery): string {
  const time = ms === null ? "" : ` in ${ms} ms`;
  if (error !== null) return `${safeLine(error, 70)}${time}`;
  return status === null ? "" : `${status}${time}`;
}

function stands(one: Delivery): string {
  if (one.state !== "pending") return one.state;
  if (one.aside) return "aside";
  return one.next_try_at === null ? "waits in line" : "pending";
}

/** The table of `webhooks deliveries`. */
export function showDeliveries(screen: Screen, deliveries: readonly Delivery[]): void {
  const rows = deliveries.map((one) => [
    one.id,
    safeLine(one.type, 40),
    one.stream_id ?? "",
    one.feed ?? "",
    stands(one),
    String(one.tries),
    told(one),
  ]);
  screen.table(["DELIVERY", "TYPE", "OF", "FEED", "STATE", "TRIES", "LAST ANSWER"], rows);
}
