/**
 * One figure of a run: the loss over tokens, and what the exam said of the policy before training and after each stage.
 *
 * It is made from the run folder alone (`metrics.jsonl`, `scores.json`), so that it can be drawn again at any time.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { readScores, type Scores } from "../evaluate/scores.ts";
import { type MetricsRow, readMetrics } from "../logging/run_log.ts";
import { type ChartSpec, toSvg, VEGA_LITE_5 } from "./chart.ts";
import { lossChart } from "./charts/losses.ts";
import { examChart } from "./charts/rates.ts";

/** What a figure is drawn from. */
export interface RunRecord {
  /** Rows of `metrics.jsonl`. */
  readonly metrics: readonly MetricsRow[];
  /** Exam scores, `untrained` first; empty when no exam was sat. */
  readonly scores: Scores;
}

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
  const exam = examChart(scores, { width: 330, height: 290 });
  const description = `${loss.description} ${exam.description}`;
  return { $schema: VEGA_LITE_5, description, spacing: 16, hconcat: [loss, exam] };
}
