// The house's health, as people ask for it.
// Promises: exactly `HouseHealth` of the wire.
// Leaves to others: readiness for probes (`operators.ts`), who is told what (route).

import { Type } from "../typebox.ts";
import type * as wire from "@signalbox/sdk";
import { named, nullable, oneOf } from "./named.ts";

const string = Type.String();
const integer = Type.Integer();
const at = Type.String({ format: "date-time" });
const list = <S extends Parameters<typeof Type.Object>[0]>(shape: S) =>
  Type.Array(Type.Object(shape));

const buckets = list({ up_to: nullable(Type.Number()), count: integer });

export const houseHealth = named<wire.HouseHealth>()(
  "HouseHealth",
  Type.Object({
    ready: Type.Boolean(),
    database: oneOf(["ok", "unreachable"]),
    sweep_lag_ms: Type.Integer({ description: "Since the last sweep of the server that answers." }),
    version: string,
    started_at: at,
    servers: list({ version: string, started_at: at, seen_ms: integer }),
    horizon: nullable(Type.Object({ age_s: integer, transactions: integer })),
    findings: list({
      check: string,
      verdict: oneOf(["ok", "warn", "fail"]),
      says: string,
      todo: nullable(string),
    }),
    load: nullable(
      Type.Object({
        batchers: list({
          name: oneOf(["control", "work"]),
          flushes: integer,
          items: integer,
          largest: integer,
          waiting: integer,
          refused: integer,
          failed: integer,
          sizes: buckets,
          answered_ms: buckets,
        }),
        tables: list({ name: string, bytes: integer, dead_rows: integer }),
      }),
    ),
  }),
);
