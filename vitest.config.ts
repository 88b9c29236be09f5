// How the tests run: every workspace's test folder in one suite, against one PostgreSQL.
// Promises: sources are tested, not the build (the SDK is aliased to its source); each test file
// has its own process; two at a time, so that a 2-core machine measures the product, not itself.
// Leaves to others: which PostgreSQL (packages/server/test/setup/global.ts).

import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

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
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A test that passes only sometimes is a bug of the product or of the test: never tried again.
    retry: 0,
    passWithNoTests: false,
    allowOnly: false,
  },
});
