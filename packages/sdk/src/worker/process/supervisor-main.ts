// The supervisor process: one per worker. Owns heartbeat, deadline, freeze and kill of its trees.
// Promises: it does not depend on the worker's event loop; when the worker ends in any way, even
// by SIGKILL, the channel closes: heartbeats stop, every tree is gone within 2 s, the process
// exits. It runs in a session of its own and ignores the signals meant for the worker.
// Leaves to others: starting it and what its facts mean to runs (`supervisor.ts`, the worker).

import { Keeper } from "../keeper.ts";
import type { KeeperOptions } from "../keeper.ts";
import type { Directive } from "../../wire.ts";
import { sweepOrphans } from "./orphans.ts";
import type { Fact, Graces, Order } from "./supervisor-protocol.ts";
import { Wards } from "./wards.ts";

type Duty = { keeper: Keeper; wards: Wards; graces: Graces };

let duty: Duty | null = null;
let ending = false;

for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) process.on(name, () => {});
process.on("message", (order) => obey(order as Order));
process.on("disconnect", () => void finish());
process.on("uncaughtException", crash);
process.on("unhandledRejection", crash);

function begin(options: KeeperOptions, graces: Graces): Duty {
  const wards = new Wards(graces, (attemptId, pids) =>
    tell({ tell: "survivors", attemptId, pids }),
  );
  // Trees first, words second: the worker may be busy, the tree must not wait for it.
  const keeper = new Keeper(options, {
    onDirective(directive) {
      act(wards, graces, directive);
      tell({ tell: "directive", directive });
    },
    onFreeze(fence) {
      wards.freeze(fence.attempt_id);
      tell({ tell: "freeze", fence });
    },
    onThaw(fence) {
      wards.thaw(fence.attempt_id);
      tell({ tell: "thaw", fence });
    },
    onLost(fence, code) {
      wards.lose(fence.attempt_id);
      tell({ tell: "lost", fence, code });
    },
    onCheckpoint: (fence, stored) => tell({ tell: "checkpoint", fence, stored }),
    onError: tellError,
  });
  return { keeper, wards, graces };
}

function act(wards: Wards, graces: Graces, directive: Directive): void {
  if (directive.kind === "wake") return;
  const { kind, attempt_id: attemptId } = directive;
  if (kind === "cancel") wards.end(attemptId, Math.min(graces.killMs, directive.grace_ms));
  else if (kind === "deadline") wards.end(attemptId);
  else wards.lose(attemptId);
}

function obey(order: Order): void {
  if (order.do === "begin") {
    duty ??= begin(order.keeper, order.graces);
    return;
  }
  if (duty === null) return;
  const { keeper, wards } = duty;
  switch (order.do) {
    case "start":
      keeper.start();
      // What workers that died here have left behind is ended now, off the worker's own loop.
      return void sweepOrphans().catch(tellError);
    case "stop":
      return void finish();
    case "add":
      wards.keep(order.lease.fence.attempt_id);
      return keeper.add(order.lease);
    case "remove":
      wards.drop(order.fence.attempt_id);
      return keeper.remove(order.fence);
    case "checkpoint":
      return keeper.setCheckpoint(order.fence, order.checkpoint);
    case "track":
      return wards.track(order.attemptId, order.tree, order.directory);
    case "end":
      return wards.end(order.attemptId, order.graceMs);
    case "untrack":
      return wards.untrack(order.attemptId);
  }
}

// The end, asked for or because the worker is gone. Whatever still runs belongs to nobody.
async function finish(): Promise<void> {
  if (ending) return;
  ending = true;
  if (duty !== null) {
    const stopped = duty.keeper.stop().catch(() => null);
    await duty.wards.endAll();
    if (process.connected) await stopped;
  }
  if (!process.connected) process.exit(0);
  process.send?.({ tell: "stopped" } satisfies Fact, () => process.exit(0));
}

function tell(fact: Fact): void {
  // The channel may close at any moment; `disconnect` says so, the error says nothing more.
  if (process.connected) process.send?.(fact, () => {});
}

function tellError(error: unknown): void {
  tell({ tell: "error", message: messageOf(error) });
}

function crash(error: unknown): void {
  const fact: Fact = { tell: "error", message: `supervisor: ${messageOf(error)}` };
  const exit = (): never => process.exit(1);
  if (process.connected) process.send?.(fact, exit);
  else exit();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
