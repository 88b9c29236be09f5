// The trail as a file: JSON lines or CSV of all deeds that the filter shows.
// Promises: the whole answer and not only what is on the screen, up to 50,000 deeds, which is said
// when it is reached; it counts while it reads; leaving the screen ends it.
// Leaves to others: making files (`parts/download.ts`).

import { Button } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import type { AuditEntry, Signalbox } from "@signalbox/sdk";
import { useEffect, useRef, useState } from "react";
import { adviceOn } from "../../parts/advice.ts";
import { csvLine, download } from "../../parts/download.ts";
import { numberText } from "../../parts/states.ts";
import { useSignedIn } from "../../session.ts";
import { filterOf } from "./filter.ts";
import type { Chosen } from "./filter.ts";

const MOST = 50_000;
const PAGE = 100;

const columns = [
  "at",
  "actor",
  "actor_name",
  "type",
  "target_stream",
  "target_id",
  "reason",
  "request_id",
  "feed",
  "id",
  "data",
] as const;

function csvOf(entry: AuditEntry): string {
  const { at, actor, actor_name, type, target, reason, request_id, feed, id, data } = entry;
  const to = [target?.stream ?? null, target?.id ?? null];
  const rest = [reason, request_id, feed, id, JSON.stringify(data)];
  return csvLine([at, actor, actor_name, type, ...to, ...rest]);
}

type Format = "jsonl" | "csv";

type Reading = {
  readonly chosen: Chosen;
  readonly count: (n: number) => void;
  readonly signal: AbortSignal;
};

async function read(client: Signalbox, { chosen, count, signal }: Reading): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for await (const entry of client.audit.iterate({ ...filterOf(chosen), limit: PAGE })) {
    if (signal.aborted || entries.length === MOST) break;
    entries.push(entry);
    if (entries.length % PAGE === 0) count(entries.length);
  }
  return entries;
}

export function Export({ chosen }: { readonly chosen: Chosen }) {
  const { client, project } = useSignedIn();
  const [counted, count] = useState<number | null>(null);
  const leaving = useRef(new AbortController());
  useEffect(() => {
    const left = (leaving.current = new AbortController());
    return () => left.abort();
  }, []);
  const run = async (format: Format): Promise<void> => {
    const { signal } = leaving.current;
    count(0);
    try {
      const entries = await read(client, { chosen, count, signal });
      if (signal.aborted) return;
      const whose = chosen.of === "installation" ? "installation" : project.name;
      const name = `audit-${whose}-${new Date().toISOString().slice(0, 10)}`;
      if (format === "csv") {
        download(`${name}.csv`, [csvLine(columns), ...entries.map(csvOf)], "text/csv");
      } else {
        const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`);
        download(`${name}.jsonl`, lines, "application/x-ndjson");
      }
      const isCut = entries.length === MOST;
      const more = isCut ? ": narrow the time for the rest" : "";
      notifications.show({
        message: `${numberText(entries.length)} deeds exported${more}`,
        color: isCut ? "yellow" : "green",
      });
    } catch (error) {
      const { title, advice } = adviceOn(error);
      notifications.show({ title, message: advice, color: "red" });
    }
    count(null);
  };
  const isReading = counted !== null;
  return (
    <>
      {isReading ? <output className="sb-dim sb-num">{numberText(counted)} read …</output> : null}
      <Button size="xs" variant="default" disabled={isReading} onClick={() => void run("jsonl")}>
        Export JSON lines
      </Button>
      <Button size="xs" variant="default" disabled={isReading} onClick={() => void run("csv")}>
        Export CSV
      </Button>
    </>
  );
}
