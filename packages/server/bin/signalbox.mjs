#!/usr/bin/env node
// The command `signalbox`: checks the version of Node, then loads what was built.
// Promises: stands in the repository, so that npm links it before anything is built; reads by every
// Node that knows `import()`, so that an old one is told what it lacks in one sentence (exit 78).
// Leaves to others: everything else (src/cli/main.ts).

const EXIT_CONFIG = 78;
const [major, minor] = process.versions.node.split(".").map(Number);

function refuse(sentence) {
  process.stderr.write("signalbox: " + sentence + "\n");
  process.exit(EXIT_CONFIG);
}

if (major < 20 || (major === 20 && minor < 19)) {
  refuse("This needs Node 20.19 or newer, and this is " + process.version + "; update Node.");
} else {
  import("../bundle/main.js").then(
    (cli) => cli.main(process.argv.slice(2)),
    (error) => {
      const notBuilt = error && error.code === "ERR_MODULE_NOT_FOUND";
      if (!notBuilt) throw error;
      refuse(
        "It is not built or not installed whole (" +
          error.message +
          "); run `npm ci` and `npm run build`.",
      );
    },
  );
}
