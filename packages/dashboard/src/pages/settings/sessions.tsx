// Sessions: browsers that are signed in, and ending one.
// Promises: the one of this browser is marked, and ended by signing out; an ended one is refused at
// its next request.
// Leaves to others: opening them (links and keys).

import type { Session } from "@signalbox/sdk";
import { useState } from "react";
import { useAction, useKeys, useSessions } from "../../api.ts";
import type { Whose } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { Table } from "../../parts/table.tsx";
import { When } from "../../parts/when.tsx";
import { signOut, useSignedIn } from "../../session.ts";

export function Sessions({ of }: { readonly of: Whose }) {
  const asked = useSessions(of);
  const keys = useKeys(of).data ?? [];
  const nameOf = (id: string): string | null => keys.find((key) => key.id === id)?.name ?? null;
  return (
    <Show asked={asked} rows={2}>
      {(sessions) =>
        sessions.length === 0 ? (
          <Empty
            title="No browser is signed in"
            command={`signalbox login${of === "installation" ? " --owner" : ""}`}
          >
            A link signs one in:
          </Empty>
        ) : (
          <Table
            name={`List of ${of === "project" ? "sessions" : "the owner's sessions"}`}
            heads={["Session", "By the key", "Opened", "Last used", "Ends", "Actions"]}
            rows={sessions.map((session) => ({
              key: session.id,
              cells: [
                <Name key="name" session={session} />,
                <Plain key="key" text={nameOf(session.key_id) ?? session.key_prefix} />,
                <When key="opened" at={session.opened_at} />,
                <When key="seen" at={session.seen_at} />,
                <When key="ends" at={session.idle_ends_at} />,
                <End key="end" session={session} of={of} />,
              ],
            }))}
          />
        )
      }
    </Show>
  );
}

function Name({ session }: { readonly session: Session }) {
  const { own } = useSignedIn();
  return (
    <span className="sb-row">
      <code>session:{session.prefix}</code>
      {session.id === own.id ? <span className="sb-badge sb-blue">this browser</span> : null}
    </span>
  );
}

function End({ session, of }: { readonly session: Session; readonly of: Whose }) {
  const { own } = useSignedIn();
  const [isAsked, ask] = useState(false);
  const isOwn = session.id === own.id;
  const end = useAction<null>({
    act: (client) =>
      client.sessions.end(session.id, of === "installation" ? { installation: true } : {}),
    changes: ["sessions", "audit"],
    done: () => "That browser is signed out",
    saysRefusals: true,
  });
  return (
    <>
      <ActButton
        needs={of === "installation" ? "own" : "administer"}
        size="compact-sm"
        variant="default"
        aria-label={
          isOwn ? `Sign out session ${session.prefix}` : `End … session ${session.prefix}`
        }
        onClick={() => (isOwn ? signOut() : ask(true))}
      >
        {isOwn ? "Sign out" : "End …"}
      </ActButton>
      {isAsked ? (
        <FormDialog
          title="End the session"
          go="End it now"
          dangerous
          close={() => ask(false)}
          act={() => end.mutateAsync(null)}
        >
          The browser of session:{session.prefix} is signed out at its next request. Whoever sits
          there can sign in again with a new link; to prevent that, revoke the key.
        </FormDialog>
      ) : null}
    </>
  );
}
