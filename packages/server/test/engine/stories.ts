// The interpreter of stories: lines like `claim w1 -> r1 token=1`, run one after the other against
// the real engine on PostgreSQL. Left of the arrow what is asked, right of it what must be
// answered.
// Promises: an answer must have exactly the expected words in order, and all expected `name=value`
// fields; a line without an arrow must not be refused; a failing story shows itself up to the line.
// Leaves to others: what the verbs do (verbs.ts), the engine and its time (stage.ts).

import type { Stage } from "./stage.ts";
import type { Scene } from "./verbs.ts";
import { verbs } from "./verbs.ts";

/** A line of a story, cut into its parts. */
type Line = {
  readonly text: string;
  readonly verb: string;
  /** Words that are no fields, in order. */
  readonly words: readonly string[];
  readonly fields: ReadonlyMap<string, string>;
  readonly expected: string | null;
  /** Asked in another project. */
  readonly elsewhere: boolean;
};

/** What a verb is asked with. */
export type Asked = Pick<Line, "words" | "fields">;

/** A story that did not go as told. The message is the story up to the line that failed. */
export class StoryFailed extends Error {
  override readonly name = "StoryFailed";
}

const FIELD = /^([a-z_]+)=(.*)$/;

function cut(text: string): Asked {
  const words: string[] = [];
  const fields = new Map<string, string>();
  for (const [word] of text.matchAll(/(?:[a-z_]+=)?"[^"]*"|\S+/g)) {
    const field = FIELD.exec(word);
    if (field === null) words.push(word);
    else fields.set(field[1] as string, (field[2] as string).replaceAll('"', ""));
  }
  return { words, fields };
}

function lineOf(text: string): Line {
  const [ask = "", expected] = text.split(/\s*->\s*/);
  const { words, fields } = cut(ask);
  const elsewhere = words[0] === "elsewhere";
  const [verb = "", ...rest] = elsewhere ? words.slice(1) : words;
  return { text, verb, words: rest, fields, expected: expected ?? null, elsewhere };
}

/** Whether the answer is what was expected: same words, and every expected field. */
function fits(answer: string, expected: string): boolean {
  const [is, wanted] = [cut(answer), cut(expected)];
  if (is.words.join(" ") !== wanted.words.join(" ")) return false;
  return [...wanted.fields].every(([name, value]) => is.fields.get(name) === value);
}

/**
 * Tells a story in a project of its own. Rejects with {@link StoryFailed} at the first wrong line.
 */
export async function tell(stage: Stage, story: string): Promise<void> {
  const scene = await stage.scene();
  const told: string[] = [];
  const lines = story
    .split("\n")
    .map((line) => line.replace(/(^|\s)#\s.*$/, "").trim())
    .filter((line) => line !== "");
  for (const text of lines) {
    const line = lineOf(text);
    const answer = await play(scene, line);
    const right =
      line.expected === null ? !answer.startsWith("refused ") : fits(answer, line.expected);
    if (!right) {
      const here = `${text}\n    answered: ${answer}`;
      throw new StoryFailed(["", ...told, here].join("\n  "));
    }
    told.push(text);
  }
}

async function play(scene: Scene, line: Line): Promise<string> {
  const verb = verbs[line.verb];
  if (verb === undefined) throw new StoryFailed(`unknown verb: ${line.text}`);
  const where = line.elsewhere ? { ...scene, projectId: scene.elsewhere } : scene;
  const answer = await verb(where, line);
  await scene.engine.parts.after.settled();
  return answer;
}
