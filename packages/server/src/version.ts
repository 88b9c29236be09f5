// The version of this package, from its package.json: one number for server, command line and SDK.
// Promises: read once, beside `src` and `dist` alike.

import { readFileSync } from "node:fs";

const about = new URL("../package.json", import.meta.url);

/** Such as `0.1.0`. */
export const version: string = (JSON.parse(readFileSync(about, "utf8")) as { version: string })
  .version;
