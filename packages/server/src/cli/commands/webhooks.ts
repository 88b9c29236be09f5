// `webhooks add|list|show|set|rotate|disable|enable|test|deliveries|redeliver|delete`: events out.
// Promises: a secret is printed by `add` and `rotate`, once; `--private` is asked for with the
// owner's key, since nobody else may allow it.
// Leaves to others: what a URL may be, sending (the server).

import type { DeliveryState, Webhook, WebhookChange } from "@signalbox/sdk";
import { type Call, clientOptions, type CommandSpec, type FlagSpec } from "../command.ts";
import { throughDoor, usual } from "../door.ts";
import { usage } from "../failure.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { showDeliveries, showSecret, showWebhook, showWebhooks } from "../show-webhook.ts";

const administers = (call: Call) => (call.on("private") ? { ...usual, owner: true } : usual);
const theWebhook = { name: "id", says: "id of the webhook (`webhooks list`)" };
const states: readonly DeliveryState[] = ["pending", "delivered", "failed"];
const MOST_OVERLAP_S = 604_800;

const filterFlags: readonly FlagSpec[] = [
  { flag: "--type <pattern>", says: "a type such as run.failed, or run.*; several", many: true },
  { flag: "--agent <name>", says: "only events of this agent" },
  { flag: "--queue <name>", says: "only events of runs in this queue" },
  { flag: "--description <text>", says: "for people" },
  { flag: "--private", says: "may reach private addresses, and be http (owner)" },
];

function changeFrom(call: Call): Omit<WebhookChange, "url"> {
  const types = call.texts("type");
  const agent = call.text("agent");
  const queue = call.text("queue");
  const description = call.text("description");
  return {
    ...(types && { types }),
    ...(agent && { agent }),
    ...(queue && { queue }),
    ...(description && { description }),
    ...(call.on("private") && { allow_private: true }),
  };
}

function show(call: Call, webhook: Webhook): void {
  call.screen.result(webhook, () => showWebhook(call.screen, webhook));
}

const add: CommandSpec = {
  words: "webhooks add",
  says: "Send events from now on to a URL; prints the secret that signs them",
  takes: [{ name: "url", says: "https, and a public address" }],
  flags: filterFlags,
  options: clientOptions,
  examples: [
    "signalbox webhooks add https://example.org/hook --type 'run.*' --type approval.requested",
    "signalbox webhooks add http://127.0.0.1:9000/ --private",
  ],
  act: async (call) => {
    const made = await throughDoor(call, administers(call), ({ client }) =>
      client.webhooks.create({ url: call.argument(0), ...changeFrom(call) }),
    );
    call.screen.result(made, () => {
      showWebhook(call.screen, made);
      showSecret(call.screen, made.secret);
    });
  },
};

const list: CommandSpec = {
  words: "webhooks list",
  says: "List webhooks and how they fare",
  flags: pageFlags,
  options: clientOptions,
  examples: ["signalbox webhooks list"],
  act: async (call) => {
    const page = await throughDoor(call, usual, ({ client }) => client.webhooks.list(pageOf(call)));
    showPage(call, page, {
      none: "no webhooks",
      show: (items) => showWebhooks(call.screen, items),
    });
  },
};

const showOne: CommandSpec = {
  words: "webhooks show",
  says: "Show a webhook",
  takes: [theWebhook],
  options: clientOptions,
  examples: ["signalbox webhooks show whk_01j…"],
  act: async (call) => {
    show(
      call,
      await throughDoor(call, usual, ({ client }) => client.webhooks.get(call.argument(0))),
    );
  },
};

const set: CommandSpec = {
  words: "webhooks set",
  says: "Change where a webhook points or what it wants",
  takes: [theWebhook],
  flags: [{ flag: "--to <url>", says: "another address" }, ...filterFlags],
  options: clientOptions,
  examples: ["signalbox webhooks set whk_01j… --to https://example.org/other"],
  act: async (call) => {
    const url = call.text("to");
    const change: WebhookChange = { ...(url && { url }), ...changeFrom(call) };
    if (Object.keys(change).length === 0) throw usage("Give at least one thing to change.");
    const changed = throughDoor(call, administers(call), ({ client }) =>
      client.webhooks.update(call.argument(0), change),
    );
    show(call, await changed);
  },
};

