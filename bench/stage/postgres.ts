// The PostgreSQL driver of the server package, and nothing else of it.
// Promises: the same driver that the product uses; no second copy, no dependency of its own.
// Leaves to others: connections (register.ts, database.ts).

import { createRequire } from "node:module";

import type pg from "pg";

import { serverModule } from "./places.ts";

const driver = createRequire(serverModule("index.js"))("pg") as typeof pg;

export const { Client } = driver;
export type Client = pg.Client;
