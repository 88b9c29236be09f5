// A whole worker in a process of its own, to be killed: `node worker-process.mjs <url> <script>`.
// Runs the build, since Node 20 cannot run TypeScript. Told to stop by SIGTERM.

import { Signalbox } from "../../dist/index.js";
import { Worker } from "../../dist/worker/index.js";
import { processHandler, supervisorKeeper } from "../../dist/worker/process/index.js";

const [url, script, mark, leaseMs = "60000"] = process.argv.slice(2);
const onDeath = () => void worker.stop({ drainMs: 0 });
const supervisor = supervisorKeeper({ killGraceMs: 400, orphanGraceMs: 400, onDeath });
const worker = new Worker(new Signalbox({ url, key: "sbx_worker_secret_0123456789" }), {
  agents: ["zoo"],
  keeper: supervisor,
  leaseMs: Number(leaseMs),
  heartbeatMs: 100,
  drainMs: 100,
});
const env = { ZOO: mark };
const args = ["-c", script, mark];
worker.handle(processHandler({ supervisor, command: "bash", args, env, drainMs: 300 }));
await worker.start();
