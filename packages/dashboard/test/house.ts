// A house that can go down and come back: the real server on one database and one port, with two
// projects and a key for each.
// Promises: nothing of a former life is left in memory; `close` takes the database with it.
// Leaves to others: the browser (`stage.ts`), what happens meanwhile (the tests).

import { Signalbox } from "@signalbox/sdk";
import { startEngine } from "../../server/src/engine/engine.ts";
import type { RunningEngine } from "../../server/src/engine/engine.ts";
import { createHttp } from "../../server/src/http/server.ts";
import { fromTypeId } from "../../server/src/std/ids.ts";
import { silentLogger } from "../../server/src/std/logger.ts";
import { must } from "../../server/test/http/scene.ts";
import { freshDatabase } from "../../server/test/setup/database.ts";
import { openBuilt } from "./stage.ts";

const origin = { actor: "test", requestId: "test", traceparent: null };

export type Neighbour = { readonly name: string; readonly key: string; readonly client: Signalbox };

export type House = {
  readonly url: string;
  readonly neighbours: readonly [Neighbour, Neighbour];
  readonly down: () => Promise<void>;
  readonly up: () => Promise<void>;
  readonly close: () => Promise<void>;
};

export async function openHouse(): Promise<House> {
  const database = await freshDatabase();
  const { connection } = database;
  let engine: RunningEngine | null = null;
  let app: ReturnType<typeof createHttp> | null = null;
  let port = 0;
  const up = async (): Promise<void> => {
    engine = await startEngine({ connection, version: "1.2.3" });
    app = createHttp(engine, { logger: silentLogger, version: "1.2.3", dashboard: openBuilt() });
    await app.listen({ host: "127.0.0.1", port });
    ({ port } = app.server.address() as { port: number });
  };
  const down = async (): Promise<void> => {
    await app?.close();
    await engine?.stop();
    [app, engine] = [null, null];
  };
  await up();
  const url = `http://127.0.0.1:${port}`;
  const neighbour = async (name: string): Promise<Neighbour> => {
    if (engine === null) throw new Error("the house is down");
    const project = must(await engine.createProject(name, origin));
    const of = fromTypeId("prj", project.id) ?? "";
    const wanted = { name: `admin of ${name}`, roles: ["admin"] as const, expiresAt: null };
    const { key } = must(await engine.createKey(of, { ...wanted, roles: ["admin"] }, origin));
    return { name, key, client: new Signalbox({ url, key }) };
  };
  const neighbours = [await neighbour("harbour"), await neighbour("orchard")] as const;
  const close = async (): Promise<void> => {
    await down();
    await database.drop();
  };
  return { url, neighbours: [neighbours[0], neighbours[1]], down, up, close };
}
