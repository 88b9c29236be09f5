// Sockets on which no request is in progress: clients keep some open for later, others have
// connected and said nothing yet.
// Promises: `close` ends exactly these; a request in progress keeps its socket.
// Leaves to others: when to close them (`server.ts`). Node's own closeIdleConnections spares
// sockets that never sent a request, and a stopping server would wait for their time-out.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export class QuietSockets {
  /** Socket → requests in progress on it. */
  readonly #busy = new Map<Socket, number>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      this.#busy.set(socket, 0);
      socket.once("close", () => this.#busy.delete(socket));
    });
    server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#add(socket, 1);
      response.once("close", () => this.#add(socket, -1));
    });
  }

  #add(socket: Socket, change: number): void {
    const before = this.#busy.get(socket);
    if (before !== undefined) this.#busy.set(socket, before + change);
  }

  close(): void {
    for (const [socket, requests] of this.#busy) if (requests === 0) socket.destroy();
  }
}
