/**
 * The loss over tokens, and every other metric of training that the terms of the objective report.
 */
import type { MetricsRow } from "../../logging/run_log.ts";
import { type ChartSpec, VEGA_LITE_5 } from "../chart.ts";
import { colourBy, shapeBy } from "./parts.ts";

/** Width and height of a panel, in pixels. */
const PANEL = { width: 330, height: 330 } as const;

const TOKENS = { format: "~s", tickCount: 6 } as const;

/**
 * Loss over tokens, one line a stage and a larger mark for each loss on held-out data.
 * @param series What has a colour, in order; default the stages.
 * @param size Of the panel in pixels.
 * @param named What the legend names; default all of `series`.
 */
export function lossChart(
  metrics: readonly MetricsRow[],
  series: readonly string[] = ["untrained", ...new Set(metrics.map(({ stage }) => stage))],
  size: { readonly width: number; readonly height: number } = PANEL,
  named?: readonly string[],
): ChartSpec {
  const values = lossPoints(metrics);
  const x = { field: "tokens", type: "quantitative", title: "tokens trained on", axis: TOKENS };
  const y = {
    field: "loss",
    type: "quantitative",
    title: "loss, nats per token (log scale)",
    // Losses of preferences may be 0 or below, which a logarithm cannot show.
    scale: values.every(({ loss }) => loss > 0)
      ? { type: "log", nice: false, padding: 8 }
      : { zero: false },
    axis: { format: "~g", tickCount: 6 },
  };
  return {
    $schema: VEGA_LITE_5,
    title: "Loss; large marks: on held-out data",
    description: lossText(values),
    ...size,
    data: { values },
    encoding: { x, y, color: colourBy("policy", series, undefined, named) },
    layer: [
      {
        transform: [{ filter: "!datum.heldOut" }],
        mark: { type: "line", strokeWidth: 1.5, interpolate: "linear" },
      },
      {
        transform: [{ filter: "datum.heldOut" }],
        mark: { type: "point", filled: true, opacity: 1, size: 110 },
        encoding: { shape: shapeBy("policy", series, undefined, named) },
      },
    ],
  };
}

interface LossPoint {
  readonly policy: string;
  readonly tokens: number;
  readonly loss: number;
  readonly heldOut: boolean;
}

/** Rows with a loss, by tokens since the run began. A held-out loss stands at the tokens of its step. */
function lossPoints(metrics: readonly MetricsRow[]): LossPoint[] {
  const points = [];
  for (const { row, tokens } of alongTokens(metrics)) {
    for (const [key, heldOut] of [["loss", false], ["eval_loss", true]] as const) {
      const loss = row[key];
      if (typeof loss === "number") points.push({ policy: row.stage, tokens, loss, heldOut });
    }
  }
  return points;
}

/** Each row with the tokens since the run began. */
function alongTokens(metrics: readonly MetricsRow[]): { row: MetricsRow; tokens: number }[] {
  let [stage, before, tokens] = ["", 0, 0];
  return metrics.map((row) => {
    if (row.stage !== stage) [stage, before, tokens] = [row.stage, before + tokens, 0];
    if (typeof row.num_tokens === "number") tokens = row.num_tokens;
    return { row, tokens: before + tokens };
  });
}

function lossText(points: readonly LossPoint[]): string {
  const stages = [...Map.groupBy(points, ({ policy }) => policy)].map(([stage, rows]) => {
    const [first, last] = [rows[0].loss, rows[rows.length - 1].loss];
    return `${stage} from ${first.toPrecision(3)} to ${last.toPrecision(3)}`;
  });
  return stages.length === 0 ? "no losses yet" : `Loss in nats per token: ${stages.join("; ")}.`;
}

/** Metrics that have a place of their own elsewhere, or say nothing about learning. */
const NOT_TERMS = /^(stage|step|global_step|num_tokens|loss|eval_loss|epoch|learning_rate)$/;
const ELSEWHERE = /^(maturity|violation|gate)\/|\/weight$/;

/** Names of the metrics that {@linkcode termsChart} can draw, in the order of their first rows. */
export function termNames(metrics: readonly MetricsRow[]): string[] {
  const names = new Set(metrics.flatMap((row) => Object.keys(row)));
  return [...names].filter((name) => !NOT_TERMS.test(name) && !ELSEWHERE.test(name));
}

/**
 * A small panel for each other metric: accuracy, gradient norm, KL, and what each term of INFANT Eq. 6 reports.
 * @param names Which, in order; default all of {@linkcode termNames}.
 */
export function termsChart(
  metrics: readonly MetricsRow[],
  names: readonly string[] = termNames(metrics),
): ChartSpec {
  const stages = [...new Set(metrics.map(({ stage }) => stage))];
  const points = alongTokens(metrics);
  const panel = (name: string) => ({
    title: { text: name.replaceAll("_", " "), fontSize: 12, fontWeight: "normal" },
    width: 190,
    height: 110,
    data: {
      values: points.flatMap(({ row, tokens }) => {
        const value = row[name];
        return typeof value === "number" ? [{ stage: row.stage, tokens, value }] : [];
      }),
    },
    mark: { type: "line", strokeWidth: 1.4 },
    encoding: {
      x: { field: "tokens", type: "quantitative", title: null, axis: { ...TOKENS, tickCount: 4 } },
      y: {
        field: "value",
        type: "quantitative",
        title: null,
        scale: { zero: false },
        axis: { tickCount: 4, format: "~g" },
      },
      // The untrained policy keeps the first colour in all charts of a run.
      color: colourBy("stage", ["untrained", ...stages], undefined, stages),
    },
  });
  return {
    $schema: VEGA_LITE_5,
    description: `Over tokens: ${names.join(", ")}.`,
    columns: 3,
    spacing: 22,
    concat: names.map(panel),
  };
}
