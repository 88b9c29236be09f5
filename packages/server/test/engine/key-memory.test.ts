// API keys a server remembers: what it must not ask the database again it does not, and yet nothing
// that begins after a key was revoked is accepted, whichever server revoked it.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startEngine } from "../../src/engine/engine.ts";
import type { RunningEngine } from "../../src/engine/engine.ts";
import { KeyMemory } from "../../src/engine/services/key-memory.ts";
import { systemClock } from "../../src/std/clock.ts";
import { fromTypeId, newUuid } from "../../src/std/ids.ts";
import { silentLogger } from "../../src/std/logger.ts";
import { Doorbell } from "../../src/store/doorbell.ts";
import type { FoundKey } from "../../src/store/keys.ts";
import type { FreshDatabase } from "../setup/database.ts";
import { freshDatabase, withClient } from "../setup/database.ts";
import type { ManualClock } from "../setup/manual-clock.ts";
import { manualClock } from "../setup/manual-clock.ts";
import { ok } from "./duo.ts";
import { origin } from "./fixtures.ts";

const found = (parts: Partial<FoundKey> = {}): FoundKey => ({
  id: "key",
  prefix: "p",
  project_id: "project",
  name: "ada",
  roles: ["viewer"],
  agents: null,
  created_at: 0,
  expires_at: null,
  revoked_at: null,
  last_used_at: null,
  replaced_by: null,
  digest: "d",
  expired: false,
  ...parts,
});

type Look = { prefix: string; give: (key: FoundKey | null) => void; fail: () => void };

/** A memory whose looks a test answers one by one. */
function scene() {
  const looks: Look[] = [];
  const clock = manualClock();
  const house = { alone: true };
  const memory = new KeyMemory({
    look: (prefix) =>
      new Promise((give, reject) => {
        looks.push({ prefix, give, fail: () => reject(new Error("the database is away")) });
      }),
    alone: () => house.alone,
    mono: clock.mono,
    wall: clock.wall,
  });
  const last = (): Look => looks.at(-1) as Look;
  return { memory, looks, last, house, clock };
}

/** A memory that has looked once, with this answer. */
async function known(key: FoundKey | null) {
  const one = scene();
  const asked = one.memory.find("p");
  one.last().give(key);
  await asked;
  await one.clock.advance(0);
  return one;
}

describe("a key is remembered", () => {
  test("for two seconds, and then looked up again", async () => {
    const { memory, looks, clock } = await known(found());
    await clock.advance(2000);
    expect(await memory.find("p")).toEqual(found());
    expect(looks).toHaveLength(1);
    await clock.advance(1);
    void memory.find("p");
    expect(looks).toHaveLength(2);
  });

  test("as it was found, a revoked one too", async () => {
    const { memory, looks } = await known(found({ revoked_at: 5 }));
    expect((await memory.find("p"))?.revoked_at).toBe(5);
    expect(looks).toHaveLength(1);
  });

  test("not while another server may be up", async () => {
    const { memory, looks, house } = await known(found());
    house.alone = false;
    void memory.find("p");
    expect(looks).toHaveLength(2);
  });

  test("not when there is none", async () => {
    const { memory, looks } = await known(null);
    void memory.find("p");
    expect(looks).toHaveLength(2);
  });

  test("not in the last minute before it expires: clocks differ", async () => {
    const {
      clock: { wall },
    } = scene();
    const late = await known(found({ expires_at: wall() + 60_000 }));
    void late.memory.find("p");
    expect(late.looks).toHaveLength(2);
    const early = await known(found({ expires_at: wall() + 61_000 }));
    void early.memory.find("p");
    expect(early.looks).toHaveLength(1);
    await early.clock.advance(1000);
    void early.memory.find("p");
    expect(early.looks).toHaveLength(2);
  });

  test("a thousand of them, and then none for a moment: never without bound", async () => {
    const one = scene();
    for (let n = 0; n <= 1000; n += 1) {
      const asked = one.memory.find(`p${n}`);
      one.last().give(found({ prefix: `p${n}` }));
      await asked;
    }
    await one.clock.advance(0);
    expect(await one.memory.find("p1000")).toEqual(found({ prefix: "p1000" }));
    expect(one.looks).toHaveLength(1001);
    void one.memory.find("p0");
    expect(one.looks).toHaveLength(1002);
  });
});

