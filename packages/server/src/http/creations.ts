// Idempotency-Key on creating requests: the same key and request get the same answer.
// Promises: a request is done once per project, route and key; a refusal gives the key back, since
// nothing happened; whatever else goes wrong leaves it in doubt, for a person to look at. What is
// compared is the address and the checked body, not its text.
// Leaves to others: keeping and sealing (engine), runs, whose key is the run's own.

import type { IncomingHttpHeaders } from "node:http";
import type { Creation, Known } from "../engine/access-contract.ts";
import type { Engine } from "../engine/contract.ts";
import { isRefusal, Refused } from "../domain/refusal.ts";
import { canonicalJson, sha256Hex } from "../std/digest.ts";
import { bearerOf } from "./auth.ts";
import type { Caller } from "./auth.ts";
import { refuseFields } from "./refusals.ts";
import { Type } from "./typebox.ts";
import type { Answer, Responses, Route, Success } from "./route.ts";
import { wrongFields } from "./schemas/check.ts";
import { key } from "./schemas/scalars.ts";
import { sessionToken } from "./session-cookie.ts";

const keyShape = Type.Object({ "Idempotency-Key": key("Same key and body: the same answer.") });
/** Refusals that come before anything happened, and those of the law, which change nothing. */
const unsure: ReadonlySet<string> = new Set(["unavailable", "internal"]);

export type Asked = {
  readonly route: Route;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly caller: Caller;
  readonly body: unknown;
};

/** What the request is, if it carries a key and its route keeps answers. */
function creationOf({ route, url, headers, caller, body }: Asked): Creation | null {
  const sent = headers["idempotency-key"];
  if (route.keeps === undefined || sent === undefined) return null;
  const wrong = wrongFields(keyShape, { "Idempotency-Key": sent });
  if (wrong !== null) throw new Refused(refuseFields(wrong));
  const isSealed = route.keeps === "sealed";
  return {
    projectId: caller.projectId === "" ? null : caller.projectId,
    route: `${route.method} ${route.url}`,
    key: String(sent),
    sha256: sha256Hex(`${url}\n${canonicalJson(body)}`),
    seal: isSealed ? (bearerOf(headers) ?? sessionToken(headers)) : null,
  };
}

/** Does it, or answers as it was answered before. */
export async function once(
  engine: Engine,
  asked: Asked,
  act: () => Promise<Answer<Responses>>,
): Promise<Answer<Responses>> {
  const creation = creationOf(asked);
  if (creation === null) return act();
  const begun = await engine.beginCreation(creation);
  if (isRefusal(begun)) return begun;
  if (!begun.first) return replayed(begun);
  const answer = await act().catch(async (error: unknown) => {
    if (error instanceof Refused && !unsure.has(error.refusal.code)) {
      await engine.forgetCreation(creation);
    }
    throw error;
  });
  if (isRefusal(answer)) {
    if (!unsure.has(answer.code)) await engine.forgetCreation(creation);
  } else if (!("stream" in answer)) {
    const { status, body } = answer;
    await engine.finishCreation(creation, { status, body });
  }
  return answer;
}

function replayed({ status, body }: Known & { first: false }): Success {
  return { status, body, headers: { "idempotency-replayed": "true" } };
}
