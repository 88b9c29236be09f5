// Talk about limits: source text, settings, tests, documents, and prose of somebody who works on
// them. The words are those of a refusal, yet nobody was refused.
// Promises: linear; looks at the line and the sentence around a place, at most 240 characters each
// way; never asked about the body of an answer that failed, for that is the provider's own word.
// Leaves to others: which words are a refusal (refusal-words.ts).

import { anyOf } from "./alternatives.ts";
import { sentenceBefore, sentenceBehind } from "./sentence.ts";
import { isInBlock, isSourceLine } from "./source-line.ts";

const AROUND = 240;

/** What a tool or a model was given, or what a model wrote. */
const CONTENT = anyOf("g", [
  '"type": ?"(?:tool_(?:result|use)|command_execution|agent_message|mcp_tool_call)"',
  '"role": ?"user"|"tool_use_result"|"choices": ?\\[|"aggregated_output": ?"',
]);
/** A record of a stream of JSON lines begins. */
const RECORD = /\n(?=\{ ?")/g;

/** The JSON of a setting that holds the words as one of its values. */
const AMONG_SETTINGS = anyOf("", [
  String.raw`"window_?(?:ms|seconds)": ?\d|"requests_?per_?\w{1,10}": ?\d|` +
    String.raw`"enabled": ?(?:true|false)`,
]);

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
      String.raw`returns?|returning|respond(?:s|ing)? with|answers?|rejects?|backs off|` +
      String.raw`recogni[sz]\w{1,4}|` +
      String.raw`classif\w{1,5}|treats?|matches|maps?|logs?|prints?|displays?|shows|` +
      String.raw`renders?|means|` +
      String.raw`meaning|represents?|indicates?|such as|e\.g\.|for example|for instance|example|` +
      "fixture|readme|changelog|pull request|commit|middleware|handler|constant|enum|" +
      "regex|docstring|comment|case|cases|scenario|avoids?|avoiding|prevents?|preventing|" +
      String.raw`instead of|rather than|due to earlier|configur\w{1,6}|setting|option|default|` +
      String.raw`question|about|phrase|string|text|word|words|called|named|labell?ed)\b`,
  ]),
  /\b(?:if|when|whenever|once|until|unless|on) $/,
  /\b(?:are|be|get) (?:answered|refused|rejected|met|delayed) (?:by|with)\b/,
  anyOf("", [
    String.raw`(?<![\w\u00df-\u024f\u0430-\u045f])(?:wenn|falls|sobald|lorsqu'?e?|quand|dès que|` +
      "cuando|quando|se [oa]s?|se (?:você|il|lo|la)|si (?:vous|le|la|les|el|los|il|se|tu)|" +
      "als (?:de|het|je)|" +
      String.raw`jeśli|gdy|если|когда|якщо|коли)(?![\w\u00df-\u024f\u0430-\u045f])`,
    String.raw`\b(?:gestern|vorhin|ayer|ontem)\b|昨天|昨日|어제|вчера`,
    "当(?![前日天月周])|當(?![前日天月週])|如果|一旦|假如|每当",
  ]),
  /\b(?:maybe|perhaps|presumably|i (?:suspect|think|guess|assume)|hypothes[ei]s)\b/,
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
const QUOTED = anyOf("", [
  String.raw`[「『][^」』\n]{0,20}$|\x60[\w ]{0,20}$|(?<![a-z]|[:=([{,] ?)["'][\w ]{0,20}$`,
  String.raw`"\d{3}": ?\{ ?"description": ?"$`,
]);

/** Behind the words, in their sentence. */
const concluded: readonly RegExp[] = [
  anyOf("", [
    String.raw`^["'\x60)\]]{0,3} (?:errors?|responses?|exceptions?|messages?|notices?|banners?|` +
      "cases?|scenarios?|tests?|paths?|branch(?:es)?|handling|handlers?|logic|middleware|" +
      "features?|detection|parser|policy|behaviou?r|state|codes?|status(?:es)?|pages?|" +
      String.raw`docs?|sections?|headers?|events?|warnings?)\b(?! from| code:| id|[=:(])`,
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
  // The condition of a language that has its verb at the end.
  /^(?:さ?れ?た?(?:場合|とき|際|ら[、,])|れば)|^(?:하면|되면|했을 때|할 때|하는 경우)/,
  /^(?:::?[a-z]{1,12})? ?\{(?! ?\w{1,40}: ?(?:some|none|\d|"))/,
  /^`/,
];

/** Which requests, not that there are some: `requests over the limit are refused`. */
const ATTRIBUTE = /^(?:over|above|beyond|past)\b/;
const OF_SUBJECT = /\b(?:requests|calls|clients|users|messages|agents|keys) $/;

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
  const isData = IS_DATA.test(line);
  const own = isData ? valueAround(line, at) : line;
  if (isSourceLine(own) || isContent(lined, from)) return true;
  // Data may be an argument, or be shown with a sentence.
  if (isData && isSourceLine(line.slice(0, Math.min(at, line.search(/[{[]/) + 1)))) return true;
  if (isData && AMONG_SETTINGS.test(line)) return true;
  if (isInBlock(lined, line, from, to)) return true;
  const isFirst = /^\s*["']?$/.test(line.slice(0, at));
  if (isFirst && SETTING.test(lined.slice(to, to + 60))) return true;
  const before = sentenceBefore(lined, from);
  // Behind a colon stands what was said, before it who said it.
  const ahead = before.slice(before.search(/[:：](?: |["'])[^:：]*$/) + 1);
  const near = lined.slice(Math.max(0, from - 40), from).replaceAll("\n", " ");
  if (QUOTED.test(near) || EXAMPLE.test(before)) return true;
  if (ATTRIBUTE.test(lined.slice(from, from + 8)) && OF_SUBJECT.test(near)) return true;
  if (announced.some((one) => one.test(ahead))) return true;
  if (TEMPLATE.test(lined.slice(to, to + 100).replace(/\n[^]*/, ""))) return true;
  const rest = sentenceBehind(lined, to);
  return concluded.some((one) => one.test(rest));
}

/** Contents may have lines of their own: they end with their record. */
function isContent(lined: string, at: number): boolean {
  return spansOf(lined).some(([from, to]) => from < at && at < to);
}

type Span = readonly [from: number, to: number];
/** Of the last text, which is asked about many times. */
let known: { readonly lined: string; readonly spans: readonly Span[] } = { lined: "", spans: [] };

function spansOf(lined: string): readonly Span[] {
  if (known.lined !== lined) known = { lined, spans: contentsIn(lined) };
  return known.spans;
}

function contentsIn(lined: string): Span[] {
  const found = [...lined.matchAll(CONTENT)].map(({ index }) => index);
  if (found.length === 0) return [];
  const starts = [...lined.matchAll(RECORD)].map(({ index }) => index);
  return found.map((from) => {
    const next = starts.find((start) => start > from) ?? lined.length;
    const closed = lined.slice(from, next).search(/\}\n|$(?![^])/);
    return [from, from + closed];
  });
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
