/**
 * Both KL divergences against the float64 reference, where they are large, tiny, and exactly zero.
 */
import { Tape } from "../../../kernels/gpu/tape.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import { type Direction, klDivergence } from "../../../kernels/losses/kl_divergence.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import * as reference from "../../reference/losses.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

/** Five times the worst error measured on lavapipe, 4.6e-7; 4e-5 where the divergence is about 1e-6. */
const LIMIT = 2.5e-6;

const DIRECTIONS = {
  policy_prior: reference.klPolicyPrior,
  prior_policy: reference.klPriorPolicy,
} as const;

interface Case {
  readonly rows: number;
  readonly vocab: number;
  readonly policy: Float64Array;
  readonly prior: Float64Array;
  readonly weights?: Float64Array;
}

/** value and d_logits from the GPU and from the reference, with rho 0.7. */
async function compare(direction: Direction, { rows, vocab, policy, prior, weights }: Case) {
  const gpu = await testGpu();
  const w = weights ?? randomValues(rows, 3).map((v, i) => i % 4 === 2 ? 0 : Math.abs(v));
  const [value, d_logits] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "logits", [rows, vocab], policy);
    x.needsGrad = true;
    const q = tensorOf(gpu, "prior", [rows, vocab], prior);
    const out = klDivergence(tape, x, q, tensorOf(gpu, "w", [rows], w), direction, 0.7);
    tape.backward();
    return [out, x.grad!];
  });
  const want = DIRECTIONS[direction](policy, prior, w, vocab, 1 / 0.7);
  const wantValue = want.perToken.map((kl, i) => w[i] === 0 ? 0 : 0.7 * w[i] * kl);
  return { value, d_logits, wantValue, wantGradient: want.d_logits };
}

for (const direction of ["policy_prior", "prior_policy"] as const) {
  for (const [rows, vocab] of [[1, 1], [5, 3], [65, 63], [7, 257], [33, 512], [2, 4099]]) {
    Deno.test(`KL ${direction}, ${rows} x ${vocab}: value and gradient`, async () => {
      const policy = randomValues(rows * vocab, rows, 4);
      const prior = randomValues(rows * vocab, rows + 1, 4);
      const got = await compare(direction, { rows, vocab, policy, prior });
      const errors = [
        relativeError(got.value, got.wantValue),
        relativeError(got.d_logits, got.wantGradient),
      ];
      assert(errors[0] < LIMIT && errors[1] < LIMIT, `value, gradient: ${errors}`);
    });
  }

  Deno.test(`KL ${direction} of nearly equal distributions keeps its digits`, async () => {
    const [rows, vocab] = [8, 300];
    const prior = randomValues(rows * vocab, 5, 4);
    // Steps of 2^-11 are exact in float32 at this size, so that both sides see the same small difference.
    const policy = prior.map((x, i) => Math.fround(x + (i % 7 - 3) / 2048));
    const weights = new Float64Array(rows).fill(1);
    const got = await compare(direction, { rows, vocab, policy, prior, weights });
    const error = relativeError(got.value, got.wantValue);
    assert(error < 2e-4, `KL about ${got.wantValue[0]}: relative error ${error}`);
  });

  Deno.test(`KL ${direction} of equal distributions is zero, shifted logits included`, async () => {
    const [rows, vocab] = [4, 33];
    const prior = randomValues(rows * vocab, 5, 4).map((x) => Math.round(x * 64) / 64);
    const policy = prior.map((x) => x + 16);
    const got = await compare(direction, { rows, vocab, policy, prior });
    assert(got.value.every((v) => v >= 0 && v < 1e-12), `${got.value}`);
    assert(got.d_logits.every((d) => Math.abs(d) < 1e-6));
  });

  Deno.test(`KL ${direction} of extreme logits is finite and right`, async () => {
    const vocab = 13;
    const policy = new Float64Array(4 * vocab);
    const prior = new Float64Array(4 * vocab);
    policy.set(randomValues(vocab, 1, 1e4), 0);
    prior.set(randomValues(vocab, 2, 1e4), 0);
    policy.fill(-1e4, vocab, 2 * vocab);
    prior.fill(1e4, vocab, 2 * vocab);
    policy[2 * vocab + 3] = Math.fround(-1e30); // the policy rules out a token
    prior[3 * vocab + 5] = Math.fround(-1e30); // the prior rules out a token
    const weights = new Float64Array(4).fill(1);
    const got = await compare(direction, { rows: 4, vocab, policy, prior, weights });
    for (let row = 0; row < 4; row++) {
      const part = (a: ArrayLike<number>, width: number) =>
        Array.from(a).slice(row * width, (row + 1) * width);
      const errors = [
        relativeError(part(got.value, 1), part(got.wantValue, 1)),
        relativeError(part(got.d_logits, vocab), part(got.wantGradient, vocab)),
      ];
      assert(errors[0] < LIMIT && errors[1] < LIMIT, `row ${row}, value, gradient: ${errors}`);
    }
  });
}

