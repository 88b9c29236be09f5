// What something was done to: its kind and name, linked to its screen.
// Promises: names where the register has them, ids where not; text only.
// Leaves to others: the screens.

import type { AuditEntry } from "@signalbox/sdk";
import type { ReactNode } from "react";
import { useSignedIn } from "../session.ts";
import { Go, runPath } from "./go.tsx";
import { Plain } from "./plain.tsx";

type TargetProps = Pick<AuditEntry, "type" | "target" | "data">;

/** What has no stream of its own stands on the project's: the event's type says which it is. */
const onProject = ["webhook", "session", "key", "allowance", "access"] as const;

const text = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value : null;
const tail = (id: string): string => `…${id.slice(-8)}`;

export function TargetLink({ type, target, data }: TargetProps) {
  const { project } = useSignedIn();
  const [subject = ""] = type.split(".", 1);
  const isWithin = onProject.some((one) => one === subject);
  const stream = target?.stream ?? "installation";
  const kind = isWithin ? subject : stream;
  const name = nameOf(kind, data) ?? (stream === "project" && !isWithin ? project.name : null);
  const id = target?.id ?? null;
  const shown = name ?? (id === null || isWithin ? "" : tail(id));
  return (
    <span className="sb-target" title={isWithin ? undefined : (id ?? undefined)}>
      <span className="sb-dim sb-small">{kind}</span>{" "}
      <To kind={kind} id={id} data={data}>
        <Plain text={shown} />
      </To>
    </span>
  );
}

function nameOf(kind: string, data: AuditEntry["data"]): string | null {
  const { name, host, session, key, operation, scope } = data;
  if (kind === "run") return null;
  if (kind === "webhook") return text(host);
  if (kind === "session") return typeof session === "string" ? tail(session) : null;
  if (kind === "access") return text(operation);
  if (kind === "allowance") return text(name) ?? text(scope);
  return text(name) ?? text(key);
}

type ToProps = {
  readonly kind: string;
  readonly id: string | null;
  readonly data: AuditEntry["data"];
  readonly children: ReactNode;
};

function To({ kind, id, data, children }: ToProps) {
  const { name, webhook } = data;
  if (kind === "webhook" && typeof webhook === "string") {
    return <Go to={`/webhooks/${encodeURIComponent(webhook)}`}>{children}</Go>;
  }
  if (kind === "run" && id !== null) return <Go to={runPath(id)}>{children}</Go>;
  if ((kind === "queue" || kind === "agent") && typeof name === "string") {
    return (
      <Go to="/runs" search={{ [kind]: name }}>
        {children}
      </Go>
    );
  }
  return children;
}
