// How the tests run: every workspace's test folder in one suite, against one PostgreSQL.
// Promises: sources are tested, not the build (the SDK is aliased to its source); each test file
// has its own process; two at a time, so that a 2-core machine measures the product, not itself;
// what takes minutes begins first, so that no worker is left alone with it at the end.
// Leaves to others: which PostgreSQL (packages/server/test/setup/global.ts).

import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";
import type { TestSpecification } from "vitest/node";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Where minutes go, the longest first. The rest follows as vitest has it: by size or memory. */
const longest = ["/test/campaigns/smoke.test.ts", "/dashboard/test/", "/server/test/cli/"];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = longest.findIndex((part) => moduleId.includes(part));
      return place < 0 ? longest.length : place;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- no array: vitest's own order
    const usual = await super.sort(files);
    return usual.toSorted((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@signalbox\/sdk$/, replacement: here("packages/sdk/src/index.ts") },
      { find: /^@signalbox\/sdk\/worker$/, replacement: here("packages/sdk/src/worker/index.ts") },
    ],
  },
  test: {
    include: ["packages/*/test/**/*.test.ts"],
    globalSetup: ["packages/server/test/setup/global.ts"],
    setupFiles: ["packages/server/test/setup/properties.ts"],
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for may take its time on a busy machine; a state that never comes still fails.
    expect: { poll: { timeout: 15_000 } },
    // A test that passes only sometimes is a bug of the product or of the test: never tried again.
    retry: 0,
    passWithNoTests: false,
    allowOnly: false,
  },
});
