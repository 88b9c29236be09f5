// After a dialog the keyboard is where it was before it.
// Promises: nothing happens when what had the focus is gone by then.
// Leaves to others: the focus inside of dialogs (the component library).

import { useEffect, useRef } from "react";

/** Gives the focus back when the component goes. */
export function useReturn(): void {
  const before = useRef(document.activeElement);
  useEffect(
    () => () => {
      if (before.current instanceof HTMLElement && before.current.isConnected) {
        before.current.focus({ preventScroll: true });
      }
    },
    [],
  );
}
