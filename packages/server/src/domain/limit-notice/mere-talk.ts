// Talk about limits: source text, settings, tests, documents, and prose of somebody who works on
// them. The words are those of a refusal, yet nobody was refused.
// Promises: linear; looks at the line and the sentence around a place, at most 240 characters each
// way; never asked about the body of an answer that failed, for that is the provider's own word.
// Leaves to others: which words are a refusal (refusal-words.ts).

import { anyOf } from "./alternatives.ts";
import { sentenceBefore, sentenceBehind } from "./sentence.ts";

const AROUND = 240;

/** A line of source text, of a diff, of a search, of a test's report. */
const sourceLine: readonly RegExp[] = [
  // Comments, diffs, results of a search, reports of a test.
  /^(?:\/\/|\/\*|\*\/? |#(?!\d)|<!--|--(?= )|@@|diff --|\+ ?(?=[a-z"'`{}()[\]/#]))/,
  /^(?:[\w@.-]{1,60}\/){0,8}[\w@.-]{1,60}\.[a-z]{1,5}[:(-]\d{1,6}[:)-]/,
  anyOf("", [
    String.raw`^(?:[✓✔√☑]|(?:not )?ok \d|(?:pass|fail)(?:ed)?\b:?|--- (?:pass|fail)|=== run|` +
      String.raw`should |\d{1,4}\) )`,
  ]),
  // Statements.
  anyOf("", [
    String.raw`(?<!["'])=>|\bfunction\b ?\w{0,40}\(`,
    String.raw`\b(?:const|let|var) \w{1,60}(?:: \w{1,30})? ?=|\bdef \w{1,60}\(`,
  ]),
  anyOf("", [
    String.raw`\bclass \w{1,60}(?: extends|\(|:| \{)|^(?:import|export) |\bfrom ["']`,
    String.raw`[)"'\x60\]}];$`,
    String.raw`(?:\w\(|= ).{0,200}\w;$`,
  ]),
  anyOf("", [
    String.raw`\breturn (?:new\b|[\w.]{1,60}[;(]|["'\x60{[]|null|true|false|\d)`,
    String.raw`\b(?:throw|raise) (?:new )?\w{1,60}\(`,
  ]),
  anyOf("", [
    String.raw`^(?:\} ?)?(?:else ?)?(?:if|while|switch|catch|elif|for) ?\(`,
    "^(?:if|elif|while|except|match|case) .{1,90}:$",
  ]),
  /\b(?:it|test|describe|expect|assert\w{0,20}|panic|format|sprintf|print(?:ln|f)?)!?\(/,
  anyOf("", [
    String.raw`\b(?:console|log|logger|logging|fmt|mock|jest|vi)\.\w{1,20}\(`,
    String.raw`\.to(?:be|equal|throw|match|contain|have)\w{0,20}\(`,
  ]),
  /===|!==|(?<!\w)&& |\|\||::new\(|["'`] ?\+ ?\w|\w ?\+ ?["'`]|\$\{/,
  /\bassertionerror\b|\bexpected ["']/,
  // Constants and settings.
  /\b(\w{4,60})["']? ?[:=] ?["']\1["']|^(?:export )?[a-z]+_\w{1,60}=\S{0,80}$/,
  /\{ ?[a-z-]{2,30}: [^"{}]{1,60}; ?\}/,
  // Commands and their subjects.
  /^\$ |^> (?:npm|node|git|python|cargo|go|curl)\b|\b(?:grep|rg|echo|git commit) [-"']/,
  anyOf("", [
    "^(?:[0-9a-f]{7,40} )?(?:feat|fix|docs|chore|refactor|test|perf|build|ci)" +
      String.raw`(?:\([\w/-]{1,30}\))?!?: (?!http)`,
  ]),
  /^\||\| ?\d{3} ?\|/,
];
/** What a tool or a model was given, or what a model wrote. */
const CONTENT = /"type": ?"tool_(?:result|use)"|"role": ?"user"|"tool_use_result"|"choices": ?\[/;

/** The words are the name of a setting. */
const SETTING = /^["']?\s?: ?["']?[\w.-]{1,30}["']?,?(?:\n|$)/;

/** Before the words, in their sentence. */
const announced: readonly RegExp[] = [
  anyOf("", [
    String.raw`\b(?:if|when|whenever|once|unless|until|in case|as soon as|after|before|` +
      "every time|each time|even if|what if|where|how|whether) (?:you|your|the|a|an|" +
      "it|this|that|we|i|they|any|anyone|one|our|my|their|its|requests?|usage|rate|" +
      "quotas?|limits?|providers?|users?|clients?|agents?|claude|codex|there|someone|api|" +
      String.raw`calls?|all|another|accounts?|models?|to)\b`,
  ]),
  anyOf("", [
    String.raw`\b(?:i|we|i've|we've|i'll|we'll|i'm|let me|let's|i'd|should|could|might|may|must|` +
      "can|would be|will be|want to|need to|needs to|supposed to|tries to|try to|" +
      String.raw`going to|able to) (?:\w{1,14} ){0,3}(?:add|implement|handl|fix|refactor|test|` +
      "document|support|writ|wrote|updat|chang|creat|introduc|check|catch|pars|detect|" +
      "simulat|mock|treat|retr|log|show|return|report|explain|describe|expect|see|look|" +
      "make|made|cover|assert|trigger|get|be|show|throw|rais|wait|back|stop|reject|" +
      "respond)",
  ]),
  anyOf("", [
    String.raw`\b(?:add(?:s|ed|ing)|implement(?:s|ed|ing)|handl(?:e|es|ed|ing)|refactor\w{0,3}|` +
      "fix(?:es|ing)|document(?:s|ed|ing|ation)|test(?:s|ed|ing)?|parses?|parsing|parsed|" +
      String.raw`detects?|detecting|detected|simulat\w{1,5}|mock\w{0,4}|covers?|assert\w{0,6}|` +
      String.raw`verif\w{1,5}|ensur\w{1,3}|describ\w{1,4}|explain\w{0,4}|throws?|raises?|emits?|` +
      String.raw`returns?|returning|respond(?:s|ing)? with|answers? with|recogni[sz]\w{1,4}|` +
      String.raw`classif\w{1,5}|treats?|matches|maps?|logs?|prints?|displays?|shows|` +
      String.raw`renders?|means|` +
      String.raw`meaning|represents?|indicates?|such as|e\.g\.|for example|for instance|example|` +
      "fixture|readme|changelog|pull request|commit|middleware|handler|constant|enum|" +
      "regex|docstring|comment|case|cases|scenario|avoids?|avoiding|prevents?|preventing|" +
      String.raw`instead of|rather than|due to earlier|configur\w{1,6}|setting|option|default|` +
      String.raw`question|about|phrase|string|text|word|words|called|named|labell?ed)\b`,
  ]),
  /\b(?:if|when|whenever|once|until|unless|on) $/,
  // A relative clause: `agents that hit a limit`.
  anyOf("", [
    String.raw`\b(?:agents?|clients?|users?|runs?|requests?|calls?|accounts?|workers?) (?:that|` +
      "which|who)(?: have| has| had)? $",
  ]),
  anyOf("", [
    String.raw`\b(?:no|not|never|without|isn't|aren't|wasn't|weren't|haven't|hasn't|hadn't|` +
      "didn't|don't|doesn't|won't|can't|cannot|no longer|stopped being|previously|" +
      String.raw`earlier|yesterday|last (?:week|night|month|time)|ago)(?: [\w']{1,14}){0,2} ?$`,
  ]),
];
/** Quoted, but not as a value. */
const QUOTED =
  /`[\w ]{0,20}$|(?<![a-z]|[:=([{,] ?)["'][\w ]{0,20}$|"\d{3}": ?\{ ?"description": ?"$/;

/** Behind the words, in their sentence. */
const concluded: readonly RegExp[] = [
  anyOf("", [
    String.raw`^["'\x60)\]]{0,3} (?:errors?|responses?|exceptions?|messages?|notices?|banners?|` +
      "cases?|scenarios?|tests?|paths?|branch(?:es)?|handling|handlers?|logic|middleware|" +
      "features?|detection|parser|policy|behaviou?r|state|codes?|status(?:es)?|pages?|" +
      String.raw`docs?|sections?|headers?|events?|warnings?)\b(?! from| code:| id)`,
  ]),
  anyOf("", [
    String.raw`\b(?:should (?:be|return|throw|retry|trigger|never|not)|(?:is|are|was|were|gets?|` +
      "being) (?:now |properly |correctly |gracefully |then |only |also )?(?:handled|" +
      "retried|tested|documented|returned|thrown|raised|shown|caught|covered|logged|" +
      "parsed|recogni[sz]ed|fixed|resolved|mocked|simulated|simplified|detected|counted)|" +
      "returns? (?:a |an )?(?:429|null|true|false|none|error)|must (?:be|return)|" +
      String.raw`would (?:be|return|cause|trigger)|so (?:i|we|it)\b|i (?:added|fixed|retried|` +
      String.raw`waited|changed|switched))\b`,
  ]),
  anyOf("", [
    String.raw`\bas (?:expected|intended|designed)\b|\bby design\b|\bwhat it means\b|\bhow to\b`,
    String.raw`\bexplained\b|\bhelp center\b`,
  ]),
  // A question, a template, a style sheet.
  /^[^.]{0,80}\?(?: |$)/,
  /^(?:::?[a-z]{1,12})? ?\{/,
  /^`/,
];

const EXAMPLE = /\b(?:for example|e\.g\.|for instance|such as)[ ,]/;

/** A value that is yet to be put in. */
const TEMPLATE = /(?<![\w-])\{\{? ?[\w.]{1,40} ?\}|%[sd]\b|\$\{/;

/** JSON and streams of it are data, whatever signs they hold. */
const IS_DATA = /[{[] ?["']|["'] ?[}\]]|^(?:event|data):/;

/**
 * Whether the words at a place only speak of limits.
 *
 * @example
 * isMereTalk("i added handling for usage limit reached errors", 21, 40); // true
 */
export function isMereTalk(lined: string, from: number, to: number): boolean {
  const { line, at } = lineAround(lined, from);
  const own = IS_DATA.test(line) ? valueAround(line, at) : line;
  if (CONTENT.test(line.slice(0, at)) || sourceLine.some((one) => one.test(own))) return true;
  const isFirst = /^\s*["']?$/.test(line.slice(0, at));
  if (isFirst && SETTING.test(lined.slice(to, to + 60))) return true;
  const before = sentenceBefore(lined, from);
  // Behind a colon stands what was said, before it who said it.
  const ahead = before.slice(before.search(/[:：](?: |["'])[^:：]*$/) + 1);
  const near = lined.slice(Math.max(0, from - 40), from).replaceAll("\n", " ");
  if (QUOTED.test(near) || EXAMPLE.test(before)) return true;
  if (announced.some((one) => one.test(ahead))) return true;
  if (TEMPLATE.test(lined.slice(to, to + 100).replace(/\n[^]*/, ""))) return true;
  const rest = sentenceBehind(lined, to);
  return concluded.some((one) => one.test(rest));
}

function lineAround(lined: string, at: number): { line: string; at: number } {
  const start = Math.max(lined.lastIndexOf("\n", at - 1) + 1, at - AROUND, 0);
  const end = lined.indexOf("\n", at);
  const stop = Math.min(end < 0 ? lined.length : end, at + AROUND);
  return { line: lined.slice(start, stop), at: at - start };
}

/** Of a line of data, the string in which a place lies. */
function valueAround(line: string, at: number): string {
  const start = Math.max(line.lastIndexOf('": "', at), line.lastIndexOf('":"', at));
  const from = start < 0 ? 0 : line.indexOf('"', start + 2) + 1;
  const end = line.slice(at).search(/["'] ?[,}\]]/);
  return line.slice(from, end < 0 ? line.length : at + end);
}
