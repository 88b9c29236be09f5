// What stands in the place of a screen that failed to draw.
// Promises: the rest of the page keeps working; says what to do.
// Leaves to others: the words (`parts/advice.ts`).

import { Wrong } from "../parts/quiet.tsx";

export function Broken({ error, reset }: { readonly error: unknown; readonly reset: () => void }) {
  return <Wrong error={error} again={reset} />;
}
