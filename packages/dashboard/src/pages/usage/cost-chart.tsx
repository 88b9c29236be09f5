// Cost per day as a chart.
// Promises: says the same as the table below it, so it is hidden from screen readers; colours come
// from the theme; as wide as there is room.
// Leaves to others: the sums (`usage-page.tsx`).

import { useComputedColorScheme } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import UPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { moneyText } from "../../parts/states.ts";

type CostChartProps = { readonly days: readonly (readonly [string, number])[] };

const HEIGHT_PX = 180;

export function CostChart({ days }: CostChartProps) {
  const scheme = useComputedColorScheme("light");
  const { ref, width } = useElementSize();
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (place.current === null || width === 0) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--sb-dim"), grid: { stroke: colour("--sb-line"), width: 1 } };
    const bars = UPlot.paths.bars?.({ size: [0.6, 64] });
    const chart = new UPlot(
      {
        width,
        height: HEIGHT_PX,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [-0.6, days.length - 0.4] }, y: { range: fromZero } },
        axes: [
          {
            ...axis,
            splits: days.map((_, n) => n),
            values: (_chart, at) => at.map((n) => days[n]?.[0].slice(5) ?? ""),
          },
          { ...axis, size: 72, values: (_chart, at) => at.map((n) => moneyText(n)) },
        ],
        series: [
          {},
          {
            fill: colour("--mantine-color-blue-filled"),
            stroke: colour("--mantine-color-blue-filled"),
            ...(bars && { paths: bars }),
            points: { show: false },
          },
        ],
      },
      [days.map((_, n) => n), days.map(([, micros]) => micros)],
      place.current,
    );
    return () => chart.destroy();
  }, [days, width, scheme]);
  return (
    <div ref={ref} className="sb-chart" aria-hidden="true" style={{ minHeight: HEIGHT_PX }}>
      <div ref={place} />
    </div>
  );
}

const fromZero = (_chart: unknown, _least: number, most: number): [number, number] => [
  0,
  most > 0 ? most * 1.1 : 1,
];
