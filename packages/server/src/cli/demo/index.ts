// The demo in one piece, loaded when it is wanted.
// Promises: nothing of its own.
// Leaves to others: everything (the files beside this one).

export { findGround } from "./plan.ts";
export { play } from "./play.ts";
export { openStage } from "./stage.ts";
export { readBack, showVerdict } from "./verdict.ts";
