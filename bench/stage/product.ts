// The built server's own modules, for benches that measure it from inside its process.
// Promises: the very code that `signalbox up` runs (packages/server/dist), found from the
// repository; its types come with it, so that a bench that no longer fits does not compile.
// Leaves to others: what is measured (lifecycles.ts, benches/).

import { pathToFileURL } from "node:url";

import type * as approvalModule from "../../packages/server/dist/domain/approval.js";
import type * as commandModule from "../../packages/server/dist/domain/command.js";
import type * as contractModule from "../../packages/server/dist/engine/contract.js";
import type * as engineModule from "../../packages/server/dist/engine/engine.js";
import type * as flushModule from "../../packages/server/dist/engine/services/flush/flush.js";
import type * as itemsModule from "../../packages/server/dist/engine/services/flush/items.js";
import type * as httpModule from "../../packages/server/dist/http/server.js";
import type * as loggerModule from "../../packages/server/dist/std/logger.js";
import type * as mappingModule from "../../packages/server/dist/http/mapping/submission.js";
import type * as refusalModule from "../../packages/server/dist/domain/refusal.js";
import type * as submissionModule from "../../packages/server/dist/domain/submission.js";
import type * as idsModule from "../../packages/server/dist/std/ids.js";
import type * as migrateModule from "../../packages/server/dist/store/migrate.js";
import type * as sessionModule from "../../packages/server/dist/store/session.js";
import { serverModule } from "./places.ts";

export type Engine = engineModule.RunningEngine;
export type ClaimInput = contractModule.ClaimInput;
export type Ask = approvalModule.Ask;
export type Command = commandModule.RunCommand;
export type FlushSession = sessionModule.ClientSession;
export type Item = itemsModule.Item;
export type Answer = itemsModule.Answer;
export type NewRun = submissionModule.NewRun;
export type Doors = ReturnType<typeof httpModule.createHttp>;
export type Refusal = refusalModule.Refusal;

async function built<Module>(path: string): Promise<Module> {
  return (await import(pathToFileURL(serverModule(path)).href)) as Module;
}

const { startEngine } = await built<typeof engineModule>("engine/engine.js");
const { runFlush } = await built<typeof flushModule>("engine/services/flush/flush.js");
const { createHttp } = await built<typeof httpModule>("http/server.js");
const { silentLogger } = await built<typeof loggerModule>("std/logger.js");
const { toNewRun } = await built<typeof mappingModule>("http/mapping/submission.js");
const { isRefusal } = await built<typeof refusalModule>("domain/refusal.js");
const { fromTypeId, newUuid } = await built<typeof idsModule>("std/ids.js");
const { migrate } = await built<typeof migrateModule>("store/migrate.js");
const { ClientSession } = await built<typeof sessionModule>("store/session.js");

export {
  ClientSession,
  createHttp,
  silentLogger,
  fromTypeId,
  isRefusal,
  migrate,
  newUuid,
  runFlush,
  startEngine,
  toNewRun,
};
