// How many approvals wait, beside the word in the navigation.
// Promises: on every screen; a number that screen readers hear as a sentence; nothing when none
// waits, and the room of the word does not change.
// Leaves to others: asking (`api.ts`), when it is asked again (`live.ts`).

import { useWaitingApprovals } from "../api.ts";

export function WaitingMark() {
  const { data } = useWaitingApprovals();
  const n = data?.items.length ?? 0;
  if (n === 0) return null;
  const number = data?.has_more === true ? `${n}+` : String(n);
  return (
    <span className="sb-mark sb-num">
      <span aria-hidden="true">{number}</span>
      <span className="sb-hidden">, {number} waiting</span>
    </span>
  );
}
