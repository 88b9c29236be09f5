// The only way in to typebox, whose three entries are some 700 modules.
// Promises: the build puts this file and what it reaches into one (tools/bundle.mjs), so that a
// start reads one file instead of 700, a third of its time.
// Leaves to others: what is described with it (schemas/, routes/).

export { Type } from "typebox";
export type { Static, TProperties, TSchema } from "typebox";
export { Compile } from "typebox/compile";
export { Settings } from "typebox/system";
