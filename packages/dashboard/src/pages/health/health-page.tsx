// Health: whether the house does its work, and what to do where it does not.
// Promises: what is wrong comes first, with what helps; readiness is for everybody, servers and
// database for operators, load for the owner; where something is not told, why.
// Leaves to others: series over time (`/metrics`), the machine itself (`signalbox doctor`).

import type { Finding, HouseHealth } from "@signalbox/sdk";
import { useHouse, useReadiness } from "../../api.ts";
import { Needs } from "../../parts/act-button.tsx";
import { Copyable } from "../../parts/copyable.tsx";
import { Fact, Facts } from "../../parts/facts.tsx";
import { Page, Section } from "../../parts/page.tsx";
import { Plain } from "../../parts/plain.tsx";
import { Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { durationText, findingLooks, numberText } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { When } from "../../parts/when.tsx";
import { useMay } from "../../session.ts";
import { Load } from "./load.tsx";

/** From here on a server does not call itself ready. */
const LATE_MS = 10_000;
/** An open transaction of this age keeps dead rows that slow down claims. */
const OLD_S = 60;

export function HealthPage() {
  return (
    <Page title="Health">
      <Server />
      <Needs permission="operate" what="Looking at servers and database">
        <House />
      </Needs>
    </Page>
  );
}

function Server() {
  const asked = useReadiness();
  return (
    <Section title="The server that answers this page">
      <Show asked={asked} rows={1} height={64}>
        {(server) => (
          <Facts>
            <Fact name="Ready">
              <StateBadge
                look={{
                  ...findingLooks[server.ready ? "ok" : "fail"],
                  word: server.ready ? "yes" : "no",
                }}
              />
            </Fact>
            <Fact name="Database">{server.database}</Fact>
            <Fact name="Last sweep">
              {server.sweep_lag_ms === null ? "–" : `${durationText(server.sweep_lag_ms)} ago`}
              {(server.sweep_lag_ms ?? 0) > LATE_MS ? ", late" : ""}
            </Fact>
            <Fact name="Version">{server.version}</Fact>
            <Fact name="Started">
              <When at={server.started_at} />
            </Fact>
          </Facts>
        )}
      </Show>
    </Section>
  );
}

function House() {
  const asked = useHouse();
  const isOwner = useMay("own");
  return (
    <Show asked={asked} rows={4}>
      {(house) => (
        <>
          <Section title="What was looked at">
            <Findings findings={house.findings} />
            <p className="sb-dim sb-small">
              Files, disk, keys and settings of the database are looked at on the machine itself:
            </p>
            <Copyable text="signalbox doctor" what="the command" />
          </Section>
          <Servers house={house} />
          <Horizon house={house} />
          {house.load === null ? (
            <p className="sb-dim sb-small">
              {isOwner
                ? ""
                : "Load and tables tell about all projects together: they are the owner's."}
            </p>
          ) : (
            <Load load={house.load} />
          )}
        </>
      )}
    </Show>
  );
}

const order: readonly Finding["verdict"][] = ["fail", "warn", "ok"];

function Findings({ findings }: { readonly findings: readonly Finding[] }) {
  const sorted = findings.toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  return (
    <Table
      name="Findings"
      heads={["Verdict", "What is so", "What to do"]}
      rows={sorted.map(({ check, verdict, says, todo }) => ({
        key: check,
        cells: [
          <StateBadge key="verdict" look={findingLooks[verdict]} />,
          <span key="says" className="sb-roomy" title={check}>
            <Plain text={says} />
          </span>,
          todo === null ? "–" : <Plain key="todo" text={todo} />,
        ],
      }))}
    />
  );
}

function Servers({ house }: { readonly house: HouseHealth }) {
  return (
    <Section title="Servers" note="That have said within 15 s that they are up">
      <Table
        name="List of servers"
        heads={["Version", "Started", "Last heard of"]}
        rows={house.servers.map(({ version, started_at: at, seen_ms: seen }) => ({
          key: at,
          cells: [
            <Plain key="version" text={version} />,
            <When key="started" at={at} />,
            `${durationText(seen)} ago`,
          ],
        }))}
      />
    </Section>
  );
}

function horizonText(horizon: HouseHealth["horizon"]): string {
  if (horizon === null) return "not known";
  if (horizon.age_s < 1) return "younger than a second";
  const age = durationText(horizon.age_s * 1_000);
  return horizon.age_s > OLD_S ? `${age}: what died since cannot be cleaned away` : age;
}

function Horizon({ house: { horizon } }: { readonly house: HouseHealth }) {
  return (
    <Section title="Database">
      <Facts>
        <Fact name="Oldest open transaction" wide>
          {horizonText(horizon)}
        </Fact>
        <Fact name="Transactions since then" wide>
          {horizon === null ? "not known" : numberText(horizon.transactions)}
        </Fact>
      </Facts>
    </Section>
  );
}
