// What looks like a refusal and is none, as tables: requests that are too large, limits that are
// not the provider's, warnings before a limit and good news after it.
// Promises: linear; a row that takes a refusal back says where, so that a real one behind it stays.
// Leaves to others: words about limits in prose and code (mere-talk.ts).

import { anyOf } from "./alternatives.ts";
import type { PlainText } from "./plain-text.ts";

/** Waiting never helps: the request itself does not fit. */
const tooLarge: readonly RegExp[] = [
  anyOf("g", [
    String.raw`\b(?:prompt|input|request|message|conversation|text|content|file|image|payload|` +
      String.raw`document)s? (?:is |are |was )?too (?:long|large|big)\b`,
  ]),
  anyOf("g", [
    String.raw`\brequest_too_large\b|\b(?:payload|entity|content|body) too large\b`,
    String.raw`\bcontext_length_exceeded\b|\bstring_above_max_length\b`,
  ]),
  /\b(?:maximum|max|model's|model) (?:allowed |input )?context (?:length|window|size)\b/g,
  anyOf("g", [
    String.raw`\bcontext (?:length|window|limit|size)(?: (?:limit|size|of|has|been|was|is))` +
      "? ?(?:exceed|reached|full|too|overflow)",
  ]),
  anyOf("g", [
    String.raw`\bexceed(?:s|ed|ing)? (?:(?:the|model's|model|maximum|max|allowed|its|this|your|` +
      "available) ){0,4}(?:context|input length|(?:input |output |max |prompt )" +
      String.raw`?token limit\b|(?:maximum )?(?:allowed )?(?:number of )?(?:input |output )` +
      "?tokens (?:allowed|for|of))",
  ]),
  anyOf("g", [
    String.raw`\binput token count\b|\bmaximum tokens\b`,
    String.raw`\bmax_(?:output_|completion_)?tokens["']?:? ?\d`,
    String.raw`\bmax_(?:output_|completion_)?tokens (?:is|was|has|must|cannot|exceed|reached|` +
      "limit)",
  ]),
  /\btoo many (?:input |prompt )?tokens(?!,? ?please ?wait|,? ?wait| ?per )/g,
  anyOf("g", [
    String.raw`\brequest too large for\b`,
    String.raw`\b(?:reduce|shorten) (?:the |your )?(?:length|prompt|input|messages)\b`,
  ]),
  anyOf("g", [
    String.raw`\bexceeds? (?:the )?(?:size|length|file size|maximum size|page) limit`,
    String.raw`\bexceeds? (?:the )?(?:maximum|limit)(?: of)? ?\(?[\d,.]{1,12} ?(?:mb|mib|kb|gb|` +
      String.raw`bytes|characters|chars|pages|images|tokens)?\b(?! (?:requests|per))`,
  ]),
  /\d{2,12} > \d{2,12} (?:maximum|max|bytes|characters|chars|tokens|lines|columns)/g,
  /超(?:过|出)(?:了)?(?:模型)?(?:最大)?(?:上下文|长度|token)|上下文(?:长度|窗口)?(?:过长|超)/g,
];

/** Subjects before a limit that are not the account's: those of a run, a machine, a tool. */
export const otherLimit = new RegExp(
  String.raw`\b(?:context|turns?|steps?|iterations?|recursions?|depth|nesting|output|memory|heap|` +
    "stack|cpu|disk|storage|inode|file|files|upload|attachment|body|payload|size|sizes|length|" +
    "line|lines|" +
    "character|characters|column|columns|page|pages|row|rows|time|timeouts?|duration|" +
    "execution|runtime|wall|deadline|retry|retries|redirects?|attempts?|login|password|tool|" +
    "tools|function|process|processes|thread|threads|descriptors?|watch(?:es|ers?)?|inotify|" +
    "pool|buffer|batch|header|url|query length|complexity|coverage|warning|error|errors|" +
    "seats?|members?|users|projects|repositories|resource|pods?|compute-resources|namespace|" +
    "max-turns|max_turns|speed|lower|upper|type|integer|numeric|gas|trade|position|stop|chunk|" +
    String.raw`thinking|max_tokens|branch|diff|patch|polling)\b`,
);

/** Before the limit: work goes on. Taken at the sentence in which it stands. */
export const warning = new RegExp(
  [
    String.raw`(?<![\d.])(?:\d|[1-9]\d)(?:\.\d{1,3})? ?(?:%|percent)`,
    String.raw`\b(?:approaching|nearing|close to|near(?:ly)? (?:at|out|your|the)|almost|about to|` +
      String.raw`running low|soon|getting close|on track to|within \d{1,3} ?% of)\b`,
    String.raw`\b(?:requests|messages|prompts|tokens|credits|queries) (?:left|remaining)` +
      String.raw`\b(?<!\b(?:no|0|zero)(?: \w{1,12}){0,2} (?:requests|messages|prompts|tokens|` +
      "credits|queries) (?:left|remaining))",
  ].join("|"),
);

/** After the limit: it is over, or what stood in the way was overcome. */
const over = anyOf("g", [
  String.raw`\b(?:succeeded|successful(?:ly)?|recovered|resum(?:ed|ing) (?:work|the|session|` +
    "run|after)|back to normal|it worked|now works|works now|went through|" +
    String.raw`no longer (?:rate[- ])?limited|all (?:\d{1,6} )?(?:tests|checks|done|good)|` +
    String.raw`going on with|continuing with the session|(?:limits?|quota|usage)(?: \w{1,10})` +
    "{0,2} (?:has|have|was|were|is|are) (?:been )?(?:now )?(?:reset|lifted|restored|" +
    "cleared|renewed|refreshed)|limit reset time has come|(?:request|retry|call|" +
    String.raw`attempt \d{1,3}) (?:ok|succeeded)|\| success \||\bok \(\d{3}\)|` +
    String.raw`(?:http\/[\d.]{1,3}|status(?: code)?:?|->|→|returned|got) 200\b|200 ok)\b`,
]);

/** A stream of events that ends well. */
const endedWell = anyOf("g", [
  String.raw`"subtype": ?"success"(?:, ?"[\w-]{1,30}": ?[\w.]{1,20}){0,3}?, ?"is_error": ?false`,
  String.raw`"type": ?"turn\.completed"|"type": ?"result", ?"status": ?"success"`,
]);
/** Somebody waited, and the work was done: the lines behind tell. */
const waitedAndDone = anyOf("g", [
  String.raw`(?:retrying|waiting|sleeping|backing off|` +
    String.raw`backoff)[^\n]{0,80}\n(?:[^\n]{0,120}\n){0,2}?` +
    String.raw`[^\w\n]{0,4}(?:done|completed|finished)\b`,
]);

/** Places where a text says that the request itself does not fit, the last one. */
export function lastTooLarge({ folded, joined }: PlainText): number {
  return Math.max(lastOf(tooLarge, folded), lastOf(tooLarge, joined));
}

/** Where a text says that a limit is over, the last place. */
export function lastOver({ folded, lined }: PlainText): number {
  return Math.max(lastOf([over, endedWell], folded), lastOf([waitedAndDone], lined));
}

function lastOf(patterns: readonly RegExp[], text: string): number {
  let last = -1;
  for (const pattern of patterns) {
    for (const { index } of text.matchAll(pattern)) last = Math.max(last, index);
  }
  return last;
}
