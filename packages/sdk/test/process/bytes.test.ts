// Bytes: whatever a child prints is framed in bounded memory and can be stored.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeLine, LineFramer, type RawLine } from "../../src/worker/process/line-framer.ts";
import { redactor } from "../../src/worker/process/environment.ts";
import { LineStore } from "../../src/worker/process/line-store.ts";
import { LogPump, type LogOptions } from "../../src/worker/process/log-pump.ts";
import { JsonLines, Tail } from "../../src/worker/process/output.ts";
import {
  depthOf,
  EVENT_DATA_LIMIT,
  fitText,
  jsonBytes,
  OUTPUT_LIMIT,
  parseStorable,
} from "../../src/worker/process/storable.ts";
import type { EventSubmission } from "../../src/wire.ts";
import { until } from "./zoo.ts";

type Seen = { text: string; length: number };

function frame(chunks: Buffer[], maxBytes = 1024): Seen[] {
  const seen: Seen[] = [];
  const framer = new LineFramer(maxBytes, ({ bytes, length }) => {
    seen.push({ text: decodeLine(bytes, length > bytes.length), length });
  });
  for (const chunk of chunks) framer.push(chunk);
  framer.end();
  return seen;
}

function raw(text: string, length?: number): RawLine {
  const bytes = Buffer.from(text);
  return { bytes, length: length ?? bytes.length };
}

describe("the line framer", () => {
  it("gives the same lines however the bytes are cut into chunks", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-zä€😀]{0,12}$/u), { maxLength: 12 }),
        fc.array(fc.nat(20), { minLength: 1, maxLength: 30 }),
        (lines, sizes) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
          const chunks: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; i += 1) {
            const size = (sizes[i % sizes.length] ?? 0) + 1;
            chunks.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(frame(chunks).map((line) => line.text)).toEqual(lines);
        },
      ),
    );
  });

  it("cuts a long line at a character and tells its length", () => {
    const line = "€".repeat(500);
    expect(frame([Buffer.from(`${line}\nshort\n`)])).toEqual([
      { text: "€".repeat(341), length: 1500 },
      { text: "short", length: 5 },
    ]);
  });

  it("takes the last line without a newline, and \\r\\n as one line end", () => {
    expect(frame([Buffer.from("a\r\nb\r"), Buffer.from("\nc")]).map((line) => line.text)).toEqual([
      "a",
      "b",
      "c",
    ]);
  });

  it("keeps empty lines", () => {
    expect(frame([Buffer.from("\n\nx\n")]).map((line) => line.text)).toEqual(["", "", "x"]);
  });

  it("replaces NUL and what is not UTF-8", () => {
    const bytes = Buffer.from([0x61, 0x00, 0x62, 0xff, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x0a]);
    const [line] = frame([bytes]);
    expect(line?.text).toMatch(/^a\u2400b\ufffd\ufffd\(\ufffd+$/);
  });
});

