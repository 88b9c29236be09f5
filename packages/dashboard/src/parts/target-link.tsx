// What something was done to: its kind and name, linked to its screen.
// Promises: names where the register has them, ids where not; text only.
// Leaves to others: the screens.

import type { AuditEntry } from "@signalbox/sdk";
import { Go, runPath } from "./go.tsx";
import { Plain } from "./plain.tsx";

type TargetLinkProps = Pick<AuditEntry, "target" | "data">;

export function TargetLink({ target, data }: TargetLinkProps) {
  const said = data["name"] ?? data["url"];
  const name = typeof said === "string" ? said : null;
  if (target === null) return name === null ? "–" : <Plain text={name} />;
  const { stream, id } = target;
  const shown = name ?? `…${id.slice(-8)}`;
  return (
    <span className="sb-target" title={id}>
      <span className="sb-dim sb-small">{kindOf(target, data)}</span>{" "}
      <To stream={stream} id={id} data={data} shown={shown} />
    </span>
  );
}

/** Keys, sessions and webhooks have no stream of their own: the project's says which it is. */
function kindOf({ stream }: { readonly stream: string }, data: AuditEntry["data"]): string {
  if (stream !== "project") return stream;
  if (typeof data["webhook"] === "string") return "webhook";
  if (typeof data["session"] === "string") return "session";
  if (typeof data["key"] === "string" || typeof data["prefix"] === "string") return "key";
  return stream;
}

type ToProps = {
  readonly stream: string;
  readonly id: string;
  readonly data: AuditEntry["data"];
  readonly shown: string;
};

function To({ stream, id, data, shown }: ToProps) {
  const { webhook } = data;
  if (typeof webhook === "string") {
    return (
      <Go to={`/webhooks/${encodeURIComponent(webhook)}`}>
        <Plain text={shown} />
      </Go>
    );
  }
  if (stream === "run") return <Go to={runPath(id)}>{`…${id.slice(-8)}`}</Go>;
  if (stream === "queue" || stream === "agent") {
    return (
      <Go to="/runs" search={{ [stream]: shown }}>
        <Plain text={shown} />
      </Go>
    );
  }
  return <Plain text={shown} />;
}
