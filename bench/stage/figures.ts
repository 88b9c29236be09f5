// Figures: what a campaign measures, what is asked of each, and the verdict.
// Promises: a limit is part of the figure, so that no campaign decides by itself what passes; the
// verdict is over every repetition, but for speeds, which others on the machine disturb: there it
// is over the median, and the range is shown.
// Leaves to others: measuring; printing and keeping (evidence.ts).

/** What a figure is and what it may be. Without a limit it informs. */
export type FigureKind = {
  unit: string;
  most?: number;
  least?: number;
  exactly?: number;
  /** Shown in the table of evidence. */
  headline?: boolean;
  /** A duration: in the quick form, on a busy machine, it informs and has no limit. */
  timed?: boolean;
  /** A speed: its median has to hold, not every repetition. */
  speed?: boolean;
  /** Said as the sum over all repetitions; limits still hold for each. */
  summed?: boolean;
};

/** The figures of one repetition, by name. */
export type Measured = Record<string, number>;

/** One figure over all repetitions. */
export type Figure = FigureKind & {
  name: string;
  values: number[];
  median: number;
  least_value: number;
  most_value: number;
  passed: boolean;
};

/** A value for people: three digits are plenty. */
export function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

/** The value below which a share of the values lies (nearest rank). 0 for no values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(0, Math.ceil(share * sorted.length) - 1);
  return sorted[rank] ?? 0;
}

function holds(kind: FigureKind, value: number): boolean {
  if (!Number.isFinite(value)) return false;
  if (kind.exactly !== undefined && value !== kind.exactly) return false;
  if (kind.most !== undefined && value > kind.most) return false;
  return kind.least === undefined || value >= kind.least;
}

function judged({ speed = false }: FigureKind, values: readonly number[]): readonly number[] {
  return speed && values.length > 0 ? [quantile(values, 0.5)] : values;
}

/** Brings repetitions and kinds together. A figure with a limit that was never measured fails. */
export function figuresOf(
  kinds: Record<string, FigureKind>,
  repetitions: readonly Measured[],
  { quick = false } = {},
): Figure[] {
  for (const name of repetitions.flatMap((one) => Object.keys(one))) {
    if (kinds[name] === undefined) throw new Error(`figure ${name} is not declared`);
  }
  return Object.entries(kinds).map(([name, given]) => {
    const { unit, headline = false } = given;
    // Tiny counts say nothing about speed, and may have measured none at all.
    const isTimed = quick && given.timed === true;
    const kind = isTimed ? { unit, headline } : given;
    const values = repetitions.flatMap((one) => one[name] ?? []);
    const isLimited =
      kind.most !== undefined || kind.least !== undefined || kind.exactly !== undefined;
    const unjudged = quick && !isLimited;
    return {
      name,
      ...kind,
      values: values.map(rounded),
      median: rounded(quantile(values, 0.5)),
      least_value: rounded(Math.min(...values)),
      most_value: rounded(Math.max(...values)),
      passed:
        unjudged ||
        (judged(kind, values).every((value) => holds(kind, value)) &&
          (values.length > 0 || !isLimited)),
    };
  });
}

/** A figure in words: `cold 780 ms (740 to 910)`. */
export function inWords(figure: Figure): string {
  const { name, unit, values, median, least_value, most_value } = figure;
  const words = name.replaceAll("_", " ").replace(/ (?:ms|mib|s)$/, "");
  if (values.length === 0) return `${words}: not measured`;
  if (figure.summed === true) {
    return `${words} ${rounded(values.reduce((sum, value) => sum + value, 0))} in all`;
  }
  const range = least_value === most_value ? "" : ` (${least_value} to ${most_value})`;
  return `${words} ${median}${unit === "" ? "" : ` ${unit}`}${range}`;
}

/** The limit in words. */
export function limitOf({ exactly, most, least, speed }: FigureKind): string {
  if (exactly !== undefined) return `= ${exactly}`;
  const limits = [least === undefined ? "" : `≥ ${least}`, most === undefined ? "" : `≤ ${most}`]
    .filter((part) => part !== "")
    .join(", ");
  return speed === true && limits !== "" ? `median ${limits}` : limits;
}