describe("storable values", () => {
  it("are what they were when nothing is wrong with them", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        fc.pre(!text.includes("\\u0000") && !/\\ud[89a-f]/i.test(text));
        expect(parseStorable(text, OUTPUT_LIMIT)).toEqual({ value: JSON.parse(text), altered: [] });
      }),
    );
  });

  it("hold no NUL and no lone surrogate, in values and keys", () => {
    const text = String.raw`{"a\u0000":["\ud800x","ok \ud83d\ude00"],"__proto__":{"\udc00":1}}`;
    const { value, altered } = parseStorable(text, OUTPUT_LIMIT);
    const expected = '{"a\u2400":["\ufffdx","ok 😀"],"__proto__":{"\ufffd":1}}';
    expect(JSON.stringify(value)).toBe(expected);
    expect(altered).toEqual(["sanitized"]);
  });

  it("nest 64 deep at most; deeper JSON is kept as its text", () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(parseStorable(nested(64), OUTPUT_LIMIT).altered).toEqual([]);
    expect(parseStorable(nested(65), OUTPUT_LIMIT)).toEqual({
      value: nested(65),
      altered: ["too_deep"],
    });
    expect(parseStorable(nested(200_000), OUTPUT_LIMIT).altered).toEqual(["too_deep"]);
    expect(depthOf(String.raw`{"[[\"[[":["]"]}`)).toBe(2);
  });

  it.each([-1, 0, 1, 100_000])("are at most 1 MiB: limit %i bytes", (over) => {
    const text = JSON.stringify("x".repeat(OUTPUT_LIMIT - 2 + over));
    const { value, altered } = parseStorable(text, OUTPUT_LIMIT);
    expect(jsonBytes(value)).toBe(Math.min(OUTPUT_LIMIT, OUTPUT_LIMIT + over));
    expect(altered).toEqual(over > 0 ? ["cut"] : []);
  });

  it("keep the beginning of JSON that is too large as text", () => {
    const text = JSON.stringify({ items: Array.from({ length: 200_000 }, (_, i) => i) });
    const { value, altered } = parseStorable(text, OUTPUT_LIMIT);
    expect(text.startsWith(String(value))).toBe(true);
    expect(jsonBytes(value)).toBeLessThanOrEqual(OUTPUT_LIMIT);
    expect(altered).toEqual(["cut"]);
  });

  it("fit their limit exactly, each ASCII character by its own escape", () => {
    for (let code = 0; code < 128; code += 1) {
      const text = String.fromCharCode(code);
      const bytes = jsonBytes(text);
      expect([fitText(text, bytes), fitText(text, bytes - 1)]).toEqual([text, ""]);
    }
  });

  it("fit their limit exactly whatever the characters", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 60 }),
        fc.integer({ min: 2, max: 200 }),
        (text, limit) => {
          const fitted = fitText(text, limit);
          expect(text.startsWith(fitted)).toBe(true);
          expect(jsonBytes(fitted)).toBeLessThanOrEqual(limit);
          const next = String.fromCodePoint(text.codePointAt(fitted.length) ?? 0);
          if (fitted !== text) expect(jsonBytes(fitted + next)).toBeGreaterThan(limit);
        },
      ),
    );
  });
});

describe("the output of a child", () => {
  it("is the last line that parses as an object or array", () => {
    const lines = new JsonLines();
    for (const text of ['{"n":1}', "[info] loading [cache]", '  {"n":2}  ', "{broken}", "42"]) {
      lines.line(raw(text));
    }
    expect(lines.last()?.trim()).toBe('{"n":2}');
  });

  it("is never a line that was cut", () => {
    const lines = new JsonLines();
    lines.line(raw("[1,2]", 600_000));
    expect(lines.last()).toBeNull();
  });

  it("keeps the last 8 KiB of stderr, whole characters only", () => {
    const tail = new Tail(8 * 1024);
    for (let i = 0; i < 100; i += 1) tail.push(Buffer.from("€".repeat(100)));
    expect(tail.text()).toBe("€".repeat(2730));
  });
});

describe("the line store", () => {
  it("gives back what was put in, in order, and never holds more than its capacity", () => {
    const step = fc.oneof(fc.constant("shift" as const), fc.string({ maxLength: 40 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const store = new LineStore(300);
        const expected: string[] = [];
        for (const each of steps) {
          if (each === "shift") {
            expect(store.shift()?.bytes.toString("utf8")).toEqual(expected.shift());
            continue;
          }
          const bytes = Buffer.from(each);
          const held = expected.reduce((sum, text) => sum + Buffer.byteLength(text) + 9, 0);
          const room = expected.length === 0 || held + bytes.length + 9 <= 300;
          expect(store.push({ kind: 1, bytes, length: bytes.length })).toBe(room);
          if (room) expected.push(bytes.toString("utf8"));
        }
        expect(store.lines).toBe(expected.length);
      }),
    );
  });

  it("goes on over many slabs", () => {
    const store = new LineStore(64 * 1024 * 1024);
    for (let i = 0; i < 1_000; i += 1) {
      store.push({ kind: i % 2, bytes: Buffer.alloc(997, i % 256), length: 5_000_000_000 });
    }
    for (let i = 0; i < 1_000; i += 1) {
      const line = store.shift();
      expect([line?.kind, line?.bytes.length, line?.bytes[996]]).toEqual([i % 2, 997, i % 256]);
    }
    expect(store.shift()).toBeNull();
  });
});

