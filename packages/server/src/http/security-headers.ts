// Headers that browsers obey, on every answer.
// Promises: no script, style, image or connection but our own; no framing; no referrer; no
// sniffing.
// Leaves to others: Host and Origin (`browser-guard.ts`), TLS and its headers (the proxy in front).

import type { FastifyHelmetOptions } from "@fastify/helmet";

const self = ["'self'"];
const none = ["'none'"];

export const securityHeaders: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: none,
      scriptSrc: self,
      connectSrc: self,
      styleSrc: self,
      imgSrc: self,
      frameAncestors: none,
      baseUri: none,
      formAction: none,
      requireTrustedTypesFor: ["'script'"],
    },
  },
  crossOriginEmbedderPolicy: false,
  crossOriginOpenerPolicy: { policy: "same-origin" },
  crossOriginResourcePolicy: { policy: "same-origin" },
  referrerPolicy: { policy: "no-referrer" },
  frameguard: { action: "deny" },
  // Loopback speaks plain HTTP; a proxy that speaks TLS sets its own.
  hsts: false,
};
