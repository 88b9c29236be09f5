// `usage`: what was consumed, by agent, account, model and day.
// Promises: what nobody reported is shown as unknown.
// Leaves to others: what may be consumed (allowances.ts).

import { clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor, usual } from "../door.ts";
import { showUsage } from "../show-allowance.ts";

export const usageCommand: CommandSpec = {
  words: "usage",
  says: "Show what was consumed, by agent, account, model and day",
  flags: [
    { flag: "--from <when>", says: "an instant, or 30d ago (default 7d)" },
    { flag: "--to <when>", says: "an instant, or 1d ago (default now)" },
    { flag: "--agent <name>", says: "only of this agent" },
    { flag: "--account <name>", says: "only of this account" },
  ],
  options: clientOptions,
  examples: ["signalbox usage", "signalbox usage --from 30d --agent reviewer"],
  act: async (call) => {
    const from = call.instant("from", "ago");
    const to = call.instant("to", "ago");
    const agent = call.text("agent");
    const account = call.text("account");
    const items = await throughDoor(call, usual, ({ client }) =>
      client.usage.list({
        ...(from && { from }),
        ...(to && { to }),
        ...(agent && { agent }),
        ...(account && { account }),
      }),
    );
    call.screen.result({ items }, () => {
      if (items.length === 0) return call.screen.aside("no usage was reported in this time");
      showUsage(call.screen, items);
    });
  },
};