describe("the log pump", () => {
  type Made = { pump: LogPump; events: EventSubmission[]; open: () => void };

  /** A pump whose events wait at a gate, as those of a worker whose server is slow. */
  function gatedPump(options: Partial<LogOptions> = {}): Made {
    const events: EventSubmission[] = [];
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const emit = (event: EventSubmission): Promise<void> => {
      events.push(event);
      return gate;
    };
    return { events, open: () => open(), pump: new LogPump({ emit, ...options }) };
  }

  it("makes one event of each line, at most 60 KiB, cut and marked", async () => {
    const { pump, events, open } = gatedPump();
    open();
    pump.line("stdout", raw("hello"));
    pump.line("stderr", raw("\u001b".repeat(100_000)));
    pump.line("stdout", raw("x".repeat(70), 300_000));
    await pump.close(5_000);
    expect(events[0]).toEqual({ type: "log.line", data: { stream: "stdout", text: "hello" } });
    expect(events[1]?.data?.["truncated"]).toEqual({ text: 100_000 });
    expect(jsonBytes(events[1]?.data ?? {})).toBeLessThanOrEqual(EVENT_DATA_LIMIT);
    expect(events[2]?.data?.["truncated"]).toEqual({ text: 300_000 });
  });

  it("drops and counts what finds no room, and tells it at the place of the gap", async () => {
    const { pump, events, open } = gatedPump({ pendingBytes: 40 });
    for (const text of ["1", "2", "3", "4", "5"]) pump.line("stdout", raw(text));
    await until("the first is being handed over", () => events.length === 1);
    // One has left, but not half: the gap goes on, so that there is one gap and not many.
    pump.line("stdout", raw("66"));
    open();
    await until("the waiting ones are out", () => events.length === 4);
    pump.line("stdout", raw("7"));
    await pump.close(5_000);
    expect(events.map((event) => event.data?.["text"] ?? event.data)).toEqual([
      "1",
      "2",
      "3",
      "4",
      { lines: 2, bytes: 3, reason: "backpressure" },
      "7",
    ]);
  });

  it("keeps the beginning of a log that is too long and counts the rest", async () => {
    const { pump, events, open } = gatedPump({ logBytes: 300 });
    open();
    for (const text of ["12345", "6789", "too much"]) pump.line("stdout", raw(text));
    await until("the limit is told", () => events.length === 3);
    for (const text of ["more", "x"]) pump.line("stdout", raw(text));
    await pump.close(5_000);
    expect(events.map((event) => event.data?.["text"] ?? event.data)).toEqual([
      "12345",
      "6789",
      { lines: 1, bytes: 8, reason: "log_limit" },
      { lines: 2, bytes: 5, reason: "log_limit" },
    ]);
  });

  it("still hears of usage beyond the limit of the log", async () => {
    const usage = { input_tokens: 1 };
    const parseLine = (): EventSubmission[] => [{ type: "x.step" }, { type: "x.usage", usage }];
    const { pump, events, open } = gatedPump({ logBytes: 1, parseLine });
    open();
    pump.line("stdout", raw("long line"));
    await pump.close(5_000);
    expect(events.map((event) => event.type)).toEqual(["x.usage", "x.log.dropped"]);
  });

  it("does not wait for a worker that never takes its events", async () => {
    const { pump, events } = gatedPump();
    for (const text of ["1", "2", "3"]) pump.line("stdout", raw(text));
    await pump.close(50);
    expect(events.at(-1)?.data).toEqual({ lines: 2, bytes: 2, reason: "backpressure" });
  });

  it("prints no secret it was told of", async () => {
    const redact = redactor(["sba_secret_0123456789"]);
    const { pump, events, open } = gatedPump({ redact });
    open();
    pump.line("stdout", raw("key=sba_secret_0123456789!"));
    await pump.close(5_000);
    expect(events[0]?.data?.["text"]).toBe("key=[redacted]!");
  });
});
