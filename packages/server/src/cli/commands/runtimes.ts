// `runtimes list|drain`: the worker processes that the server knows.
// Promises: draining needs a reason, which stands in the register.
// Leaves to others: being a worker (worker.ts).

import type { Runtime } from "@signalbox/sdk";
import { clientOptions, type CommandSpec } from "../command.ts";
import { throughDoor, usual } from "../door.ts";
import { pageFlags, pageOf, showPage } from "../page.ts";
import { runtimeLine, showRuntimes } from "../show-agent.ts";

const states: readonly Runtime["state"][] = ["online", "draining", "stale", "offline"];

export const runtimeCommands: readonly CommandSpec[] = [
  {
    words: "runtimes list",
    says: "List worker processes",
    flags: [
      { flag: "--state <state>", says: `only in this state: ${states.join(", ")}` },
      { flag: "--agent <name>", says: "only those that work as this agent" },
      { flag: "--label <key:value>", says: "only those with this label" },
      ...pageFlags,
    ],
    options: clientOptions,
    examples: ["signalbox runtimes list --state online", "signalbox runtimes list --label rack:7"],
    act: async (call) => {
      const state = call.word("state", states);
      const [agent, label] = [call.text("agent"), call.text("label")];
      const page = await throughDoor(call, usual, ({ client }) =>
        client.runtimes.list({
          ...pageOf(call),
          ...(state && { state }),
          ...(agent && { agent }),
          ...(label && { label }),
        }),
      );
      showPage(call, page, {
        none: "no runtimes",
        show: (items) => showRuntimes(call.screen, items),
      });
    },
  },
  {
    words: "runtimes drain",
    says: "Let a worker process finish what it has and claim nothing more",
    takes: [{ name: "name", says: "the runtime" }],
    flags: [{ flag: "--reason <text>", says: "why, for the register (needed)" }],
    options: clientOptions,
    examples: ['signalbox runtimes drain build-7 --reason "new image"'],
    act: async (call) => {
      const reason = call.required("reason");
      const runtime = await throughDoor(call, usual, ({ client }) =>
        client.runtimes.drain(call.argument(0), { reason }),
      );
      call.screen.result(runtime, () =>
        call.screen.line(runtimeLine(runtime, call.screen.colours)),
      );
    },
  },
];
