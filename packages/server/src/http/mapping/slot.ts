// A slot as it is sent: what of it has to be true before it is kept.
// Promises: the run of a slot could be submitted as it is; a refusal names the field, those of the
// run as `run.…`.
// Leaves to others: the shape (`schemas/slot.ts`), its instants (engine).

import type { SlotInput } from "@signalbox/sdk";
import { limits } from "../../domain/limits.ts";
import { isRefusal, refuseField } from "../../domain/refusal.ts";
import type { Refusal } from "../../domain/refusal.ts";
import { refuseSize } from "../refusals.ts";
import { bytesAbove, isTooDeep } from "./clean.ts";
import type { Looks } from "./clean.ts";
import { toNewRun } from "./submission.ts";

/** Content goes out with a directive, so it shares the size of metadata. */
const CONTENT_BYTES = limits.metadataBytes;

/** What is wrong with a slot whose shape has been checked, or null. */
export function wrongSlot(sent: SlotInput, looks: Looks): Refusal | null {
  return wrongContent(sent, looks) ?? wrongRun(sent, looks);
}

function wrongContent({ content }: SlotInput, looks: Looks): Refusal | null {
  if (content === undefined || content === null) return null;
  if (isTooDeep(content, looks)) {
    return refuseField("content", `nests deeper than ${limits.jsonDepth} arrays and objects`);
  }
  const isTooLarge = bytesAbove(content, CONTENT_BYTES, looks) > 0;
  return isTooLarge ? refuseSize("content", CONTENT_BYTES) : null;
}

function wrongRun({ agent, run }: SlotInput, looks: Looks): Refusal | null {
  if (run === undefined || run === null) return null;
  const spec = toNewRun({ agent, ...run }, { looks, traceparent: null });
  if (!isRefusal(spec)) return null;
  const errors = spec.errors?.map(({ field, message }) => ({ field: `run.${field}`, message }));
  const detail = `run.${spec.detail}`;
  return errors === undefined ? spec : { ...spec, detail, errors };
}
