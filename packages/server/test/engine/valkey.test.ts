// Valkey or Redis as a sink, on the server at 127.0.0.1:6379 (database 15): every event once in the
// stream, in order, also those from while it was away. Without that server the tests say so.

import { connect } from "node:net";
import { Valkey } from "iovalkey";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { streamKey } from "../../src/engine/services/tail/valkey.ts";
import { fromTypeId } from "../../src/std/ids.ts";
import { must } from "../http/scene.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase } from "../setup/database.ts";
import { expectNoViolations } from "../store/checker.ts";
import { newRunOf, origin } from "./fixtures.ts";

const HOST = "127.0.0.1";
const PORT = 6379;
const isThere = await new Promise<boolean>((resolve) => {
  const socket = connect(PORT, HOST, () => {
    socket.destroy();
    resolve(true);
  });
  socket.once("error", () => resolve(false));
});
if (!isThere) console.warn(`no Valkey or Redis at ${HOST}:${PORT}: the sink is NOT tested`);

// Skipped, aloud, on a machine without one.
describe.skipIf(!isThere)("a Valkey or Redis", () => {
  const url = `redis://${HOST}:${PORT}/15`;
  let database: FreshDatabase;
  let client: Valkey;
  beforeAll(async () => {
    database = await freshDatabase();
    client = new Valkey(url);
  });
  afterAll(async () => {
    client?.disconnect();
    if (database !== undefined) await expectNoViolations(database.connection);
    await database?.drop();
  });

  const withEngine = async (
    eventsUrl: string | undefined,
    use: (engine: RunningEngine) => Promise<void>,
  ): Promise<void> => {
    const sink = eventsUrl === undefined ? {} : { eventsUrl };
    const options = { connection: database.connection, version: "0.0.0", sweeps: false };
    const engine = await startEngine({ ...options, sinks: true, ...sink });
    try {
      await use(engine);
    } finally {
      await engine.stop();
    }
  };
  const projectOf = async (engine: RunningEngine, name: string): Promise<string> =>
    fromTypeId("prj", must(await engine.createProject(name, origin)).id) as string;
  const feedOf = async (engine: RunningEngine, projectId: string): Promise<string[]> => {
    const page = { afterFeed: 0, limit: 500 };
    return (await engine.projectEvents(projectId, page)).items.map((event) =>
      JSON.stringify(event),
    );
  };
  /** Waits in the server until the stream has an entry with this id, and returns all texts. */
  const streamOf = async (projectId: string, newest: number): Promise<string[]> => {
    const key = streamKey(projectId);
    const own = client.duplicate();
    await own.xread("BLOCK", 20_000, "STREAMS", key, `${newest - 1}-0`);
    own.disconnect();
    const entries = await client.xrange(key, "-", "+");
    return entries.map(([, fields]) => String(fields[fields.indexOf("event") + 1]));
  };
  const newestOf = (feed: readonly string[]): number =>
    Number((JSON.parse(feed.at(-1) as string) as { feed: string }).feed);

  test("has every event of the register, once and in order; a channel hears them too", async () => {
    await withEngine(url, async (engine) => {
      const projectId = await projectOf(engine, "sink-one");
      const heard = client.duplicate();
      await heard.subscribe(streamKey(projectId));
      const first = new Promise<string>((resolve) =>
        heard.once("message", (_channel, text) => resolve(text)),
      );
      for (let n = 0; n < 20; n++) await engine.submit(projectId, [newRunOf()], origin);
      const feed = await feedOf(engine, projectId);
      expect(await streamOf(projectId, newestOf(feed))).toEqual(feed);
      expect(feed).toContain(await first);
      heard.disconnect();
    });
  });

  test("gets what happened while it was away, and what it lost to a restore", async () => {
    let projectId = "";
    await withEngine(undefined, async (engine) => {
      projectId = await projectOf(engine, "sink-two");
      for (let n = 0; n < 20; n++) await engine.submit(projectId, [newRunOf()], origin);
    });
    await withEngine(url, async (engine) => {
      const feed = await feedOf(engine, projectId);
      expect(await streamOf(projectId, newestOf(feed))).toEqual(feed);
    });
    // As after a restore of an older state: the last five entries are not there any more.
    const key = streamKey(projectId);
    const entries = await client.xrange(key, "-", "+");
    await client.del(key);
    for (const [id, fields] of entries.slice(0, -5)) await client.xadd(key, id, ...fields);
    await withEngine(url, async (engine) => {
      await engine.submit(projectId, [newRunOf()], origin);
      const feed = await feedOf(engine, projectId);
      expect(await streamOf(projectId, newestOf(feed))).toEqual(feed);
    });
  });

  test("that is away holds nothing up", async () => {
    await withEngine("redis://127.0.0.1:1/0", async (engine) => {
      const projectId = await projectOf(engine, "sink-three");
      const [made] = await engine.submit(projectId, [newRunOf()], origin);
      expect(made).toMatchObject({ created: true });
    });
  });

  test("written to by two servers has every event once", async () => {
    await withEngine(url, async (one) => {
      await withEngine(url, async (two) => {
        const projectId = await projectOf(one, "sink-four");
        await Promise.all(
          [one, two].map(async (engine) => {
            for (let n = 0; n < 30; n++) await engine.submit(projectId, [newRunOf()], origin);
          }),
        );
        const feed = await feedOf(one, projectId);
        expect(await streamOf(projectId, newestOf(feed))).toEqual(feed);
      });
    });
  });
});
