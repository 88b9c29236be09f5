// The session of this browser: as what it acts, until when, and its end.
// Promises: says when it ends by itself.
// Leaves to others: ending it (`session.ts`), other sessions (`sessions.tsx`).

import { Button } from "@mantine/core";
import { Fact, Facts } from "../../parts/facts.tsx";
import { When } from "../../parts/when.tsx";
import { signOut, useSignedIn } from "../../session.ts";

export function OwnSession() {
  const { own } = useSignedIn();
  return (
    <Facts>
      <Fact name="Signed in as">{own.roles.join(", ")}</Fact>
      <Fact name="In the audit trail" wide>
        <code>session:{own.prefix}</code>
      </Fact>
      <Fact name="By the key">
        <code>{own.key_prefix}</code>
      </Fact>
      <Fact name="Since">
        <When at={own.opened_at} />
      </Fact>
      <Fact name="Ends at the latest">
        <When at={own.expires_at} />
      </Fact>
      <Fact name="Or, unused">in 12 h</Fact>
    </Facts>
  );
}

export function SignOutHere() {
  return (
    <Button size="xs" variant="default" onClick={signOut}>
      Sign out here
    </Button>
  );
}
