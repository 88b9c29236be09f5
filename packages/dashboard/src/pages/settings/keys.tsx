// Keys: who may talk to this project from outside a browser; or the owner's, above all projects.
// Promises: a key is shown once, when it is made or rotated; those that have ended are folded away;
// the key behind this very session is marked.
// Leaves to others: making one (`new-key.tsx`), what each role may do (server).

import { Checkbox, NativeSelect } from "@mantine/core";
import type { ApiKey, CreatedKey } from "@signalbox/sdk";
import { useState } from "react";
import { useAction, useKeys } from "../../api.ts";
import type { Whose } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { FormDialog } from "../../parts/form-dialog.tsx";
import { overlaps, OVERLAP_DAY } from "../../parts/overlaps.ts";
import { Plain } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { SecretDialog } from "../../parts/secret-dialog.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { keyLooks } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { useNow, When } from "../../parts/when.tsx";
import { useSignedIn } from "../../session.ts";

export { NewKey } from "./new-key.tsx";

type KeyState = keyof typeof keyLooks;

/** A key that ends within this time is worth a look. */
const SOON_MS = 7 * 86_400_000;

function stateOf({ revoked_at: revoked, expires_at: ends }: ApiKey, now: number): KeyState {
  if (revoked !== null) return "revoked";
  if (ends === null) return "good";
  const left = Date.parse(ends) - now;
  if (left <= 0) return "expired";
  return left < SOON_MS ? "ending" : "good";
}

const isOver = (state: KeyState): boolean => state === "revoked" || state === "expired";

export function Keys({ of }: { readonly of: Whose }) {
  const asked = useKeys(of);
  // Here and not in the row of the old key, which may be gone while the new one is still shown.
  const [made, setMade] = useState<Made | null>(null);
  return (
    <>
      <Show asked={asked} rows={3}>
        {(keys) => <KeyTable of={of} keys={keys} show={setMade} />}
      </Show>
      {made === null ? null : (
        <SecretDialog
          title={`New key of ${made.name}`}
          secret={made.key}
          close={() => setMade(null)}
        >
          Put it where the old one was, before that one ends.
        </SecretDialog>
      )}
    </>
  );
}

type Made = Pick<CreatedKey, "name" | "key">;
type ShowMade = (made: Made) => void;
type KeyTableProps = {
  readonly of: Whose;
  readonly keys: readonly ApiKey[];
  readonly show: ShowMade;
};

function KeyTable({ of, keys, show }: KeyTableProps) {
  const now = useNow();
  const [isAll, setAll] = useState(false);
  const ended = keys.filter((key) => isOver(stateOf(key, now))).length;
  const shown = keys
    .filter((key) => isAll || !isOver(stateOf(key, now)))
    .toSorted((a, b) => b.created_at.localeCompare(a.created_at));
  return (
    <>
      {ended === 0 ? null : (
        <Checkbox
          size="xs"
          label={`Show ${ended} that have ended`}
          checked={isAll}
          onChange={(event) => setAll(event.currentTarget.checked)}
        />
      )}
      {shown.length === 0 ? (
        <Empty title="No key" command="signalbox keys create build-7 --role submitter">
          Programs and workers present a key:
        </Empty>
      ) : (
        <Table
          name={`List of ${of === "project" ? "keys" : "the owner's keys"}`}
          heads={["Name", "State", "May", "Last used", "Ends", "Made", "Actions"]}
          rows={shown.map((key) => ({
            key: key.id,
            cells: cellsOf(key, { of, show, state: stateOf(key, now) }),
          }))}
        />
      )}
    </>
  );
}

type Shown = { readonly of: Whose; readonly show: ShowMade; readonly state: KeyState };

function cellsOf(key: ApiKey, { of, show, state }: Shown) {
  const { name, prefix, roles, agents } = key;
  return [
    <span key="name">
      <Plain text={name} /> <Yours keyId={key.id} />
      <br />
      <code className="sb-dim">{prefix}</code>
    </span>,
    <StateBadge key="state" look={keyLooks[state]} />,
    <span key="may">
      {roles.join(", ")}
      {agents === null ? null : (
        <span className="sb-dim sb-small sb-under">
          only as <Plain text={agents.join(", ")} />
        </span>
      )}
    </span>,
    <When key="used" at={key.last_used_at} />,
    <Ends key="ends" value={key} />,
    <When key="made" at={key.created_at} />,
    isOver(state) ? "–" : <Acts key="acts" value={key} of={of} show={show} />,
  ];
}

