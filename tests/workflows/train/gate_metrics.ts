/**
 * Metrics for runs of a few steps, in which no policy learns to answer anything: how far the last norm has moved, and whether the
 * embedding has kept its size. Loaded by name, as a user's own are.
 */
import type { Examination } from "../../../workflows/stages/examination.ts";
import type { Counted } from "../../../workflows/stages/maturity.ts";

async function weights(exam: Examination, name: string): Promise<number[]> {
  return [...(await exam.policy!.parameters.weights()).tensors.get(name)!];
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
const share = (value: number): Counted => ({
  k: Math.round(1e4 * Math.min(1, Math.max(0, value))),
  n: 1e4,
});

/** Grows with training. */
async function moved(exam: Examination): Promise<Counted> {
  return share(mean((await weights(exam, "final_norm.weight")).map((w) => Math.abs(w - 1))));
}

/** 1 for a policy of usual size, 0 for one that has been blown up. */
async function steady(exam: Examination): Promise<Counted> {
  return share(mean((await weights(exam, "embed.weight")).map((w) => Number(Math.abs(w) < 1))));
}

/** By the names that configurations use. */
export const metrics = { test_moved: moved, test_steady: steady };
