// `npm run pictures [folder]`: a picture of every screen, in both themes and at four widths.
// Promises: nothing but the folder is written (default: test-results/pictures, which git ignores);
// ends with the same code as the run that takes them.
// Leaves to others: what is on the pictures (packages/dashboard/test/pictures.test.ts), choosing the
// few that go into docs/pictures.

import { spawnSync } from "node:child_process";
import { resolve } from "node:path";

const folder = resolve(process.argv[2] ?? "test-results/pictures");
const { status } = spawnSync("npx", ["vitest", "run", "packages/dashboard/test/pictures.test.ts"], {
  stdio: "inherit",
  env: { ...process.env, SIGNALBOX_PICTURES: folder },
});
process.stdout.write(`pictures: ${folder}\n`);
process.exit(status ?? 1);
