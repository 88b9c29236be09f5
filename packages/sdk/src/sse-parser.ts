// Server-sent events, parsed: bytes in, messages out, as the HTML standard describes them.
// Promises: bytes may be split anywhere (inside a character, between CR and LF); lines may end in
// LF, CR or CRLF; a message larger than the limit throws instead of growing the buffer; the work
// per byte is constant, also when one line comes in many pieces.
// Differs from browsers in one point: a message with a name and no data is delivered.
// Leaves to others: connecting and resuming (`event-stream.ts`).

/** One message. `id` is the last id seen on the stream, `event` is `message` when unnamed. */
export type Message = { id: string; event: string; data: string };

/** Events are at most 60 KiB of data plus their envelope; 1 Mi characters leave ample room. */
const MAX_MESSAGE_CHARS = 1_048_576;

/** A stream sent a message of more than 1,048,576 characters. */
export class MessageTooLarge extends Error {
  override name = "MessageTooLarge";
}

/** Parses one stream. */
export class SseParser {
  /** The last `retry:` the server sent, in milliseconds. */
  retryMs: number | null = null;
  readonly #decoder = new TextDecoder();
  /** Pieces of a line whose end has not come yet. */
  #pieces: string[] = [];
  #data: string[] = [];
  /** Characters held in `#pieces` and `#data`. */
  #held = 0;
  #event = "";
  #id: string;
  #endedInCr = false;

  constructor(lastEventId = "") {
    this.#id = lastEventId;
  }

  /** The messages that these bytes complete. Throws {@link MessageTooLarge}. */
  push(bytes: Uint8Array): Message[] {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return [];
    if (this.#endedInCr && text.startsWith("\n")) text = text.slice(1);
    this.#endedInCr = text === "" ? false : text.endsWith("\r");

    const messages: Message[] = [];
    const lines = text.split(/\r\n|\n|\r/);
    // The last one has no end yet.
    const rest = lines.pop() ?? "";
    for (const line of lines) {
      this.#hold(line);
      const whole = this.#pieces.join("");
      this.#held -= whole.length;
      this.#pieces = [];
      const message = this.#line(whole);
      if (message !== null) messages.push(message);
    }
    if (rest !== "") this.#hold(rest);
    return messages;
  }

  #hold(piece: string): void {
    this.#held += piece.length;
    if (this.#held > MAX_MESSAGE_CHARS) {
      throw new MessageTooLarge(`a stream message is over ${MAX_MESSAGE_CHARS} characters`);
    }
    this.#pieces.push(piece);
  }

  #line(line: string): Message | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null; // a comment
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      this.#data.push(value);
      this.#held += value.length;
    } else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
    return null;
  }

  #dispatch(): Message | null {
    const message = { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") };
    const isEmpty = this.#data.length === 0 && this.#event === "";
    this.#data = [];
    this.#event = "";
    this.#held = 0;
    return isEmpty ? null : message;
  }
}
