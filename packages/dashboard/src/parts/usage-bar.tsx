// An allowance as a bar: spent, and reserved next to it, against its limit.
// Promises: figures stand beside the bar, so that it is never the only sign; what is beyond the
// limit is said in words.
// Leaves to others: which allowances there are (pages).

import type { Allowance } from "@signalbox/sdk";
import { Countdown } from "./when.tsx";
import { moneyText, numberText } from "./states.ts";

const metricWords: Readonly<Record<Allowance["metric"], string>> = {
  tokens: "tokens",
  cost_micros: "cost",
  runs: "runs",
  concurrent_runs: "at a time",
};

/** `tokens per day`, `runs per 5 h`, `at a time`. */
function allowanceWord({ metric, window, window_hours: hours }: Allowance): string {
  if (metric === "concurrent_runs" || window === null) return metricWords[metric];
  return `${metricWords[metric]} per ${window === "rolling" ? `${hours ?? "?"} h` : window}`;
}

export function UsageBar({ allowance }: { readonly allowance: Allowance }) {
  const { metric, limit, spent, reserved, mode, period_ends_at: endsAt } = allowance;
  const text = metric === "cost_micros" ? moneyText : numberText;
  const share = (n: number): number => (limit === 0 ? 100 : Math.min(100, (n / limit) * 100));
  const spentShare = share(spent);
  const tone = spentShare >= 100 ? "red" : spentShare >= 80 ? "amber" : "blue";
  const percent = limit === 0 ? 100 : Math.round((spent / limit) * 100);
  const word = allowanceWord(allowance);
  return (
    <div className="sb-usage">
      <div className="sb-row sb-between">
        <span>
          {word} <span className="sb-dim">({mode})</span>
        </span>
        <span className="sb-num">
          {text(spent)} of {text(limit)} · {percent} %
        </span>
      </div>
      <div
        className="sb-bar"
        role="meter"
        aria-label={`${word}: spent`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(spentShare)}
      >
        <span className={`sb-bar-part sb-fill-${tone}`} style={{ width: `${spentShare}%` }} />
        <span
          className="sb-bar-part sb-fill-reserved"
          style={{ width: `${Math.min(100 - spentShare, share(reserved))}%` }}
        />
      </div>
      <div className="sb-row sb-between sb-dim sb-small">
        <span className="sb-num">{reserved > 0 ? `${text(reserved)} reserved` : ""}</span>
        {endsAt === null ? null : (
          <span>
            begins anew in <Countdown to={endsAt} over="a moment" />
          </span>
        )}
      </div>
    </div>
  );
}
