// Signing in: by a link, which takes one press, or by pasting a key or a link.
// Promises: what was pasted is sent in a header or a body only, never in an address, and kept
// nowhere; a link is used up by a press and not by being looked at; a refusal says what to do; who
// was thrown out is told so, and comes back to the same address.
// Leaves to others: exchanging it for a session (`session.ts`).

import { Button, PasswordInput } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useState } from "react";
import type { FormEvent } from "react";
import { adviceOn } from "../parts/advice.ts";
import type { Advice } from "../parts/advice.ts";
import { Copyable } from "../parts/copyable.tsx";
import { linkCode, signIn, useFarewell } from "../session.ts";
import type { Farewell } from "../session.ts";

const farewells: Readonly<Record<Farewell, string | null>> = {
  nobody: null,
  left: "You are signed out, in every tab of this browser.",
  ended: "Your session has ended. Sign in again, and you are back on this page.",
};

export function SignIn() {
  useDocumentTitle("Sign in · Signalbox");
  const farewell = farewells[useFarewell()];
  const [isUsedUp, setUsedUp] = useState(false);
  return (
    <main className="sb-sign-in">
      <h1 className="sb-row">
        <img src="/signalbox.svg" alt="" width="28" height="28" /> Signalbox
      </h1>
      <p className="sb-dim">The control plane for fleets of AI agents.</p>
      {farewell === null ? null : (
        <p className="sb-note sb-amber" role="status">
          {farewell}
        </p>
      )}
      {linkCode === null || isUsedUp ? (
        <ByKey />
      ) : (
        <ByLink code={linkCode} instead={() => setUsedUp(true)} />
      )}
    </main>
  );
}

/** What a try came to: nothing yet, under way, or refused. */
function useTry(): {
  readonly isAsking: boolean;
  readonly refused: Advice | null;
  readonly go: (secret: string) => Promise<void>;
} {
  const [isAsking, setAsking] = useState(false);
  const [refused, setRefused] = useState<Advice | null>(null);
  const go = async (secret: string): Promise<void> => {
    setAsking(true);
    setRefused(null);
    try {
      await signIn(secret);
    } catch (error) {
      setRefused(adviceOn(error));
      setAsking(false);
    }
  };
  return { isAsking, refused, go };
}

function ByLink({ code, instead }: { readonly code: string; readonly instead: () => void }) {
  const { isAsking, refused, go } = useTry();
  if (refused !== null) {
    return (
      <section className="sb-stack" aria-label="The link">
        <p className="sb-note sb-red" role="alert">
          <strong>{refused.title}</strong>. A link opens once, within ten minutes. This prints a new
          one:
        </p>
        <Copyable text="signalbox login" what="the command" />
        <Button variant="default" onClick={instead}>
          Sign in with a key instead
        </Button>
      </section>
    );
  }
  return (
    <section className="sb-stack" aria-label="The link">
      <p>This link signs this browser in, once.</p>
      <Button size="md" autoFocus loading={isAsking} onClick={() => void go(code)}>
        Open the dashboard
      </Button>
      <p className="sb-dim sb-small">
        The session may do what the key may that made the link, and ends after twelve hours without
        use.
      </p>
    </section>
  );
}

function ByKey() {
  const { isAsking, refused, go } = useTry();
  const [secret, setSecret] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void go(secret.trim());
  };
  return (
    <>
      <form onSubmit={submit} className="sb-stack">
        <PasswordInput
          label="Key or login link"
          description="A key begins with sbx_. It is exchanged for a session and kept nowhere."
          placeholder="sbx_…"
          value={secret}
          autoComplete="off"
          data-autofocus
          autoFocus
          error={refused === null ? undefined : `${refused.title}. ${refused.advice}`}
          onChange={(event) => setSecret(event.currentTarget.value)}
        />
        <Button type="submit" loading={isAsking} disabled={secret.trim() === ""}>
          Sign in
        </Button>
      </form>
      <section className="sb-stack" aria-label="On the machine of the server">
        <h2>On the machine of the server</h2>
        <p className="sb-dim">This prints a link that signs you in:</p>
        <Copyable text="signalbox login" what="the command" />
        <p className="sb-dim sb-small">
          With <code>--owner</code> it opens every project.
        </p>
      </section>
    </>
  );
}