function Yours({ keyId }: { readonly keyId: string }) {
  const { own } = useSignedIn();
  return own.key_id === keyId ? <span className="sb-badge sb-blue">yours</span> : null;
}

function Ends({ value }: { readonly value: ApiKey }) {
  const { revoked_at: revoked, expires_at: expires, replaced_by: by } = value;
  if (revoked !== null) return <When at={revoked} />;
  if (expires === null) return <span className="sb-dim">never</span>;
  return (
    <>
      <When at={expires} />
      {by === null ? null : <span className="sb-dim sb-small sb-under">replaced</span>}
    </>
  );
}

type ActProps = { readonly value: ApiKey; readonly of: Whose; readonly close: () => void };
type ActsProps = Omit<ActProps, "close"> & { readonly show: ShowMade };

function Acts({ value, of, show }: ActsProps) {
  const [asked, ask] = useState<"rotate" | "revoke" | null>(null);
  const { name } = value;
  const needs = of === "installation" ? "own" : "administer";
  const close = (): void => ask(null);
  return (
    <span className="sb-row">
      <ActButton
        needs={needs}
        size="compact-sm"
        variant="default"
        aria-label={`Rotate ${name}`}
        onClick={() => ask("rotate")}
      >
        Rotate …
      </ActButton>
      <ActButton
        needs={needs}
        size="compact-sm"
        variant="outline"
        color="red"
        aria-label={`Revoke ${name}`}
        onClick={() => ask("revoke")}
      >
        Revoke …
      </ActButton>
      {asked === "rotate" ? <Rotate value={value} of={of} close={close} show={show} /> : null}
      {asked === "revoke" ? <Revoke value={value} of={of} close={close} /> : null}
    </span>
  );
}

const installation = (of: Whose): { installation?: true } =>
  of === "installation" ? { installation: true } : {};

function Rotate({ value, of, close, show }: ActProps & ActsProps) {
  const { own } = useSignedIn();
  const { name } = value;
  const [overlap, setOverlap] = useState(OVERLAP_DAY);
  // One's own key must not end with the answer that shows the new one.
  const least = own.key_id === value.id ? 1 : 0;
  const rotate = useAction<null>({
    act: async (client) => {
      const how = { overlap_s: Number(overlap), ...installation(of) };
      show(await client.keys.rotate(value.id, how));
    },
    changes: ["keys", "audit"],
    done: () => `${name} has a new key`,
    saysRefusals: true,
  });
  return (
    <FormDialog
      title={`Rotate ${name}`}
      go="Make the new key"
      close={close}
      act={() => rotate.mutateAsync(null)}
    >
      <p>
        A key with the same name, roles and agents is made. The old one lives on for as long as you
        choose, so that nothing stops while you put the new one in place.
      </p>
      <NativeSelect
        label="The old key lives on for"
        value={overlap}
        data={overlaps.filter((one) => Number(one.value) >= least)}
        onChange={(event) => setOverlap(event.currentTarget.value)}
      />
      <EndsYours value={value} />
    </FormDialog>
  );
}

function EndsYours({ value }: { readonly value: ApiKey }) {
  const { own } = useSignedIn();
  if (own.key_id !== value.id) return null;
  return (
    <p className="sb-note sb-amber">
      This browser is signed in by this key: when the key ends, so does your session.
    </p>
  );
}

function Revoke({ value, of, close }: ActProps) {
  const { name, roles } = value;
  const revoke = useAction<null>({
    act: (client) => client.keys.revoke(value.id, installation(of)),
    changes: ["keys", "sessions", "audit"],
    done: () => `${name} opens nothing any more`,
    saysRefusals: true,
  });
  return (
    <FormDialog
      title={`Revoke ${name}`}
      go="Revoke it now"
      dangerous
      close={close}
      act={() => revoke.mutateAsync(null)}
    >
      <p>
        Whoever presents it ({roles.join(", ")}) is refused from now on, at every server, and the
        sessions it opened end. Last used: <When at={value.last_used_at} />. This cannot be undone;
        to change it without a gap, rotate it.
      </p>
      <EndsYours value={value} />
    </FormDialog>
  );
}
