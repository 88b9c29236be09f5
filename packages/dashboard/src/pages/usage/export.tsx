// What was consumed as a file: one line of CSV per agent, account, model and day.
// Promises: the server's rows as they are, tokens and millionths of a dollar whole; a figure that
// was never reported is empty and not zero.
// Leaves to others: making files (`parts/download.ts`).

import { Button } from "@mantine/core";
import type { Usage, UsageRow } from "@signalbox/sdk";
import { csvLine, download } from "../../parts/download.ts";
import { useSignedIn } from "../../session.ts";

const figures = [
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "reasoning_output_tokens",
  "steps",
  "cost_micros",
] as const satisfies readonly (keyof Usage)[];

const columns = ["day", "agent", "account", "model", "attempts", ...figures];

function csvOf({ day, agent, account, model, attempts, usage }: UsageRow): string {
  const counts = figures.map((name) => usage[name] ?? null);
  return csvLine([day.slice(0, 10), agent, account, model, attempts, ...counts]);
}

export function Export({ rows }: { readonly rows: readonly UsageRow[] }) {
  const { project } = useSignedIn();
  const save = (): void => {
    const name = `usage-${project.name}-${new Date().toISOString().slice(0, 10)}.csv`;
    download(name, [csvLine(columns), ...rows.map(csvOf)], "text/csv");
  };
  return (
    <Button size="xs" variant="default" onClick={save}>
      Export CSV
    </Button>
  );
}
