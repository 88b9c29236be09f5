// What the limit parser costs on texts made to cost much: 1 MiB each, and twice as much text.
// Promises: each text is measured cold and warm; ends with 1 when one takes more than 50 ms or
// twice the text takes more than 2.5 times as long (the least of 40 each, above 1 ms: below, a
// timer and a collection of garbage are the larger part).
// Leaves to others: what the parser concludes (packages/server/test/domain/limit-notice).
// Run it alone on a machine: `npm run bench:limits`; `--quick` measures fewer times.

import { parseLimit } from "../packages/server/dist/domain/limit-notice/parse-limit.js";

const MIB = 1024 * 1024;
/** Below what is read of a text, so that twice as much is twice the work. */
const SMALL = 10 * 1024;
const MOST_MS = 50;
const MOST_RATIO = 2.5;
const isQuick = process.argv.includes("--quick");
const TIMES = isQuick ? 2 : 40;
const STATUSES = isQuick ? [429] : [null, 429, 200];

const seeds = [
  "a",
  "1",
  " ",
  "\n",
  "[",
  "\0",
  "\\",
  '"',
  "_",
  "-",
  ":",
  "%",
  "|",
  "\ud800",
  '{"a":',
  "\u001b]",
  "\u001b[",
  "hit your ",
  "hit a b c d ",
  "limit ",
  "limit is has been ",
  "rate limit exceeded ",
  "try again in ",
  "try again in 5m 3s 2h ",
  "resets 5am (Europe/Berlin) ",
  "请",
  "已达到 5 小时的使用上限。限额将在 2027-01-01 05:12:44 重置。",
  '"retry_after": 5, ',
  "retry-after: ",
  "exhausted all of your ",
  "credit balance ",
  "error error code 429 ",
  "if you hit your usage limit, ",
  "You've hit your limit · resets 3pm\n",
  "Oct 23rd, 2026 11:55 PM ",
  "|1791536400",
  '"rate_limits": {"primary": {"used_percent": 7, "resets_at": 1791970200}}, ',
  "retry_after: Some(Duration { secs: 3, nanos: 0 }) ",
  '{"type": "tool_result"}\n',
  "limite atteint",
  "明日9:00にリセット",
  "2h 5m ",
  "**[limit](https://example.com) ",
  "│ │\n",
];

const textOf = (seed, length) => seed.repeat(Math.ceil(length / seed.length)).slice(0, length);

function once(message, status) {
  const began = performance.now();
  parseLimit({ now: "2026-10-14T09:30:00Z", status, message });
  return performance.now() - began;
}

/** The least of 40 each, in turns: what they cost when nothing else is in the way. */
function least(single, double, status) {
  let [one, two] = [Infinity, Infinity];
  for (let n = 0; n < TIMES; n++) {
    one = Math.min(one, once(single, status));
    two = Math.min(two, once(double, status));
  }
  return [one, two];
}

once("warm up: rate limit exceeded, resets 5am (Europe/Berlin)", null);
let slowest = { ms: 0, seed: "" };
let steepest = { ratio: 0, seed: "" };
for (const seed of seeds) {
  for (const status of STATUSES) {
    const whole = textOf(seed, MIB);
    const cold = once(whole, status);
    if (cold > slowest.ms) slowest = { ms: cold, seed };
    const pairs = [
      [whole, textOf(seed, 2 * MIB)],
      [textOf(seed, SMALL), textOf(seed, 2 * SMALL)],
    ];
    for (const [single, double] of pairs) {
      const [one, two] = least(single, double, status);
      const ratio = two < 1 ? 0 : two / one;
      if (ratio > steepest.ratio) steepest = { ratio, seed };
    }
  }
}
const good = slowest.ms <= MOST_MS && steepest.ratio <= MOST_RATIO;
console.log(`${seeds.length} texts of 1 MiB, each with ${STATUSES.length} status(es)`);
console.log(`slowest: ${slowest.ms.toFixed(1)} ms (${JSON.stringify(slowest.seed)})`);
console.log(`time(2n)/time(n): ${steepest.ratio.toFixed(2)} (${JSON.stringify(steepest.seed)})`);
process.exitCode = good ? 0 : 1;
