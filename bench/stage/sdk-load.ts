// The SDK's client and worker as one process beside a server, and what they have measured.
// Promises: a process that ends badly, or met an error, fails the repetition with its words.
// Leaves to others: the process itself (workers/sdk-load.ts).

import type { SdkLoadMeasured, SdkLoadSettings } from "../workers/sdk-load.ts";
import { durabilityOf } from "./durability.ts";
import { workerProgram } from "./places.ts";
import type { Register } from "./register.ts";
import type { Server } from "./server.ts";
import type { Stage } from "./stage.ts";

/** A server of the built program, and its register. */
export type Outside = { stage: Stage; server: Server; register: Register };

type Omitted = "url" | "key" | "seed";
type Asked = SdkLoadSettings extends infer One
  ? One extends SdkLoadSettings
    ? Omit<One, Omitted>
    : never
  : never;

/** Starts `signalbox up` in a folder of the stage. */
export async function openOutside(stage: Stage): Promise<Outside> {
  const server = await stage.startServer();
  const register = server.register();
  stage.postgres = await durabilityOf(register, stage);
  stage.afterwards(() => register.close());
  return { stage, server, register };
}

/** Plays one load to its end. */
export async function playSdkLoad(outside: Outside, asked: Asked): Promise<SdkLoadMeasured> {
  const { stage, server } = outside;
  const { url, credentials } = server;
  const settings = { url, key: credentials.key, seed: stage.options.seed, ...asked };
  const load = stage.processes.start({
    name: "sdk-load",
    command: process.execPath,
    args: [workerProgram("sdk-load"), JSON.stringify(settings)],
  });
  const { code } = await load.exited;
  const said = load.output.at(-1);
  if (code !== 0 || said === undefined) {
    throw new Error(`the load ended with ${code}: ${load.lastWords()}`);
  }
  const measured = JSON.parse(said) as SdkLoadMeasured;
  if (measured.errors.length > 0) {
    throw new Error(`the load met ${measured.errors.length} errors: ${measured.errors[0]}`);
  }
  return measured;
}