const rotate: CommandSpec = {
  words: "webhooks rotate",
  says: "Make a new secret; the one before signs along for a while",
  takes: [theWebhook],
  flags: [{ flag: "--overlap <seconds>", says: "how long it signs along (default a day)" }],
  options: clientOptions,
  examples: ["signalbox webhooks rotate whk_01j… --overlap 3600"],
  act: async (call) => {
    const overlap = call.number("overlap", { least: 0, most: MOST_OVERLAP_S });
    const made = await throughDoor(call, usual, ({ client }) =>
      client.webhooks.rotate(call.argument(0), overlap === undefined ? {} : { overlap_s: overlap }),
    );
    call.screen.result(made, () => {
      showWebhook(call.screen, made);
      showSecret(call.screen, made.secret);
    });
  },
};

const disable: CommandSpec = {
  words: "webhooks disable",
  says: "Send nothing until it is enabled again",
  takes: [theWebhook],
  flags: [{ flag: "--reason <text>", says: "why, for the register (needed)" }],
  options: clientOptions,
  examples: ['signalbox webhooks disable whk_01j… --reason "the receiver moves"'],
  act: async (call) => {
    const reason = call.required("reason");
    const disabled = throughDoor(call, usual, ({ client }) =>
      client.webhooks.disable(call.argument(0), { reason }),
    );
    show(call, await disabled);
  },
};

const enable: CommandSpec = {
  words: "webhooks enable",
  says: "Send again, from where it stopped",
  takes: [theWebhook],
  flags: [{ flag: "--skip-missed", says: "begin with the next event instead" }],
  options: clientOptions,
  examples: ["signalbox webhooks enable whk_01j…"],
  act: async (call) => {
    const enabled = throughDoor(call, usual, ({ client }) =>
      client.webhooks.enable(call.argument(0), { skip_missed: call.on("skipMissed") }),
    );
    show(call, await enabled);
  },
};

const test: CommandSpec = {
  words: "webhooks test",
  says: "Send a `webhook.test`",
  takes: [theWebhook],
  options: clientOptions,
  examples: ["signalbox webhooks test whk_01j…"],
  act: async (call) => {
    const sent = await throughDoor(call, usual, ({ client }) =>
      client.webhooks.test(call.argument(0)),
    );
    call.screen.result(sent, () => call.screen.line(`${sent.id} is on its way`));
  },
};

const deliveries: CommandSpec = {
  words: "webhooks deliveries",
  says: "List deliveries of a webhook, newest first, with what the receiver answered",
  takes: [theWebhook],
  flags: [{ flag: "--state <state>", says: `one of ${states.join(", ")}` }, ...pageFlags],
  options: clientOptions,
  examples: ["signalbox webhooks deliveries whk_01j… --state failed"],
  act: async (call) => {
    const state = call.word("state", states);
    const query = { ...pageOf(call), ...(state && { state }) };
    const page = await throughDoor(call, usual, ({ client }) =>
      client.webhooks.deliveries(call.argument(0), query),
    );
    showPage(call, page, {
      none: "no deliveries",
      show: (items) => showDeliveries(call.screen, items),
    });
  },
};

const redeliver: CommandSpec = {
  words: "webhooks redeliver",
  says: "Send a delivery once more, at once, with the same id",
  takes: [{ name: "delivery", says: "id of the delivery (`webhooks deliveries`)" }],
  options: clientOptions,
  examples: ["signalbox webhooks redeliver dlv_01j…"],
  act: async (call) => {
    const sent = await throughDoor(call, usual, ({ client }) =>
      client.webhooks.redeliver(call.argument(0)),
    );
    call.screen.result(sent, () => call.screen.line(`${sent.id} is on its way`));
  },
};

const remove: CommandSpec = {
  words: "webhooks delete",
  says: "End a webhook, with what it has not delivered",
  takes: [theWebhook],
  options: clientOptions,
  examples: ["signalbox webhooks delete whk_01j…"],
  act: async (call) => {
    const gone = await throughDoor(call, usual, ({ client }) =>
      client.webhooks.delete(call.argument(0)),
    );
    call.screen.result(gone, () => call.screen.line(`deleted ${gone.id}`));
  },
};

export const webhookCommands: readonly CommandSpec[] = [
  add,
  list,
  showOne,
  set,
  rotate,
  disable,
  enable,
  test,
  deliveries,
  redeliver,
  remove,
];
