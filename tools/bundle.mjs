// Third part of `npm run build`: the command as it is shipped, in a few files instead of hundreds.
// Promises: packages/server/bundle/ holds what the command reads of dist/ and of the packages it
// uses, made anew each time, from dist/ alone (ADR 0014). Modules that find files beside themselves
// find them in dist/.
// Leaves to others: compiling (tsc); the embedding API and most tests use dist/ or src/ unbundled.

import { rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { rolldown } from "rolldown";

const server = fileURLToPath(new URL("../packages/server/", import.meta.url));
const out = join(server, "bundle");

// pino starts a thread from a file of its own; the worker half of the SDK forks files of its own.
const left = ["pino", "pg-native", "iovalkey", "@signalbox/sdk/worker"];

// Reached by `require` in packages we use, and never called by us: the API has no YAML, and our own
// checks read and write all JSON.
const unused = new Set(["yaml", "@fastify/ajv-compiler", "@fastify/fast-json-stringify-compiler"]);
const leftOut = {
  name: "left-out",
  resolveId: (id) => (unused.has(id) ? `\0unused:${id}` : null),
  load: (id) =>
    id.startsWith("\0unused:")
      ? `export default () => { throw new Error(${JSON.stringify(`${id.slice(8)} is left out`)}) };`
      : null,
};

/** In one file all modules would have the same `import.meta.url`: each keeps that of dist/. */
const ownPlaces = {
  name: "own-places",
  transform: {
    filter: { id: join(server, "dist/**"), code: "import.meta.url" },
    handler: (code, id) => {
      const place = JSON.stringify(relative(out, id).replaceAll("\\", "/"));
      const own = `new URL(${place}, import.meta.url).href`;
      return { code: code.replaceAll("import.meta.url", own), map: null }; // lines stay the same
    },
  },
};

/** The driver makes a `Response` to learn if it runs at Cloudflare, which loads all of fetch. */
const onNode = {
  name: "on-node",
  transform: {
    filter: { id: /pg\/lib\/stream\.js$/ },
    handler: (code) => {
      const asked = "typeof Response === 'function'";
      if (!code.includes(asked)) throw new Error("pg/lib/stream.js no longer asks for Response");
      return { code: code.replace(asked, "false"), map: null };
    },
  },
};

rmSync(out, { recursive: true, force: true });
const bundle = await rolldown({
  input: join(server, "dist/cli/main.js"),
  platform: "node",
  external: left,
  plugins: [leftOut, onNode, ownPlaces],
  logLevel: "warn",
});
await bundle.write({
  dir: out,
  format: "esm",
  entryFileNames: "[name].js",
  chunkFileNames: "[name]-[hash].js",
  // A third of the reading; `NODE_OPTIONS=--enable-source-maps` shows traces as they were written.
  minify: true,
  sourcemap: true,
});
await bundle.close();
