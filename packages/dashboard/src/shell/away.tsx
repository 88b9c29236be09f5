// What is said on every screen while the server does not answer.
// Promises: since when what is shown stands still, what happens by itself and what a person can do;
// a connection that is back at once is not worth a word.
// Leaves to others: noticing it (`live.ts`), the badge in the top bar.

import { useEffect, useState } from "react";
import type { Link } from "../live.ts";
import { Copyable } from "../parts/copyable.tsx";
import { When } from "../parts/when.tsx";

/** A server that restarts is back within this time, more often than not. */
const WORTH_A_WORD_MS = 2_000;

export function AwayNote({ link }: { readonly link: Link }) {
  const [since, setSince] = useState<string | null>(null);
  useEffect(() => {
    setSince(null);
    if (link !== "away") return;
    const at = new Date().toISOString();
    const timer = window.setTimeout(() => setSince(at), WORTH_A_WORD_MS);
    return () => window.clearTimeout(timer);
  }, [link]);
  return (
    <div role="status">
      {since === null ? null : (
        <div className="sb-away">
          <p className="sb-grow">
            <strong>The server does not answer.</strong> What you see is how it stood{" "}
            <When at={since} />. This page tries again every few seconds and goes on by itself; work
            that is under way goes on as long as its workers reach the server. On the server:
          </p>
          <Copyable text="signalbox doctor" what="the command" />
        </div>
      )}
    </div>
  );
}
