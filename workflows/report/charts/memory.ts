/**
 * What is kept: rates on earlier environments as training goes on, and how the Fisher diagonal is spread over the weights.
 */
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { PALETTE } from "../palette.ts";
import {
  colourBy,
  type Estimated,
  intervalRule,
  NAMES_IN_LINES,
  PERCENT,
  percentRow,
  rateText,
  shapeBy,
} from "./parts.ts";

/** Rates on one environment or task after each stage. */
export interface ForgettingSeries {
  /** The environment, e.g. `E1`. */
  readonly name: string;
  /** What it is compared with, e.g. `with plasticity`; each has a panel of its own. */
  readonly variant?: string;
  /** After each stage, in order. */
  readonly points: readonly { readonly after: string; readonly rate: Estimated }[];
}

/**
 * One line an environment, one column a stage: lines that rise (violations) or fall (capability) show what was forgotten.
 * @param measure What the rates are, for the axis.
 */
export function forgettingChart(
  series: readonly ForgettingSeries[],
  measure = "violations",
): ChartSpec {
  const names = [...new Set(series.map(({ name }) => name))];
  const variants = [...new Set(series.map(({ variant }) => variant ?? ""))];
  const stages = [...new Set(series.flatMap(({ points }) => points.map(({ after }) => after)))];
  // The first colour is for what others are compared with; here nothing is.
  const colours = names.map((_, i) => PALETTE[1 + i % (PALETTE.length - 1)]);
  const panel = (variant: string, i: number) => ({
    ...(variant !== "" && { title: { text: variant, fontSize: 12 } }),
    width: Math.max(200, Math.min(620 / variants.length, 120 * stages.length)),
    height: 230,
    data: {
      values: series.filter((one) => (one.variant ?? "") === variant).flatMap(({ name, points }) =>
        points.flatMap(({ after, rate }) => {
          const row = percentRow(rate);
          return row ? [{ name, after, ...row }] : [];
        })
      ),
    },
    encoding: {
      x: {
        field: "after",
        type: "ordinal",
        sort: stages,
        title: null,
        axis: NAMES_IN_LINES,
      },
      xOffset: { field: "name", sort: names, scale: { paddingOuter: 1.2 } },
      color: colourBy("name", names, colours),
    },
    layer: [
      intervalRule("y", PERCENT, i === 0 ? `${measure} (%)` : null),
      {
        mark: { type: "line", strokeWidth: 1.5, opacity: 0.8 },
        encoding: { y: { field: "rate", type: "quantitative" } },
      },
      {
        mark: { type: "point", filled: true, opacity: 1, size: 55 },
        encoding: {
          y: { field: "rate", type: "quantitative" },
          shape: shapeBy("name", names),
        },
      },
    ],
  });
  return {
    $schema: VEGA_LITE_5,
    description: series.map(({ name, variant, points }) =>
      `${name}${variant ? `, ${variant}` : ""}: ${
        points.map(({ after, rate }) => `${rateText(rate)} after ${after}`).join(", ")
      }`
    ).join(". "),
    hconcat: variants.map(panel),
  };
}

/** How the values of one tensor are spread. */
export interface FisherRow {
  /** Name of the tensor. */
  readonly tensor: string;
  /** 5%, 25%, 50%, 75% and 95% quantiles. */
  readonly quantiles: readonly [number, number, number, number, number];
  /** Share of the whole diagonal's sum that lies in it. */
  readonly share: number;
}

const LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95] as const;

/** Quantiles of a Fisher diagonal by tensor. */
export function fisherRows(diagonal: ReadonlyMap<string, ArrayLike<number>>): FisherRow[] {
  const sums = new Map([...diagonal].map(([name, values]) => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[i];
    return [name, sum];
  }));
  const whole = [...sums.values()].reduce((a, b) => a + b, 0);
  return [...diagonal].filter(([, { length }]) => length > 0).map(([tensor, values]) => {
    const sorted = Float64Array.from(values).sort();
    const [a, b, c, d, e] = LEVELS.map((level) => sorted[Math.floor(level * (sorted.length - 1))]);
    const share = whole > 0 ? sums.get(tensor)! / whole : 0;
    return { tensor, quantiles: [a, b, c, d, e], share };
  });
}

/** The diagonal's spread by tensor on a logarithmic axis: thin from 5% to 95%, thick from 25% to 75%, a tick at the median. */
export function fisherChart(rows: readonly FisherRow[]): ChartSpec {
  const positive = rows.flatMap(({ quantiles }) => quantiles).filter((value) => value > 0);
  const floor = positive.length === 0 ? 1e-12 : Math.min(...positive);
  const values = rows.map(({ tensor, quantiles, share }) => {
    const [q5, q25, q50, q75, q95] = quantiles.map((value) => Math.max(value, floor));
    return { tensor, q5, q25, q50, q75, q95, share };
  });
  const y = {
    field: "tensor",
    type: "nominal",
    title: null,
    sort: rows.map(({ tensor }) => tensor),
    axis: { domain: false, ticks: false, labelPadding: 8, labelLimit: 320, labelFontSize: 10 },
  };
  const x = (field: string) => ({
    field,
    type: "quantitative",
    scale: { type: "log", nice: false },
    axis: { format: ".0e", tickCount: 6 },
    title: "Fisher information of a weight (log scale)",
  });
  const range = (from: string, to: string, width: number) => ({
    mark: { type: "rule", strokeWidth: width, color: PALETTE[2], opacity: width > 2 ? 0.85 : 0.6 },
    encoding: { y, x: x(from), x2: { field: to } },
  });
  const [largest] = [...rows].sort((a, b) => b.share - a.share);
  return {
    $schema: VEGA_LITE_5,
    description: rows.length === 0
      ? "no Fisher diagonal"
      : `Fisher diagonal of ${rows.length} tensors; the largest part, ${
        (100 * largest.share).toFixed(0)
      }%, lies in ${largest.tensor}.`,
    width: 400,
    height: 15 * rows.length + 10,
    data: { values },
    layer: [
      range("q5", "q95", 1.5),
      range("q25", "q75", 6),
      {
        mark: { type: "tick", thickness: 2, size: 11, color: PALETTE[1] },
        encoding: { y, x: x("q50") },
      },
    ],
  };
}
