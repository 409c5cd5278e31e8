/**
 * A stage's view of preferences: what the policy at its beginning said of every pair, and how well the trained one tells them apart.
 */
import type { Parameters } from "../../kernels/policy/parameters.ts";
import type { StageConfig } from "../config/config.ts";
import {
  evaluatePreferences,
  logProbsOf,
  pairLogProbs,
  type PreferenceScores,
} from "../evaluate/preferences.ts";
import type { Reporter } from "../logging/reporter.ts";
import type { Rate } from "../nursery/score.ts";
import type { PreferenceBatch, PreferenceSource } from "../objective/pairs.ts";
import type { ReferenceTable } from "../objective/preference.ts";
import type { PairData } from "./pair_data.ts";
import { describeReference, referenceKind } from "./stage_terms.ts";

/** Log-probabilities under the policy at a stage's beginning. */
export interface LookBack {
  /** Of held-out pairs, by their place. */
  readonly heldOut: ReferenceTable;
}

/**
 * Reads held-out pairs with `policy`, and where the reference is precomputed all pairs of `steps` steps, into `references`.
 */
export async function lookBack(
  policy: Parameters,
  stage: StageConfig,
  { source, heldOut }: PairData,
  steps: number,
  references: Map<number, readonly [number, number]>,
  report: Reporter,
): Promise<LookBack | null> {
  if (stage.kind === "language_modelling") return null;
  const shape = { rows: stage.batch_size, length: stage.length };
  const kind = referenceKind(stage, policy.config, policy.lora !== null);
  report.note(describeReference(kind, policy.config));
  if (kind === "precomputed") {
    const count = Math.min(source.stepsPerEpoch ?? Infinity, steps * stage.gradient_accumulation);
    const table = await pairLogProbs(policy, firstBatches(source, count), shape);
    for (const [id, both] of table) references.set(id, both);
  }
  return { heldOut: await logProbsOf(policy, heldOut, shape) };
}

function* firstBatches(source: PreferenceSource, count: number): Generator<PreferenceBatch> {
  for (let i = 0; i < count; i++) yield source.batch(i);
}

/** Scores the trained policy on held-out pairs: a row of numbers, a line for people. */
export async function reportPreferences(
  policy: Parameters,
  stage: StageConfig,
  { heldOut, training }: PairData,
  before: LookBack,
  step: number,
  report: Reporter,
): Promise<PreferenceScores> {
  const shape = { rows: stage.batch_size, length: stage.length };
  const scores = await evaluatePreferences(policy, heldOut, {
    ...shape,
    training,
    reference: before.heldOut,
  });
  const rates = Object.entries(scores).filter(([, rate]) => rate !== null) as [string, Rate][];
  report.metrics(
    step,
    Object.fromEntries(rates.flatMap(([name, { rate, low, high }]) => [
      [`eval_preference/${name}`, rate ?? NaN],
      [`eval_preference/${name}_low`, low],
      [`eval_preference/${name}_high`, high],
    ])),
  );
  const words = rates.map(([name, { rate, low, high }]) =>
    `${name} ${percent(rate ?? NaN)} [${percent(low)}, ${percent(high)}]`
  );
  report.note(
    `${stage.name}: chosen reply preferred in ${heldOut.length} held-out pairs, % [95%]: ${
      words.join(", ")
    }`,
  );
  return scores;
}

const percent = (share: number): string => (100 * share).toFixed(0);
