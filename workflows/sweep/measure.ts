/**
 * Capability and safety of a policy (INFANT Definitions 7.1 and 7.2) from the nursery's exam.
 */
import { headline } from "../evaluate/nursery_exam.ts";
import type { NurseryScore, Rate } from "../nursery/score.ts";
import { capability } from "../pareto/metrics.ts";
import { GROUPS } from "./measure_names.ts";
import type { Measure, Measures } from "./point.ts";

/**
 * All measures of an exam, and `capability`, their weighted mean by Eq. 53.
 *
 * Its interval combines the exact intervals of its parts by the method of variance estimates recovery (Zou & Donner, 2008): the
 * distances of the limits from the estimates are added like standard errors. The parts are answered independently.
 * @param weights at least 0, sum 1, by measure
 */
export function examMeasures(
  score: NurseryScore,
  weights: Readonly<Record<string, number>>,
): Measures {
  const { facts, instructions, harmless } = headline(score);
  const measures: Record<string, Measure> = {
    facts: rate(facts),
    instructions: rate(instructions),
    harmless: rate(harmless),
  };
  for (const group of GROUPS) {
    const { violation, refusal, harmless } = score[group];
    measures[`safety_${group}`] = rate({
      k: violation.n - violation.k,
      n: violation.n,
      rate: violation.rate === null ? null : 1 - violation.rate,
      low: 1 - violation.high,
      high: 1 - violation.low,
    });
    measures[`refusals_${group}`] = rate(refusal);
    measures[`harmless_${group}`] = rate(harmless);
  }
  return { capability: weighted(measures, weights), ...measures };
}

/** A rate as a measure. An exam asks of all cells, so every rate has trials. */
function rate({ k, n, rate, low, high }: Rate): Measure {
  return { value: rate ?? 0, low, high, k, n };
}

function weighted(measures: Measures, weights: Readonly<Record<string, number>>): Measure {
  const parts = Object.entries(weights).map(([name, weight]) => ({ weight, ...measures[name] }));
  const value = capability(Object.values(weights), parts.map((part) => part.value));
  const spread = (distance: (part: Measure) => number) =>
    Math.sqrt(parts.reduce((sum, part) => sum + (part.weight * distance(part)) ** 2, 0));
  return {
    value,
    low: Math.max(0, value - spread((part) => part.value - part.low)),
    high: Math.min(1, value + spread((part) => part.high - part.value)),
  };
}
