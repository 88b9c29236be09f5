// The attempts of a run: all of them in a table, and any two side by side.
// Promises: figures stand under figures; unknown is a dash, never zero; what differs is said in a
// word, not by colour alone.
// Leaves to others: what an attempt said (the log).

import { NativeSelect } from "@mantine/core";
import type { Attempt } from "@signalbox/sdk";
import { useState } from "react";
import type { ReactNode } from "react";
import { Section } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Empty } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { attemptLooks, durationText, moneyText, numberText } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { Took, When } from "../../parts/when.tsx";

const dash = "–";
const money = (n: number | undefined): string => (n === undefined ? dash : moneyText(n));
const figure = (n: number | null | undefined): string =>
  n === undefined || n === null ? dash : numberText(n);

type AttemptsProps = { readonly attempts: readonly Attempt[] };

export function Attempts({ attempts }: AttemptsProps) {
  if (attempts.length === 0) return <Empty title="Nobody has claimed it yet" />;
  return (
    <div className="sb-stack">
      <Table
        name="Attempts"
        heads={[
          "#",
          "State",
          "Agent",
          "Runtime",
          "Claimed",
          "Took",
          "Exit",
          "Cost",
          "Ended because",
        ]}
        figures={[0, 5, 6, 7]}
        rows={attempts.toReversed().map((one) => ({
          key: one.id,
          cells: [
            one.number,
            <StateBadge
              key="state"
              look={attemptLooks[one.state]}
              {...(!one.counted && { note: "free" })}
            />,
            one.agent === null ? dash : <Plain key="agent" text={one.agent} />,
            <Plain key="runtime" text={one.runtime} />,
            <When key="claimed" at={one.claimed_at} />,
            <Took key="took" from={one.claimed_at} to={one.ended_at} />,
            one.exit_code ?? one.signal ?? dash,
            money(one.usage.cost_micros),
            <Plain
              key="why"
              text={[one.cause, one.error?.message].filter(Boolean).join(": ") || dash}
            />,
          ],
        }))}
      />
      {attempts.length > 1 ? <SideBySide attempts={attempts} /> : null}
    </div>
  );
}

/** What is compared: its name, and what of an attempt it is, as text. */
const compared: readonly (readonly [string, (one: Attempt) => string])[] = [
  ["State", ({ state }) => attemptLooks[state].word],
  ["Counts", ({ counted }) => (counted ? "yes" : "no, free")],
  ["Ended because", ({ cause }) => cause ?? dash],
  ["Error", ({ error }) => (error === null ? dash : `${error.code}: ${error.message}`)],
  ["Exit", (one) => String(one.exit_code ?? one.signal ?? dash)],
  ["Agent", ({ agent }) => agent ?? dash],
  ["Runtime", ({ runtime }) => runtime],
  ["Account", ({ account }) => account ?? dash],
  ["Host", ({ host }) => host ?? dash],
  ["Process", ({ pid }) => figure(pid)],
  ["Claimed to started", (one) => spanOf(one.claimed_at, one.started_at)],
  ["Claimed to ended", (one) => spanOf(one.claimed_at, one.ended_at)],
  ["Input tokens", ({ usage }) => figure(usage.input_tokens)],
  ["Output tokens", ({ usage }) => figure(usage.output_tokens)],
  ["Cache read", ({ usage }) => figure(usage.cache_read_input_tokens)],
  ["Steps", ({ usage }) => figure(usage.steps)],
  ["Cost", ({ usage }) => money(usage.cost_micros)],
];

function spanOf(from: string, to: string | null): string {
  return to === null ? dash : durationText(Date.parse(to) - Date.parse(from));
}

function SideBySide({ attempts }: AttemptsProps) {
  const newest = attempts.at(-1)?.number ?? 1;
  const [left, setLeft] = useState(newest - 1);
  const [right, setRight] = useState(newest);
  const pair = [left, right].map((number) => attempts.find((one) => one.number === number));
  const choice = (label: string, value: number, set: (number: number) => void): ReactNode => (
    <NativeSelect
      size="xs"
      aria-label={label}
      value={String(value)}
      data={attempts.map(({ number }) => ({ value: String(number), label: `attempt ${number}` }))}
      onChange={(event) => set(Number(event.currentTarget.value))}
    />
  );
  return (
    <Section title="Side by side">
      <div className="sb-row">
        {choice("Left attempt", left, setLeft)}
        {choice("Right attempt", right, setRight)}
      </div>
      <Table
        name="Two attempts side by side"
        heads={["What", `attempt ${left}`, `attempt ${right} `, "Compared"]}
        rows={compared.map(([name, of]) => {
          const [one, other] = pair.map((attempt) => (attempt === undefined ? dash : of(attempt)));
          return {
            key: name,
            cells: [
              name,
              <Plain key="left" text={one ?? dash} />,
              <Plain key="right" text={other ?? dash} />,
              one === other ? (
                <span key="same" className="sb-dim">
                  same
                </span>
              ) : (
                <strong key="differs">differs</strong>
              ),
            ],
          };
        })}
      />
    </Section>
  );
}
