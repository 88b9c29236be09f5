// Signing in with a key.
// Promises: the key is sent in a header only, never in an address; kept beyond this page only when
// the person ticks the box, and then for this tab alone; a refusal says what to do.
// Leaves to others: keeping it (`session.ts`).

import { Button, Checkbox, PasswordInput } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useState } from "react";
import type { FormEvent } from "react";
import { adviceOn } from "../parts/advice.ts";
import type { Advice } from "../parts/advice.ts";
import { Copyable } from "../parts/copyable.tsx";
import { signIn } from "../session.ts";

export function SignIn() {
  useDocumentTitle("Sign in · Signalbox");
  const [secret, setSecret] = useState("");
  const [keep, setKeep] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const [refused, setRefused] = useState<Advice | null>(null);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setAsking(true);
    setRefused(null);
    try {
      await signIn(secret.trim(), keep);
    } catch (error) {
      setRefused(adviceOn(error));
      setAsking(false);
    }
  };
  return (
    <main className="sb-sign-in">
      <h1>Signalbox</h1>
      <p className="sb-dim">The control plane for fleets of AI agents.</p>
      <form onSubmit={(event) => void submit(event)} className="sb-stack">
        <PasswordInput
          label="Key"
          description="Begins with sbx_. The owner's key opens every project."
          placeholder="sbx_…"
          value={secret}
          autoComplete="off"
          data-autofocus
          error={refused === null ? undefined : `${refused.title}. ${refused.advice}`}
          onChange={(event) => setSecret(event.currentTarget.value)}
        />
        <Checkbox
          label="Keep it until this tab is closed"
          checked={keep}
          onChange={(event) => setKeep(event.currentTarget.checked)}
        />
        <Button type="submit" loading={isAsking} disabled={secret.trim() === ""}>
          Sign in
        </Button>
      </form>
      <section className="sb-stack" aria-label="Where to find a key">
        <h2>Where to find a key</h2>
        <p className="sb-dim">
          The first start of the server printed the owner's key, and keeps it on its machine:
        </p>
        <Copyable text="cat .signalbox/owner.key" what="the command" />
      </section>
    </main>
  );
}