describe("a key that changes", () => {
  test("is forgotten: who asks afterwards is told what is", async () => {
    const { memory, last } = await known(found());
    memory.forget();
    const asked = memory.find("p");
    last().give(found({ revoked_at: 7 }));
    expect((await asked)?.revoked_at).toBe(7);
  });

  test("while it is being looked up is not remembered as it was before", async () => {
    const { memory, looks, last, clock } = scene();
    const before = memory.find("p");
    memory.forget();
    last().give(found());
    expect((await before)?.revoked_at).toBeNull(); // it began before the change
    await clock.advance(0);
    const after = memory.find("p");
    expect(looks).toHaveLength(2);
    last().give(found({ revoked_at: 7 }));
    expect((await after)?.revoked_at).toBe(7);
  });

  test("is not taken from a look that began before the question: the next is shared", async () => {
    const { memory, looks, last, house, clock } = scene();
    house.alone = false;
    const first = memory.find("p");
    const others = [1, 2, 3].map(() => memory.find("p"));
    expect(looks).toHaveLength(1);
    last().give(found());
    expect((await first)?.revoked_at).toBeNull();
    await clock.advance(0);
    expect(looks).toHaveLength(2);
    const late = memory.find("p");
    expect(looks).toHaveLength(2);
    last().give(found({ revoked_at: 7 }));
    for (const key of await Promise.all(others)) expect(key?.revoked_at).toBe(7);
    await clock.advance(0);
    expect(looks).toHaveLength(3);
    last().give(found({ revoked_at: 8 }));
    expect((await late)?.revoked_at).toBe(8);
    await clock.advance(0);
    expect(looks).toHaveLength(3);
  });

  test("each prefix is looked up for itself", () => {
    const { memory, looks } = scene();
    void memory.find("p");
    void memory.find("q");
    expect(looks.map(({ prefix }) => prefix)).toEqual(["p", "q"]);
  });

  test("a look that fails is told to who asked, and the next one looks again", async () => {
    const { memory, looks, last, clock } = scene();
    const first = memory.find("p");
    const second = memory.find("p");
    last().fail();
    await expect(first).rejects.toThrow("away");
    await clock.advance(0);
    last().fail();
    await expect(second).rejects.toThrow("away");
    await clock.advance(0);
    const third = memory.find("p");
    expect(looks).toHaveLength(3);
    last().give(found());
    expect(await third).toEqual(found());
  });
});

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("servers know of each other by the doorbell", () => {
  const bells: Doorbell[] = [];
  const rung: string[] = [];
  afterEach(async () => {
    await Promise.all(bells.splice(0).map((bell) => bell.stop()));
  });

  async function server(): Promise<{ bell: Doorbell; clock: ManualClock }> {
    const clock = manualClock();
    const bell = new Doorbell({
      connection: database.connection,
      serverId: newUuid(),
      clock,
      logger: silentLogger,
      onRing: (name) => rung.push(name),
    });
    bells.push(bell);
    await bell.start();
    return { bell, clock };
  }

  test("one is alone only once it was counted, and as long as it hears of nobody", async () => {
    const { bell, clock } = await server();
    expect(bell.alone).toBe(false);
    bell.others = 0;
    expect(bell.alone).toBe(true);
    const other = await server();
    while (bell.alone) await turn(); // the hello of the other is on its way
    await clock.advance(15_000);
    expect(bell.alone).toBe(false);
    await other.bell.stop();
    await clock.advance(1);
    expect(bell.alone).toBe(true);
    bell.others = 1;
    expect(bell.alone).toBe(false);
  });

  test("one that has just come is answered, so that it knows without counting", async () => {
    await server();
    const { bell } = await server();
    bell.others = 0;
    while (bell.alone) await turn();
    expect(rung).toEqual([]); // hello and answer ring for nobody
  });

  test("one that cannot be told of others is not alone", async () => {
    const { bell } = await server();
    bell.others = 0;
    await bell.stop();
    expect(bell.alone).toBe(false);
  });
});

describe("a revoked key", () => {
  const engines: RunningEngine[] = [];
  afterEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.stop()));
  });

  /** A server whose time stands still, and that has counted the others. */
  async function server(): Promise<RunningEngine> {
    const { connection } = database;
    const clock = { ...systemClock, mono: () => 0 };
    const engine = await startEngine({ connection, version: "0.0.0", sweeps: false, clock });
    engines.push(engine);
    await engine.sweepOnce();
    return engine;
  }

  async function newProject(engine: RunningEngine): Promise<string> {
    const project = ok(await engine.createProject(newUuid(), origin));
    return fromTypeId("prj", project.id) as string;
  }

  async function newKey(
    engine: RunningEngine,
    project: string,
  ): Promise<{ id: string; key: string }> {
    const input = { name: "ada", roles: ["viewer" as const], expiresAt: null };
    const made = ok(await engine.createKey(project, input, origin));
    return { id: fromTypeId("key", made.id) as string, key: made.key };
  }

  async function revokeByHand(id: string): Promise<void> {
    const revoke = "update signalbox.api_key set revoked_at = clock_timestamp() where id = $1";
    await withClient(database.connection, (client) => client.query(revoke, [id]));
  }

  test("by hand, in the database, is accepted for a while: so it is remembered", async () => {
    const a = await server();
    const { id, key } = await newKey(a, await newProject(a));
    expect(await a.principal(key)).not.toBeNull();
    await revokeByHand(id);
    expect(await a.principal(key)).not.toBeNull();
    const b = await server();
    await a.sweepOnce();
    expect(await a.principal(key)).toBeNull();
    expect(await b.principal(key)).toBeNull();
  });

  test("is refused at once by the server that revoked it, whatever it remembers", async () => {
    const a = await server();
    const project = await newProject(a);
    for (let trial = 0; trial < 20; trial += 1) {
      const { id, key } = await newKey(a, project);
      expect(await a.principal(key)).not.toBeNull();
      const asking = Array.from({ length: trial }, () => a.principal(key));
      ok(await a.revokeKey(project, id, origin));
      expect(await a.principal(key)).toBeNull();
      await Promise.all(asking);
      expect(await a.principal(key)).toBeNull();
    }
  });

  test("is refused at once by every other server that is up", async () => {
    const [a, b] = [await server(), await server()];
    await a.sweepOnce();
    const project = await newProject(a);
    for (let trial = 0; trial < 20; trial += 1) {
      const { id, key } = await newKey(a, project);
      expect(await a.principal(key)).not.toBeNull();
      ok(await b.revokeKey(project, id, origin));
      expect(await a.principal(key)).toBeNull();
    }
  });

  test("is refused by a server that was alone until the other one came", async () => {
    const a = await server();
    const project = await newProject(a);
    const { id, key } = await newKey(a, project);
    expect(await a.principal(key)).not.toBeNull();
    const b = await server();
    ok(await b.revokeKey(project, id, origin));
    expect(await a.principal(key)).toBeNull();
  });
});
