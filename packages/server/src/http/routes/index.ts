// All routes of the server, in the order of the documentation.
// Promises: a route that is not listed here does not exist.
// Leaves to others: each route (the files beside this one), serving them (`../register.ts`).

import type { Route } from "../route.ts";
import { eventRoutes } from "./events.ts";
import { keyRoutes } from "./keys.ts";
import { machineRoutes } from "./machine.ts";
import { projectRoutes } from "./projects.ts";
import { queueRoutes } from "./queues.ts";
import { runControlRoutes } from "./run-control.ts";
import { runEventRoutes } from "./run-events.ts";
import { runWorkerRoutes } from "./run-worker.ts";
import { runRoutes } from "./runs.ts";
import { runtimeRoutes } from "./runtimes.ts";
import { workerRoutes } from "./worker.ts";

export function routesOf(version: string, describe: () => object): Route[] {
  return [
    ...runRoutes,
    ...runControlRoutes,
    ...runEventRoutes,
    ...workerRoutes,
    ...runWorkerRoutes,
    ...runtimeRoutes,
    ...queueRoutes,
    ...projectRoutes,
    ...keyRoutes,
    ...eventRoutes,
    ...machineRoutes(version, describe),
  ];
}
