// The SSE parser against the HTML standard: whatever the pieces, the same messages.
// Promises: pieces are cut at every byte, so inside characters and between CR and LF too.
// Leaves to others: connections (event-stream.test.ts).

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { MessageTooLarge, SseParser } from "../../src/sse-parser.ts";
import type { Message } from "../../src/sse-parser.ts";

function parse(pieces: Uint8Array[], lastEventId = ""): Message[] {
  const parser = new SseParser(lastEventId);
  return pieces.flatMap((piece) => parser.push(piece));
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("one message", () => {
  const cases: { name: string; text: string; expected: Message[] }[] = [
    {
      name: "data alone",
      text: "data: a\n\n",
      expected: [{ id: "", event: "message", data: "a" }],
    },
    {
      name: "id, name and data",
      text: "id: 7\nevent: run.started\ndata: {}\n\n",
      expected: [{ id: "7", event: "run.started", data: "{}" }],
    },
    {
      name: "several data lines are joined",
      text: "data: a\ndata:b\ndata\n\n",
      expected: [{ id: "", event: "message", data: "a\nb\n" }],
    },
    { name: "comments are nothing", text: ": ping\n\n:\n\n", expected: [] },
    {
      name: "only one space is taken off",
      text: "data:  a \n\n",
      expected: [{ id: "", event: "message", data: " a " }],
    },
    { name: "a message without its empty line is not there yet", text: "data: a\n", expected: [] },
    {
      name: "the id stays for later messages",
      text: "id: 1\ndata: a\n\ndata: b\n\n",
      expected: [
        { id: "1", event: "message", data: "a" },
        { id: "1", event: "message", data: "b" },
      ],
    },
    {
      name: "an id with NUL is ignored",
      text: "id: 1\u00002\ndata: a\n\n",
      expected: [{ id: "", event: "message", data: "a" }],
    },
    {
      name: "a name without data is delivered",
      text: "event: end\n\n",
      expected: [{ id: "", event: "end", data: "" }],
    },
    {
      name: "unknown fields are ignored",
      text: "colour: red\ndata: a\n\n",
      expected: [{ id: "", event: "message", data: "a" }],
    },
    {
      name: "a byte order mark at the start is ignored",
      text: "\uFEFFdata: a\n\n",
      expected: [{ id: "", event: "message", data: "a" }],
    },
  ];
  test.each(cases)("$name", ({ expected, text }) => {
    expect(parse([bytes(text)])).toEqual(expected);
  });

  test.each(cases)("$name, byte by byte, with every line ending", ({ expected, text }) => {
    for (const ending of ["\n", "\r", "\r\n"]) {
      const whole = bytes(text.replaceAll("\n", ending));
      expect(parse(Array.from(whole, (byte) => Uint8Array.of(byte)))).toEqual(expected);
    }
  });
});

test("any stream in any pieces gives the messages that were written", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 20 }).map((s) => s.replace(/[\r\n]/g, "x"));
  const written = fc.record({
    id: fc.integer({ min: 1, max: 99 }).map(String),
    event: fc.constantFrom("a", "b.c"),
    lines: fc.array(line, { minLength: 1, maxLength: 4 }),
    ending: fc.constantFrom("\n", "\r", "\r\n"),
  });
  const streams = fc.array(written, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(streams, fc.array(fc.nat(60), { maxLength: 20 }), (messages, cuts) => {
      const text = messages
        .map(({ ending, event, id, lines }) =>
          [`id: ${id}`, `event: ${event}`, ...lines.map((l) => `data: ${l}`), "", ""].join(ending),
        )
        .join("");
      const pieces: Uint8Array[] = [];
      let rest = bytes(text);
      for (const cut of cuts) {
        pieces.push(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      const expected = messages.map(({ event, id, lines }) => {
        return { id, event, data: lines.join("\n") };
      });
      expect(parse([...pieces, rest])).toEqual(expected);
    }),
  );
});

test("retry is kept, rubbish in it is not", () => {
  const parser = new SseParser();
  parser.push(bytes("retry: soon\n"));
  expect(parser.retryMs).toBeNull();
  parser.push(bytes("retry: 1500\n"));
  expect(parser.retryMs).toBe(1500);
});

test("a message that never ends is refused, not kept", () => {
  const parser = new SseParser();
  const piece = bytes("x".repeat(64 * 1024));
  parser.push(bytes("data: "));
  expect(() => {
    for (let i = 0; i < 17; i += 1) parser.push(piece);
  }).toThrow(MessageTooLarge);
});

test("a message just below the limit arrives, in many pieces", () => {
  const parser = new SseParser();
  const piece = bytes("x".repeat(64 * 1024));
  parser.push(bytes("data:"));
  for (let i = 0; i < 15; i += 1) expect(parser.push(piece)).toEqual([]);
  expect(parser.push(bytes("\n\n"))[0]?.data).toHaveLength(15 * 64 * 1024);
});
