// `accounts list|show|recover`: what agents draw on, and the limits that were met there.
// Promises: recovering needs a reason, which stands in the register.
// Leaves to others: all accounts of an agent at once (agents.ts), reading refusals (limits.ts).

import { clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor, usual } from "../door.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { safeLine } from "../safe-text.ts";
import { accountState, showAccount, showAccounts } from "../show-agent.ts";

const theAccount = { name: "name", says: "the account, such as anthropic/max-1" };

export const accountCommands: readonly CommandSpec[] = [
  {
    words: "accounts list",
    says: "List accounts with their limits",
    flags: pageFlags,
    options: clientOptions,
    examples: ["signalbox accounts list"],
    act: async (call) => {
      const page = await throughDoor(call, usual, ({ client }) =>
        client.accounts.list(pageOf(call)),
      );
      showPage(call, page, {
        none: "no accounts",
        show: (items) => showAccounts(call.screen, items),
      });
    },
  },
  {
    words: "accounts show",
    says: "Show one account: what is limited, until when, and how we know",
    takes: [theAccount],
    options: clientOptions,
    examples: ["signalbox accounts show anthropic/max-1"],
    act: async (call) => {
      const account = await throughDoor(call, usual, ({ client }) =>
        client.accounts.get(call.argument(0)),
      );
      call.screen.result(account, () => showAccount(call.screen, account));
    },
  },
  {
    words: "accounts recover",
    says: "Say that the limits of an account are over: one run tries each",
    takes: [theAccount],
    flags: [
      { flag: "--reason <text>", says: "why, for the register (needed)" },
      { flag: "--model <name>", says: "only the limit of this model" },
    ],
    options: clientOptions,
    examples: ['signalbox accounts recover anthropic/max-1 --reason "the invoice is paid"'],
    act: async (call) => {
      const reason = call.required("reason");
      const model = call.text("model");
      const account = await throughDoor(call, usual, ({ client }) =>
        client.accounts.recover(call.argument(0), { reason, ...(model && { model }) }),
      );
      call.screen.result(account, () =>
        call.screen.line(`${safeLine(account.name)} ${accountState(account)}`),
      );
    },
  },
];
