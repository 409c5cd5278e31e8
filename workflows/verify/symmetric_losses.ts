/**
 * Golden case of numbers alone: softmax, cross-entropy and divergences on rows that break careless
 * implementations.
 */
import { z } from "zod";
import { InputError } from "../../kernels/errors.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { klDivergence } from "../../kernels/losses/kl_divergence.ts";
import { type RowDivergence, rowDivergence } from "../../kernels/losses/row_divergence.ts";
import { logSoftmax, softmax } from "../../kernels/softmax/softmax.ts";
import { NO_TARGET } from "../data/batch.ts";
import { compute } from "./compute.ts";
import type { GoldenCase } from "./golden_case.ts";
import { LIMITS } from "./limits.ts";
import { total } from "./pass.ts";
import { type Check, groupCheck, relativeError } from "./result.ts";

const matrix = z.array(z.array(z.number()).min(1)).min(1).refine(
  (rows) => rows.every((row) => row.length === rows[0].length),
  "must have rows of one length",
);
const INPUTS = z.object({
  logits: matrix,
  labels: z.array(z.int()),
  ignore_index: z.int(),
  p: matrix,
  q: matrix,
  logits_a: matrix,
  logits_b: matrix,
});

/** Everything the case holds. */
export async function checkSymmetricLosses(gpu: Gpu, golden: GoldenCase): Promise<Check[]> {
  const inputs = golden.inputs(INPUTS);
  if (inputs.labels.length !== inputs.logits.length) {
    throw new InputError(`${golden.folder}/inputs.json: labels: one per row of logits is needed`);
  }
  return [
    ...await distributions(gpu, golden, inputs.logits),
    ...await labelled(gpu, golden, inputs),
    ...await divergences(gpu, golden, inputs.logits_a, inputs.logits_b),
    ...await symmetric(gpu, golden, inputs),
  ];
}

async function distributions(gpu: Gpu, golden: GoldenCase, logits: number[][]): Promise<Check[]> {
  const width = logits[0].length;
  const results = await compute(gpu, ({ tape, floats }) => {
    const x = floats("logits", [logits.length, width], logits.flat());
    return [softmax(tape, x), logSoftmax(tape, x)];
  });
  return ["softmax", "log_softmax"].map((name, i) => {
    const errors = logits.map((_, row) => {
      const got = results[i].subarray(row * width, (row + 1) * width);
      return [`row ${row}`, relativeError(got, golden.tensor(`${name}.${row}`))] as const;
    });
    return groupCheck(`${name} (${errors.length} rows)`, LIMITS.forward, errors);
  });
}

async function labelled(
  gpu: Gpu,
  golden: GoldenCase,
  { logits, labels, ignore_index }: z.infer<typeof INPUTS>,
): Promise<Check[]> {
  const countOf = (targets: readonly number[]) =>
    targets.filter((target) => target !== NO_TARGET).length;
  const loss = (targets: readonly number[]) =>
    compute(gpu, ({ tape, floats, integers }) => {
      const x = floats("logits", [logits.length, logits[0].length], logits.flat());
      x.needsGrad = true;
      const weights = targets.map((target) => target === NO_TARGET ? 0 : 1 / countOf(targets));
      const result = crossEntropy(
        tape,
        x,
        integers("targets", targets),
        floats("weights", [weights.length], weights),
      );
      tape.backward();
      return [result.value, result.logProb, x.grad!];
    });
  const targets = labels.map((label) => label === ignore_index ? NO_TARGET : label);
  const [value, logProb, gradient] = await loss(targets);
  const each = logProb.map((x) => -x);
  const [none, , noGradient] = await loss(targets.map(() => NO_TARGET));
  const number = (name: string, got: number) => check(name, [got], [golden.number(name)]);
  return [
    check("cross_entropy_each", each, golden.tensor("cross_entropy_each")),
    number("cross_entropy_sum", total(each)),
    number("cross_entropy_mean", total(value)),
    { ...number("n_counted", countOf(targets)), limit: LIMITS.exact },
    {
      ...check("grad_cross_entropy", gradient, golden.tensor("grad_cross_entropy")),
      limit: LIMITS.gradient,
    },
    { ...number("cross_entropy_all_ignored", total(none)), limit: LIMITS.exact },
    {
      quantity: "gradient, all ignored",
      worst: relativeError(noGradient, new Float32Array(noGradient.length)),
      limit: LIMITS.exact,
    },
  ];
}

