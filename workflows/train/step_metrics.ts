/**
 * What a training step leaves on the GPU, and what the host makes of it when it is read, many steps later.
 */
import type { Term } from "../objective/term.ts";

/** Places in the metrics vector that each step leaves on the GPU; those of further terms follow. */
export const METRIC = { crossEntropy: 0, kl: 1, correct: 2, gradNorm: 4, notFinite: 5 } as const;
/** First place of terms other than value imprinting. */
const FIRST_TERM = 8;
/** The vector's length is a multiple of this. */
const BLOCK = 16;

/** Where each term's metrics lie. */
export class MetricLayout {
  /** Length of the vector. */
  readonly length: number;
  /** The terms that have places. */
  readonly terms: readonly Term[];
  readonly #index = new Map<Term, number>();

  /** Places for terms, in their order. */
  constructor(terms: readonly Term[]) {
    this.terms = terms;
    let at = FIRST_TERM;
    for (const term of terms) {
      const imprints = term.name === "value_imprinting";
      this.#index.set(term, imprints ? METRIC.crossEntropy : at);
      if (!imprints) at += term.metrics.length;
    }
    this.length = Math.ceil(at / BLOCK) * BLOCK;
  }

  /** Place of a term's first metric. */
  indexOf(term: Term): number {
    return this.#index.get(term)!;
  }
}

/** Metrics of one step, read back later. */
export interface StepMetrics {
  /** The weighted sum of all terms (INFANT Eq. 6); of value imprinting alone: cross-entropy + rho KL, per token of weight 1. */
  readonly loss: number;
  /** Nats per token of weight 1. */
  readonly crossEntropy: number;
  /** KL(policy || prior), nats per token; 0 without a prior. */
  readonly kl: number;
  /** Share of scored tokens of demonstrations whose target was the most likely one. */
  readonly accuracy: number;
  /** Global norm before clipping. */
  readonly gradNorm: number;
  /** Of this step. */
  readonly learningRate: number;
  /** The gradient was not finite and the update was left out. */
  readonly skipped: boolean;
  /** What the loss was multiplied by for the backward pass; loss and gradNorm are without it. */
  readonly lossScale: number;
  /** `TERM/METRIC` and `TERM/weight` where there is more than value imprinting at weight 1; the losses are unweighted. */
  readonly terms?: Readonly<Record<string, number>>;
}

/** What the host knew of a step when it was submitted. */
export interface SubmittedStep {
  readonly learningRate: number;
  /** Tokens with a weight above 0. */
  readonly scored: number;
  readonly lossScale: number;
}

/** The metrics of a step from its row; `rho` is the weight of the KL within value imprinting. */
export function stepMetrics(
  row: Float32Array,
  layout: MetricLayout,
  rho: number,
  step: SubmittedStep,
): StepMetrics {
  const { learningRate, scored, lossScale } = step;
  const [first] = layout.terms;
  const weight = first.name === "value_imprinting" ? first.weight : 1;
  const kl = row[METRIC.kl] / lossScale / weight;
  const crossEntropy = row[METRIC.crossEntropy] / lossScale / weight;
  const plain = layout.terms.length === 1 && first.name === "value_imprinting" && weight === 1;
  const imprinting = crossEntropy + rho * kl;
  const { terms, loss } = plain
    ? { loss: imprinting }
    : ofTerms(row, layout, lossScale, imprinting);
  return {
    loss,
    crossEntropy,
    kl,
    accuracy: row[METRIC.correct] / Math.max(1, scored),
    gradNorm: row[METRIC.gradNorm] / lossScale,
    learningRate,
    skipped: row[METRIC.notFinite] !== 0,
    lossScale,
    ...(terms && { terms }),
  };
}

/** Every term's weight and metrics, and the weighted sum of their losses. */
function ofTerms(
  row: Float32Array,
  layout: MetricLayout,
  lossScale: number,
  imprinting: number,
): { terms: Record<string, number>; loss: number } {
  const terms: Record<string, number> = {};
  let loss = 0;
  for (const term of layout.terms) {
    const { name, weight, metrics } = term;
    terms[`${name}/weight`] = weight;
    if (name === "value_imprinting") terms[`${name}/loss`] = imprinting;
    else {
      metrics.forEach((metric, k) =>
        terms[`${name}/${metric}`] = row[layout.indexOf(term) + k] / (weight * lossScale)
      );
    }
    loss += weight * terms[`${name}/loss`];
  }
  return { terms, loss };
}
