// Asking again soon after something was sent: its answer is no event of the feed.
// Promises: three more questions, within ten seconds of the act; none after that.
// Leaves to others: asking by the clock (`api.ts`).

import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useSignedIn } from "../../session.ts";

const SOON_MS = [800, 2_500, 8_000];

export function useAskAgainSoon(): () => void {
  const { number } = useSignedIn();
  const queries = useQueryClient();
  const timers = useRef<number[]>([]);
  useEffect(() => () => timers.current.forEach((timer) => window.clearTimeout(timer)), []);
  return () => {
    timers.current = SOON_MS.map((ms) =>
      window.setTimeout(
        () => void queries.invalidateQueries({ queryKey: [number, "webhooks"] }),
        ms,
      ),
    );
  };
}
