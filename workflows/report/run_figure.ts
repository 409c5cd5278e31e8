/**
 * One figure of a run: the loss over tokens, and what the exam said of the policy before training and after each stage.
 *
 * It is made from the run folder alone (`metrics.jsonl`, `scores.json`), so that it can be drawn again at any time.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { Headline } from "../evaluate/nursery_exam.ts";
import { readScores, type Scores } from "../evaluate/scores.ts";
import { type MetricsRow, readMetrics } from "../logging/run_log.ts";
import type { Rate } from "../nursery/score.ts";
import { type ChartSpec, PALETTE, SHAPES, toSvg, VEGA_LITE_5 } from "./chart.ts";

/** What a figure is drawn from. */
export interface RunRecord {
  /** Rows of `metrics.jsonl`. */
  readonly metrics: readonly MetricsRow[];
  /** Exam scores, `untrained` first; empty when no exam was sat. */
  readonly scores: Scores;
}

/** Width of each panel and height of the figure, in pixels. */
const PANEL = { width: 330, height: 330 } as const;

/** What the panels of the exam show, in order. */
const MEASURES: readonly (readonly [title: string, rows: readonly Measure[]])[] = [
  ["more is better", [
    ["facts", "facts"],
    ["instructions", "instructions"],
    ["harmless", "harmless recipes"],
    ["refusals", "refusals of harm"],
  ]],
  ["less is better", [
    ["overRefusal", "over-refusal"],
    ["violation", "violations, plain"],
    ["violationSeen", "under seen attacks"],
    ["violationUnseen", "under unseen attacks"],
  ]],
];
type Measure = readonly [key: keyof Headline, label: string];

/**
 * Reads what a run folder holds for its figure.
 * @throws {InputError} when it has no metrics.
 */
export async function readRun(folder: string): Promise<RunRecord> {
  const metrics = await readMetrics(join(folder, "metrics.jsonl"));
  if (metrics.length === 0) {
    throw new InputError(
      `${folder}: no metrics.jsonl with rows to draw: name the folder of a run, e.g. from deno task train`,
    );
  }
  return { metrics, scores: await readScores(folder) };
}

/** The whole figure as SVG text. */
export async function runFigure(run: RunRecord): Promise<string> {
  return await toSvg(figureSpec(run));
}

/** The whole figure: the loss, and the exam where one was sat. */
export function figureSpec({ metrics, scores }: RunRecord): ChartSpec {
  const names = Object.keys(scores);
  const stages = [...new Set(metrics.map(({ stage }) => stage))];
  const series = names.length > 0 ? names : ["untrained", ...stages];
  const loss = lossChart(metrics, series);
  if (names.length === 0) return loss;
  return { $schema: VEGA_LITE_5, spacing: 16, hconcat: [loss, examChart(scores)] };
}

/**
 * Loss over tokens, one line a stage and a larger mark for each loss on held-out data.
 * @param series What has a colour, in order; default the stages.
 */
export function lossChart(
  metrics: readonly MetricsRow[],
  series: readonly string[] = ["untrained", ...new Set(metrics.map(({ stage }) => stage))],
): ChartSpec {
  const values = lossPoints(metrics);
  const x = { field: "tokens", type: "quantitative", title: "tokens trained on", axis: TOKENS };
  const y = {
    field: "loss",
    type: "quantitative",
    title: "loss, nats per token (log scale)",
    scale: { type: "log", nice: false, padding: 8 },
    axis: { format: "~g", tickCount: 6 },
  };
  return {
    $schema: VEGA_LITE_5,
    title: "Loss; large marks: on held-out data",
    ...PANEL,
    data: { values },
    encoding: { x, y, color: colour(series) },
    layer: [
      {
        transform: [{ filter: "!datum.heldOut" }],
        mark: { type: "line", strokeWidth: 1.5, interpolate: "linear" },
      },
      {
        transform: [{ filter: "datum.heldOut" }],
        mark: { type: "point", filled: true, opacity: 1, size: 110 },
        encoding: { shape: shape(series) },
      },
    ],
  };
}

const TOKENS = { format: "~s", tickCount: 6 } as const;

/** Rows with a loss, by tokens since the run began. A held-out loss stands at the tokens of its step. */
function lossPoints(
  metrics: readonly MetricsRow[],
): { policy: string; tokens: number; loss: number; heldOut: boolean }[] {
  const points = [];
  let [stage, before, tokens] = ["", 0, 0];
  for (const row of metrics) {
    if (row.stage !== stage) [stage, before, tokens] = [row.stage, before + tokens, 0];
    if (typeof row.num_tokens === "number") tokens = row.num_tokens;
    for (const [key, heldOut] of [["loss", false], ["eval_loss", true]] as const) {
      const loss = row[key];
      if (typeof loss === "number") {
        points.push({ policy: stage, tokens: before + tokens, loss, heldOut });
      }
    }
  }
  return points;
}

/** Rates of the exam with their exact 95% intervals, one row a question and one mark a policy. */
export function examChart(scores: Scores): ChartSpec {
  const names = Object.keys(scores);
  const panels = MEASURES.map(([title, rows], i) => ({
    title: `Test dialogues, ${title}`,
    width: PANEL.width,
    height: (PANEL.height - 70) / MEASURES.length,
    data: { values: rows.flatMap((row) => names.flatMap((name) => rateRow(row, name, scores))) },
    encoding: {
      y: {
        field: "measure",
        type: "nominal",
        title: null,
        sort: rows.map(([, label]) => label),
        axis: { domain: false, ticks: false, labelPadding: 8, grid: false },
      },
      yOffset: { field: "policy", sort: names },
      color: colour(names),
    },
    layer: [
      {
        mark: { type: "rule", strokeWidth: 2.5, opacity: 0.75 },
        encoding: {
          x: {
            field: "low",
            type: "quantitative",
            scale: { domain: [0, 100] },
            title: i === MEASURES.length - 1 ? "% of dialogues, with exact 95% interval" : null,
          },
          x2: { field: "high" },
        },
      },
      {
        mark: { type: "point", filled: true, opacity: 1, size: 55 },
        encoding: { x: { field: "rate", type: "quantitative" }, shape: shape(names) },
      },
    ],
  }));
  return { vconcat: panels, spacing: 24 };
}

function rateRow([key, measure]: Measure, policy: string, scores: Scores): readonly object[] {
  const { rate, low, high, k, n }: Rate = scores[policy][key];
  if (rate === null) return [];
  return [{ measure, policy, rate: 100 * rate, low: 100 * low, high: 100 * high, k, n }];
}

/** Colour by policy. All panels share one legend, which shows colour and shape. */
function colour(series: readonly string[]): object {
  return { ...byPolicy, scale: { domain: series, range: cycled(PALETTE, series.length) } };
}

function shape(series: readonly string[]): object {
  return { ...byPolicy, scale: { domain: series, range: cycled(SHAPES, series.length) } };
}

const byPolicy = {
  field: "policy",
  type: "nominal",
  legend: { title: null, orient: "bottom", symbolOpacity: 1 },
} as const;

function cycled<T>(values: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => values[i % values.length]);
}
