// The three answers a person can give.
// Promises: each is a dialog; the draft of edited arguments has one name wherever it is read.
// Leaves to others: the dialogs (`answer-dialog.tsx`).

import type { Approval } from "@signalbox/sdk";

export type AnswerKind = "approve" | "reject" | "edit";

/** Name of the draft of edited arguments. */
export const editDraft = ({ id }: Approval): string => `${id}.arguments`;