Deno.test("cross-entropy plus KL on the same logits: the imprinting loss has one gradient", async () => {
  const gpu = await testGpu();
  const [rows, vocab] = [9, 21];
  const policy = randomValues(rows * vocab, 3, 4);
  const prior = randomValues(rows * vocab, 4, 4);
  const targets = Uint32Array.from({ length: rows }, (_, i) => i);
  const ones = new Float64Array(rows).fill(1 / rows);
  for (const first of ["cross-entropy", "divergence"]) {
    const [d_logits] = await runTape(gpu, (tape) => {
      const x = tensorOf(gpu, "logits", [rows, vocab], policy);
      x.needsGrad = true;
      const w = tensorOf(gpu, "w", [rows], ones);
      const t = tensorOf(gpu, "targets", [rows], targets, "u32");
      const kl = () =>
        klDivergence(tape, x, tensorOf(gpu, "prior", [rows, vocab], prior), w, "policy_prior", 0.1);
      if (first === "divergence") kl();
      crossEntropy(tape, x, t, w);
      if (first === "cross-entropy") kl();
      tape.backward();
      return [x.grad!];
    });
    const a = reference.crossEntropy(policy, targets, ones, vocab, 1).d_logits;
    const b = reference.klPolicyPrior(policy, prior, ones, vocab, 10).d_logits;
    assert(relativeError(d_logits, a.map((d, i) => d + b[i])) < LIMIT, first);
  }
});

Deno.test("losses and gradients repeat bit for bit", async () => {
  const gpu = await testGpu();
  const [rows, vocab] = [17, 1031];
  const run = () =>
    runTape(gpu, (tape) => {
      const x = tensorOf(gpu, "logits", [rows, vocab], randomValues(rows * vocab, 3, 4));
      x.needsGrad = true;
      const q = tensorOf(gpu, "prior", [rows, vocab], randomValues(rows * vocab, 4, 4));
      const w = tensorOf(gpu, "w", [rows], randomValues(rows, 5));
      const targets = Uint32Array.from({ length: rows }, (_, i) => i * 31);
      const { value } = crossEntropy(tape, x, tensorOf(gpu, "t", [rows], targets, "u32"), w);
      const kl = klDivergence(tape, x, q, w, "prior_policy", 0.3);
      tape.backward();
      return [value, kl, x.grad!];
    });
  assertEquals(await run(), await run());
});

Deno.test("a prior of another shape is refused", async () => {
  const gpu = await testGpu();
  const x = tensorOf(gpu, "logits", [3, 5], randomValues(15, 8));
  const prior = tensorOf(gpu, "prior", [3, 4], randomValues(12, 8));
  const weights = tensorOf(gpu, "weights", [3], [1, 1, 1]);
  const tape = new Tape(gpu, "bad");
  assertThrows(
    () => klDivergence(tape, x, prior, weights, "policy_prior"),
    Error,
    "prior [3,4] must have the columns and at most the rows of logits [3,5]",
  );
  assertEquals(tape.dispatchCount, 0);
});
