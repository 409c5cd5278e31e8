/**
 * Small policies and recorded steps over terms, and the gradient that a step leaves.
 */
import { initialWeights } from "../../../kernels/policy/init.ts";
import { loadParameters, type Parameters } from "../../../kernels/policy/parameters.ts";
import type { TokenBatch } from "../../../workflows/data/batch.ts";
import type { TokenPair } from "../../../workflows/data/tokenise/tokenise.ts";
import type { ProgramSettings } from "../../../workflows/train/program.ts";
import { type StepMetrics, TrainProgram } from "../../../workflows/train/program.ts";
import { randomValues, testGpu } from "../../kernels/harness.ts";
import { settingsOf, TINY_POLICY } from "../train/programs.ts";

/** Tokens of a row in these tests. */
export const LENGTH = 16;

/** Settings of a step that changes nothing but leaves its gradient. */
export function stillSettings(changes: Partial<ProgramSettings>): ProgramSettings {
  return settingsOf({
    rows: 2,
    length: LENGTH,
    optimizer: "sgd",
    weightDecay: 0,
    maxGradNorm: null,
    schedule: { kind: "constant", learningRate: 0, warmupSteps: 0, totalSteps: 1 },
    ...changes,
  });
}

/** A random tiny policy on the test device. */
export async function tinyPolicy(seed = 1): Promise<Parameters> {
  return loadParameters(await testGpu(), initialWeights(TINY_POLICY, seed));
}

/** What one step leaves: the gradient by parameter, and its metrics. */
export async function stepOnce(
  parameters: Parameters,
  changes: Partial<ProgramSettings>,
  batches: readonly TokenBatch[] = [],
): Promise<{ gradient: Map<string, Float32Array>; metrics: StepMetrics; launches: number }> {
  const program = new TrainProgram(parameters, stillSettings(changes));
  try {
    await program.prepare(0);
    program.step(0, batches);
    const [metrics] = await program.metrics();
    const gradient = await parameters.read(parameters.gradients!);
    return { gradient, metrics, launches: program.dispatchesPerStep };
  } finally {
    program.destroy();
    program.terms.forEach((term) => term.destroy?.());
  }
}

/** All values of named tensors in one list. */
export const flat = (tensors: ReadonlyMap<string, ArrayLike<number>>): number[] =>
  [...tensors.values()].flatMap((values) => Array.from(values));

/** Pairs of random tokens: a prompt of `prompt` tokens, replies of 2 to 6. */
export function randomPairs(count: number, seed: number, prompt = 3): TokenPair[] {
  const numbers = randomValues(64 * count, seed);
  let at = 0;
  const below = (n: number) => Math.floor((numbers[at++] + 1) / 2 * n) % n;
  const ids = (n: number) => Array.from({ length: n }, () => 3 + below(60));
  return Array.from({ length: count }, () => {
    const start = ids(prompt);
    const reply = () => {
      const tokens = ids(2 + below(5));
      return {
        ids: [...start, ...tokens],
        weights: [...start.map(() => 0), ...tokens.map(() => 1)],
      };
    };
    return { chosen: reply(), rejected: reply() };
  });
}