async function divergences(
  gpu: Gpu,
  golden: GoldenCase,
  a: number[][],
  b: number[][],
): Promise<Check[]> {
  const shape = [a.length, a[0].length];
  const [forward, gradient] = await compute(gpu, ({ tape, floats }) => {
    const x = floats("a", shape, a.flat());
    const y = floats("b", shape, b.flat());
    const ones = floats("weights", [a.length], a.map(() => 1));
    x.needsGrad = true;
    const forward = klDivergence(tape, x, y, ones, "policy_prior");
    klDivergence(tape, x, y, ones, "prior_policy");
    tape.backward();
    return [forward, x.grad!];
  });
  return [
    check("kl_a_b", forward, golden.tensor("kl_a_b")),
    {
      ...check("grad_jeffreys_a, from both KLs", gradient, golden.tensor("grad_jeffreys_a")),
      limit: LIMITS.gradient,
    },
  ];
}

/** Divergences that have a gradient on both sides: rows of `a` over those of `b` as one matrix. */
async function symmetric(
  gpu: Gpu,
  golden: GoldenCase,
  { p, q, logits_a, logits_b }: z.infer<typeof INPUTS>,
): Promise<Check[]> {
  const logs = (rows: number[][]) => rows.map((row) => row.map(Math.log));
  const [js, d_js] = await rowsOf(gpu, "jensen_shannon", logits_a, logits_b);
  const [jeffreys, d_jeffreys] = await rowsOf(gpu, "jeffreys", logits_a, logits_b);
  const [ofProbabilities] = await rowsOf(gpu, "jensen_shannon", logs(p), logs(q));
  const half = d_js.length / 2;
  const gradient = (name: string, got: Float32Array) => ({
    ...check(name, got, golden.tensor(name)),
    limit: LIMITS.gradient,
  });
  return [
    check("js_probs", ofProbabilities, golden.tensor("js_probs")),
    // Row 1 has nothing in common.
    check("ln2", [ofProbabilities[1]], [golden.number("ln2")]),
    check("js_logits", js, golden.tensor("js_logits")),
    gradient("grad_js_a", d_js.subarray(0, half)),
    gradient("grad_js_b", d_js.subarray(half)),
    check("jeffreys", jeffreys, golden.tensor("jeffreys")),
    gradient("grad_jeffreys_a", d_jeffreys.subarray(0, half)),
  ];
}

/** Values [rows] and gradients [2 rows, width] of a divergence between the rows of two matrices. */
function rowsOf(
  gpu: Gpu,
  kind: RowDivergence,
  a: number[][],
  b: number[][],
): Promise<Float32Array[]> {
  return compute(gpu, ({ tape, floats, integers }) => {
    const x = floats("logits", [2 * a.length, a[0].length], [...a, ...b].flat());
    x.needsGrad = true;
    const couples = {
      first: integers("first", a.map((_, i) => i)),
      second: integers("second", a.map((_, i) => i + a.length)),
      weights: floats("weights", [a.length], a.map(() => 1)),
    };
    const value = rowDivergence(tape, x, couples, { kind });
    tape.backward();
    return [value, x.grad!];
  });
}

function check(quantity: string, got: ArrayLike<number>, want: ArrayLike<number>): Check {
  return { quantity, worst: relativeError(got, want), limit: LIMITS.forward };
}
