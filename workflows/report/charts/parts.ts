/**
 * What the charts have in common: rates in percent with their intervals drawn, and one colour and shape a series.
 */
import { cycled, PALETTE, SHAPES } from "../palette.ts";

/** A number with its interval. */
export interface Estimated {
  /** The measured value; null: nothing was measured. */
  readonly rate: number | null;
  /** Lower end of its interval. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
}

/** A rate and its interval in percent, for a chart's data. */
export interface PercentRow {
  readonly rate: number;
  readonly low: number;
  readonly high: number;
}

/** A rate in percent; nothing where nothing was measured. */
export function percentRow(rate: Estimated | undefined): PercentRow | null {
  if (!rate || rate.rate === null || rate.rate === undefined) return null;
  return { rate: 100 * rate.rate, low: 100 * rate.low, high: 100 * rate.high };
}

/** A share as text: `13.9%`. */
export function percentText(share: number | null | undefined, digits = 1): string {
  return share === null || share === undefined ? "-" : `${+(100 * share).toFixed(digits)}%`;
}

/** A rate with its interval as text: `13.9% [11.5, 16.5]`, the interval rounded outwards. */
export function rateText(rate: Estimated | undefined): string {
  if (!rate || rate.rate === null) return "-";
  const [low, high] = [Math.floor(1000 * rate.low) / 10, Math.ceil(1000 * rate.high) / 10];
  return `${percentText(rate.rate)} [${low}, ${high}]`;
}

/**
 * Colour by the series of `field`, with a legend below.
 * @param named The series that the legend names; default all.
 */
export function colourBy(
  field: string,
  series: readonly string[],
  range: readonly string[] = cycled(PALETTE, series.length),
  named?: readonly string[],
): object {
  return {
    field,
    type: "nominal",
    scale: { domain: series, range },
    legend: legendOf(series, named),
  };
}

/** Shape by the series of `field`; joins the legend of the colours. */
export function shapeBy(
  field: string,
  series: readonly string[],
  range: readonly string[] = cycled(SHAPES, series.length),
  named?: readonly string[],
): object {
  return {
    field,
    type: "nominal",
    scale: { domain: series, range },
    legend: legendOf(series, named),
  };
}

/**
 * Below the chart, in so many columns that long names do not widen it. Nothing limits a label: without a canvas Vega takes a letter
 * for 0.8 of the font's size and would cut off what has room.
 */
function legendOf(series: readonly string[], named?: readonly string[]): object {
  const names = named ?? series;
  const longest = Math.max(1, ...names.map((name) => name.length));
  const columns = Math.max(1, Math.min(5, Math.floor(64 / longest)));
  const shown = named && { values: named };
  return { title: null, orient: "bottom", symbolOpacity: 1, labelLimit: 0, columns, ...shown };
}

/** An axis of percent from 0 to 100. */
export const PERCENT: object = {
  type: "quantitative",
  scale: { domain: [0, 100] },
  axis: { tickCount: 5, labelExpr: "datum.value + '%'", labelFlush: false },
};

/** An axis of names, broken into lines at the bars in them. */
export const NAMES_IN_LINES: object = {
  labelExpr: "split(datum.label, '|')",
  labelAngle: 0,
  labelLimit: 140,
  grid: false,
};

/** A y axis of names, in the order given, without lines. */
export function namesAxis(field: string, names: readonly string[]): object {
  return {
    field,
    type: "nominal",
    title: null,
    sort: names,
    axis: { domain: false, ticks: false, labelPadding: 8, grid: false, labelLimit: 320 },
  };
}

/** The interval of each row as a rule along `axis`, under the point that follows. */
export function intervalRule(axis: "x" | "y", scale: object = PERCENT, title?: unknown): object {
  const field = { field: "low", title: title ?? null, ...scale };
  return {
    mark: { type: "rule", strokeWidth: 2.5, opacity: 0.7 },
    encoding: { [axis]: field, [`${axis}2`]: { field: "high" } },
  };
}
