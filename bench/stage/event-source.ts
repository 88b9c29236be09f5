// A reader of server-sent events, own code: what is judged must not judge itself.
// Promises: tells every whole message in order, with the instant at which its last byte came; what
// a cut left half is never told; a cut destroys the socket without a word to the server.
// Leaves to others: coming back (campaigns), what the messages mean.

import { request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";

import { wallMs } from "./operations.ts";

export type Message = { id: string; event: string; data: string; at: number };

export type Asked = {
  url: string;
  key: string;
  /** `/v1/events?type=run.` */
  path: string;
  lastEventId?: string;
  onMessage: (message: Message) => void;
};

/** One connection. */
export class EventSource {
  /** Settles when it has ended, however. */
  readonly ended: Promise<void>;
  /** Settles at the first byte of the answer. */
  readonly opened: Promise<void>;
  readonly #request: ClientRequest;

  constructor(asked: Asked) {
    const { url, key, path, lastEventId } = asked;
    const headers = {
      accept: "text/event-stream",
      authorization: `Bearer ${key}`,
      ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    };
    this.#request = request(`${url}${path}`, { headers, agent: false });
    let open = (): void => {};
    this.opened = new Promise((resolve) => (open = resolve));
    this.ended = new Promise((resolve) => {
      this.#request.on("error", () => resolve());
      this.#request.on("close", () => resolve());
    });
    this.#request.on("response", (response) => {
      open();
      read(response, asked.onMessage);
    });
    this.#request.end();
  }

  /** Goes without a word. */
  cut(): void {
    this.#request.destroy();
  }
}

function read(response: IncomingMessage, onMessage: Asked["onMessage"]): void {
  let rest = "";
  response.setEncoding("utf8");
  response.on("error", () => {});
  response.on("data", (text: string) => {
    const at = wallMs();
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const message = messageOf(block, at);
      if (message !== null) onMessage(message);
    }
  });
}

/** A comment (a ping, the greeting) is no message. */
function messageOf(block: string, at: number): Message | null {
  const fields = { id: "", event: "", data: "" };
  let found = false;
  for (const line of block.split("\n")) {
    const [, name, value] = /^(id|event|data): ?(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    fields[name as keyof typeof fields] = value ?? "";
    found ||= name === "data";
  }
  return found ? { ...fields, at } : null;
}
