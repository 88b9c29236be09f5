// Accounts: the provider accounts agents draw on, the limits met there, and what proves them.
// Promises: a limit shows until when, why we think so and who is kept from work by it; saying that
// it is over needs a reason, and sends one run to try.
// Leaves to others: reading what a provider said (server).

import type { Account, Exhaustion } from "@signalbox/sdk";
import { useState } from "react";
import { useAccounts, useAction } from "../../api.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { AskReason } from "../../parts/ask-reason.tsx";
import { RunLink } from "../../parts/go.tsx";
import { Page } from "../../parts/page.tsx";
import { Plain, plain } from "../../parts/plain.tsx";
import { Empty, Show } from "../../parts/quiet.tsx";
import { StateBadge } from "../../parts/state-badge.tsx";
import { limitLooks } from "../../parts/states.ts";
import { Table } from "../../parts/table.tsx";
import { Countdown, When } from "../../parts/when.tsx";

export function AccountsPage() {
  const asked = useAccounts();
  return (
    <Page title="Accounts">
      <Show asked={asked} rows={3} height={120}>
        {(accounts) =>
          accounts.length === 0 ? (
            <Empty
              title="No account yet"
              command="signalbox agents register reviewer --account anthropic/max-1"
            >
              Agents that share a provider account rest and wake together when it is named.
            </Empty>
          ) : (
            <>
              {accounts.filter(isLimited).map((account) => (
                <OneAccount key={account.id} account={account} />
              ))}
              <div className="sb-board">
                {accounts
                  .filter((account) => !isLimited(account))
                  .map((account) => (
                    <OneAccount key={account.id} account={account} />
                  ))}
              </div>
            </>
          )
        }
      </Show>
    </Page>
  );
}

const isLimited = ({ exhaustions }: Account): boolean => exhaustions.length > 0;

function OneAccount({ account }: { readonly account: Account }) {
  const { provider, agents, exhaustions } = account;
  const name = plain(account.name);
  const isShut = exhaustions.some(({ state }) => state === "closed");
  const isProbing = exhaustions.some(({ state }) => state === "half_open");
  const state = isShut ? "closed" : isProbing ? "half_open" : "open";
  return (
    <section className="sb-card" aria-label={name} data-item tabIndex={-1}>
      <div className="sb-row sb-between">
        <h2 className="sb-clip">
          <Plain text={name} />
        </h2>
        <StateBadge look={limitLooks[state]} />
      </div>
      <p className="sb-dim sb-small">
        <Plain text={provider ?? "provider not named"} /> · used by{" "}
        <Plain text={agents.join(", ") || "nobody"} />
      </p>
      {exhaustions.length === 0 ? null : (
        <Table
          name={`Limits of ${name}`}
          heads={["Limit", "Model", "Reason", "Tried again", "Since", "Evidence", "Actions"]}
          rows={exhaustions.map((limit) => ({
            key: limit.model ?? "all",
            cells: cellsOf(account, limit),
          }))}
        />
      )}
    </section>
  );
}

function cellsOf(account: Account, limit: Exhaustion) {
  const { state, model, reason, recovery_at: at, closed_at: since, evidence, probe_run } = limit;
  return [
    <StateBadge key="state" look={limitLooks[state]} />,
    <Plain key="model" text={model ?? "all"} />,
    reason.replace("_", " "),
    <Again key="again" limit={limit} at={at} probe={probe_run} />,
    <When key="since" at={since} />,
    <span key="evidence" className="sb-roomy">
      <Plain text={evidence.excerpt || "–"} />
      <br />
      <span className="sb-dim sb-small">
        {evidence.source}, rule {evidence.rule}, {Math.round(evidence.confidence * 100)} % sure
      </span>
    </span>,
    state === "closed" ? <RecoverButton key="act" account={account} limit={limit} /> : null,
  ];
}

type AgainProps = { readonly limit: Exhaustion; readonly at: string | null; probe: string | null };

function Again({ limit, at, probe }: AgainProps) {
  if (limit.state === "open") return "–";
  if (probe !== null) {
    return (
      <>
        now, by <RunLink id={probe} />
      </>
    );
  }
  if (at === null) return "when a person says so";
  return (
    <>
      in <Countdown to={at} over="a moment" />
    </>
  );
}

function RecoverButton({ account, limit }: { account: Account; limit: Exhaustion }) {
  const [isAsked, ask] = useState(false);
  const name = plain(account.name);
  const { model } = limit;
  const recover = useAction<string>({
    act: (client, reason) => client.accounts.recover(account.name, { model, reason }),
    changes: ["accounts", "agents", "run"],
    done: () => `${name}: the next run tries`,
  });
  return (
    <>
      <ActButton
        needs="operate"
        size="compact-sm"
        variant="default"
        aria-label={`Recover ${name}`}
        onClick={() => ask(true)}
      >
        Recover …
      </ActButton>
      {isAsked ? (
        <AskReason
          title={`The limit of ${name} is over`}
          go="Try again now"
          close={() => ask(false)}
          act={(reason) => recover.mutate(reason)}
        >
          One run goes first as a probe. If it meets the limit again, the account rests again, and
          no attempt is counted.
        </AskReason>
      ) : null}
    </>
  );
}
