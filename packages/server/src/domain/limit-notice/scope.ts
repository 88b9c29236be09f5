// Whether a limit closes the account or one model, and which.
// Promises: linear; a model counts only where the text ties the limit to it: `limit reached for M`,
// `Opus weekly limit`, `quotaDimensions: {model}`; money is always the account's.
// Leaves to others: whether there is a limit at all (reason.ts).

import { anyOf } from "./alternatives.ts";
import type { PlainText } from "./plain-text.ts";
import type { Reason } from "./reason.ts";

/** The scope of a limit. */
export type Scope = { readonly scope: "account" | "model"; readonly model?: string };

const NAME = String.raw`[\`'"]?(?<model>[a-z][\w.:/@-]{1,63})`;

/** Where a text ties a limit to a model. */
const ties: readonly RegExp[] = [
  new RegExp(
    String.raw`\b(?:limit|quota|capacity|requests|exceeded|available|overloaded|demand)` +
      String.raw`(?: \w{1,12}){0,3}? (?:for|on|of) (?:the )?(?:base )?(?:model:? )?${NAME}`,
  ),
  new RegExp(String.raw`limit_?type["']? ?[:=] ?["']?[a-z]{3,8}_(?:day|hour|week)_${NAME}`),
  new RegExp(String.raw`quotadimensions["': {]{1,8}[^{}]{0,80}?model["']?: ?${NAME}`),
  new RegExp(String.raw`\b(?:limit: \d{1,12}, |base )model:? ${NAME}`),
  new RegExp(
    String.raw`\b${NAME} (?:weekly |daily |5-hour |quota )?limit(?: reached| exceeded|\b)`,
  ),
  new RegExp(
    String.raw`(?:daily|weekly|monthly|your) ${NAME} (?:quota|usage|weekly|daily)? ?limit`,
  ),
  new RegExp(String.raw`\bmodel ${NAME} (?:is|has|was) `),
];
/** The text means one model and does not name it. */
const UNNAMED = /\b(?:on|for|of) this model\b|\bmodel (?:limit|quota)\b|\bper[- ]model limit/;

const FAMILY = anyOf("", [
  String.raw`^(?:claude|opus|sonnet|haiku|gpt|o\d|codex-mini|gemini|gemma|llama|mistral|` +
    String.raw`codestral|grok|qwen|glm|kimi|deepseek|command-r)(?:$|[\d.:/@_-])`,
]);
const LIKE_A_MODEL = /^(?=[\w./:@-]*[a-z])(?=[\w./:@-]*[-.])(?=[\w./:@-]*\d)[a-z][\w.:/@-]{2,63}$/;
const NO_MODEL = anyOf("", [
  "^(?:org|proj|project|req|user|key|account|acct|https?)[-_:]|^x-",
  String.raw`\.(?:com|ai|dev|io|org|googleapis)\b|per-(?:day|min)|-hour$`,
]);

/** The scope of a limit, as far as the text tells. */
export function scopeOf(reason: Reason, { raw, folded }: PlainText): Scope {
  if (reason === "billing") return { scope: "account" };
  for (const tie of ties) {
    const found = tie.exec(folded);
    const name = found?.groups?.["model"]?.replace(/[.:,/-]+$/, "") ?? "";
    if (found === null || !(FAMILY.test(name) || LIKE_A_MODEL.test(name))) continue;
    if (NO_MODEL.test(name)) continue;
    // As the text writes it: lower case is of our own making.
    const at = folded.indexOf(name, found.index);
    return { scope: "model", model: raw.slice(at, at + name.length) };
  }
  return UNNAMED.test(folded) ? { scope: "model" } : { scope: "account" };
}
