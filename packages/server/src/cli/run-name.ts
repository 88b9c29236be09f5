// How a run is named on the command line: by its id, the beginning of one, or `last`.
// Promises: `last` means the newest run, and the beginning of an id is enough where it is unique;
// whole ids are not looked up.
// Leaves to others: what is done with the run (commands/), whether a whole id is one (the server).

import type { Door } from "./door.ts";
import { exit } from "./exit-codes.ts";
import { CommandFailed, usage } from "./failure.ts";

/** What may be typed, for help texts. */
export const theRun = { name: "run", says: "id of the run, the beginning of one, or `last`" };

const ID_LENGTH = "run_".length + 26;

/** The id of the run that was meant. Refuses a name of none, and one of several. */
export async function resolveRun(door: Door, text: string): Promise<string> {
  if (text.length >= ID_LENGTH) return text;
  const filter = text === "last" ? { limit: 1 } : { text, limit: 2 };
  const { items } = await door.client.runs.list(filter);
  const [run, second] = items;
  if (run !== undefined && second === undefined) return run.id;
  if (run === undefined) {
    const what = text === "last" ? "There is no run yet." : `No run begins with ${text}.`;
    throw new CommandFailed(exit("noInput"), "not_found", what);
  }
  throw usage(`Several runs begin with ${text}; type more of the id.`);
}
