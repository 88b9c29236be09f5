// Where generators find what was built: through node_modules, as any program would, so that they
// also work from a copy of tools/ (the tests of the tools make one).
// Promises: a module of packages/server/dist, by its path there.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Imports `dist/<path>` of the server. Run `npm run build` first. */
export function built(root, path) {
  return import(pathToFileURL(join(root, "node_modules/signalbox/dist", path)).href);
}

/** A row of a Markdown table. */
export function row(...cells) {
  return `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
}
