// A button for an act that not every role may do, and a word in place of a screen that not every
// role may see.
// Promises: what the session may not do is not done; the button stays where it is, says why it does
// nothing, and can be reached by keyboard to hear it.
// Leaves to others: which role may do what (server: the session says its permissions).

import { Button } from "@mantine/core";
import type { ButtonProps } from "@mantine/core";
import type { Permission, Role } from "@signalbox/sdk";
import type { ReactNode } from "react";
import { useMay, useSignedIn } from "../session.ts";
import { Empty } from "./quiet.tsx";

/** The least role of a project that may; the server's table says the same. */
const leastRole: Readonly<Record<Permission, Role>> = {
  read: "viewer",
  submit: "submitter",
  work: "worker",
  cancel: "submitter",
  operate: "operator",
  approve: "approver",
  administer: "admin",
  own: "owner",
};

function reasonFor(needs: Permission, roles: readonly Role[]): string {
  return `Needs the role ${leastRole[needs]}; you are signed in as ${roles.join(", ")}.`;
}

type ActButtonProps = ButtonProps & {
  readonly needs: Permission;
  readonly children: ReactNode;
  readonly onClick?: () => void;
  readonly type?: "button" | "submit";
  readonly "aria-label"?: string;
};

export function ActButton({ needs, onClick, ...props }: ActButtonProps) {
  const { roles } = useSignedIn().own;
  const may = useMay(needs);
  if (may) return <Button {...props} {...(onClick === undefined ? {} : { onClick })} />;
  return (
    <Button {...props} type="button" data-disabled aria-disabled title={reasonFor(needs, roles)} />
  );
}

type NeedsProps = {
  readonly permission: Permission;
  /** What would be here. */
  readonly what: string;
  readonly children: ReactNode;
};

/** Its children for who may see them; for others, what they would need. */
export function Needs({ permission, what, children }: NeedsProps) {
  const { roles } = useSignedIn().own;
  const may = useMay(permission);
  if (may) return children;
  return (
    <Empty
      title={`${what} needs the role ${leastRole[permission]}`}
      command={`signalbox login${permission === "own" ? " --owner" : ""}`}
    >
      You are signed in as {roles.join(", ")}. Open a link that was made with a key that may:
    </Empty>
  );
}
