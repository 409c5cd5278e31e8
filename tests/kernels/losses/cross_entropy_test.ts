/**
 * Cross-entropy and gathered log-probabilities against the float64 reference.
 */
import { Tape } from "../../../kernels/gpu/tape.ts";
import { Tensor } from "../../../kernels/gpu/tensor.ts";
import { crossEntropy, logProbGather } from "../../../kernels/losses/cross_entropy.ts";
import { NO_TARGET } from "../../../workflows/data/batch.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { centralDifferences } from "../../reference/differences.ts";
import * as reference from "../../reference/losses.ts";
import { targetLogProbs, targetLogProbsBackward } from "../../reference/softmax.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

/** Five times the worst error measured on lavapipe, 4.6e-7. */
const LIMIT = 2.5e-6;

interface Case {
  readonly name: string;
  readonly rows: number;
  readonly vocab: number;
  readonly logits: Float64Array;
}

/** Random logits over awkward shapes, and rows that break careless arithmetic. */
export function lossCases(): Case[] {
  const cases: Case[] = [];
  for (const [rows, vocab] of [[1, 1], [5, 3], [3, 7], [65, 63], [7, 257], [33, 512], [2, 4099]]) {
    const logits = randomValues(rows * vocab, rows + vocab, 6);
    cases.push({ name: `${rows} x ${vocab}`, rows, vocab, logits });
  }
  const vocab = 13;
  const extremes = new Float64Array(6 * vocab);
  extremes.set(randomValues(vocab, 1, 1e4), 0);
  extremes.fill(-1e4, vocab, 2 * vocab);
  extremes.set(randomValues(vocab, 2), 2 * vocab);
  extremes[2 * vocab + 4] = Math.fround(-1e30);
  extremes.fill(Math.fround(-1e30), 3 * vocab, 4 * vocab);
  extremes[3 * vocab + 12] = 0;
  extremes.fill(Math.fround(-1e30), 4 * vocab, 5 * vocab);
  extremes[5 * vocab + 1] = 1e4;
  cases.push({ name: "extreme logits", rows: 6, vocab, logits: extremes });
  return cases;
}

function targetsOf(rows: number, vocab: number): Uint32Array {
  return Uint32Array.from(
    { length: rows },
    (_, i) => i % 5 === 3 ? NO_TARGET : (i * 7 + 1) % vocab,
  );
}

function weightsOf(rows: number): Float64Array {
  return randomValues(rows, 9).map((w, i) => i % 4 === 2 ? 0 : Math.abs(w));
}

for (const { name, rows, vocab, logits } of lossCases()) {
  Deno.test(`cross-entropy, ${name}: value, log-probability, accuracy and gradient`, async () => {
    const gpu = await testGpu();
    const targets = targetsOf(rows, vocab);
    const weights = weightsOf(rows);
    const [value, logProb, correct, d_logits] = await runTape(gpu, (tape) => {
      const x = tensorOf(gpu, "logits", [rows, vocab], logits);
      x.needsGrad = true;
      const t = tensorOf(gpu, "targets", [rows], targets, "u32");
      const out = crossEntropy(tape, x, t, tensorOf(gpu, "weights", [rows], weights));
      tape.backward();
      return [out.value, out.logProb, out.correct, x.grad!];
    });
    const want = reference.crossEntropy(logits, targets, weights, vocab, 1);
    const counted = (v: number, i: number) => weights[i] === 0 ? 0 : v;
    const nll = want.perToken.map(counted);
    assert(relativeError(value, nll.map((v, i) => v * weights[i])) < LIMIT, "value");
    assert(relativeError(logProb, nll.map((v) => -v)) < LIMIT, "log-probability");
    assert(relativeError(d_logits, want.d_logits) < LIMIT, "gradient");
    const best = Array.from(targets, (t, i) => {
      const row = logits.subarray(i * vocab, (i + 1) * vocab);
      return t !== NO_TARGET && weights[i] !== 0 && row.indexOf(Math.max(...row)) === t ? 1 : 0;
    });
    assertEquals(Array.from(correct), best);
  });

  Deno.test(`log-probability of targets, ${name}: value and gradient`, async () => {
    const gpu = await testGpu();
    const targets = targetsOf(rows, vocab);
    const d_y = randomValues(rows, 4);
    const [y, d_logits] = await runTape(gpu, (tape) => {
      const x = tensorOf(gpu, "logits", [rows, vocab], logits);
      x.needsGrad = true;
      const y = logProbGather(tape, x, tensorOf(gpu, "targets", [rows], targets, "u32"));
      y.grad = tensorOf(gpu, "d_y", [rows], d_y);
      tape.backward();
      return [y, x.grad!];
    });
    assert(relativeError(y, targetLogProbs(logits, targets, vocab)) < LIMIT, "value");
    const want = targetLogProbsBackward(logits, targets, d_y, vocab);
    assert(relativeError(d_logits, want) < LIMIT, "gradient");
  });
}

Deno.test("two losses on the same logits share one gradient", async () => {
  const gpu = await testGpu();
  const [rows, vocab] = [9, 21];
  const logits = randomValues(rows * vocab, 3, 4);
  const targets = targetsOf(rows, vocab);
  const others = targets.map((t) => t === NO_TARGET ? 2 : (t + 5) % vocab);
  const weights = weightsOf(rows);
  const [d_logits] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "logits", [rows, vocab], logits);
    x.needsGrad = true;
    const w = tensorOf(gpu, "weights", [rows], weights);
    crossEntropy(tape, x, tensorOf(gpu, "targets", [rows], targets, "u32"), w);
    crossEntropy(tape, x, tensorOf(gpu, "others", [rows], others, "u32"), w);
    tape.backward();
    return [x.grad!];
  });
  const a = reference.crossEntropy(logits, targets, weights, vocab, 1).d_logits;
  const b = reference.crossEntropy(logits, others, weights, vocab, 1).d_logits;
  assert(relativeError(d_logits, a.map((d, i) => d + b[i])) < LIMIT);
});

Deno.test("the padding columns of d_logits are zero", async () => {
  const gpu = await testGpu();
  const logits = tensorOf(gpu, "logits", [3, 5], randomValues(15, 8));
  logits.needsGrad = true;
  const stored = await runTape(gpu, (tape) => {
    const targets = tensorOf(gpu, "targets", [3], [1, 2, NO_TARGET], "u32");
    crossEntropy(tape, logits, targets, tensorOf(gpu, "weights", [3], [1, 1, 1]));
    tape.backward();
    // The same memory seen as rows of 8 columns, so that the padding is read back.
    return [new Tensor("stored d_logits", [3, 8], "f32", logits.grad!.place)];
  });
  for (let row = 0; row < 3; row++) {
    assertEquals(Array.from(stored[0].subarray(8 * row + 5, 8 * row + 8)), [0, 0, 0]);
  }
});

Deno.test("a NaN logit reaches the value and the gradient of its row only", async () => {
  const gpu = await testGpu();
  const values = randomValues(14, 6);
  values[3] = NaN;
  const [value, d_logits] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "logits", [2, 7], values);
    x.needsGrad = true;
    const targets = tensorOf(gpu, "targets", [2], [1, 2], "u32");
    const out = crossEntropy(tape, x, targets, tensorOf(gpu, "weights", [2], [1, 1]));
    tape.backward();
    return [out.value, x.grad!];
  });
  assertEquals(Array.from(value, Number.isFinite), [false, true]);
  assertEquals(Array.from(d_logits, Number.isFinite), Array.from({ length: 14 }, (_, i) => i >= 7));
});

Deno.test("cross-entropy names the tensor that does not fit", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const logits = tensorOf(gpu, "logits", [3, 5], randomValues(15, 8));
  const targets = tensorOf(gpu, "targets", [2], [1, 2], "u32");
  const weights = tensorOf(gpu, "weights", [3], [1, 1, 1]);
  assertThrows(
    () => crossEntropy(tape, logits, targets, weights),
    Error,
    "targets must be u32 [3]",
  );
});

Deno.test("negative weights make a policy gradient: minus the score function's estimate, against central differences", async () => {
  const gpu = await testGpu();
  const [tokens, vocab] = [6, 7];
  const logits = randomValues(tokens * vocab, 5, 3);
  const targets = Uint32Array.from({ length: tokens }, (_, i) => (3 * i) % vocab);
  // Two sampled replies of three tokens with cost - baseline of -0.75 and 0.5.
  const advantages = [-0.75, -0.75, -0.75, 0.5, 0.5, 0.5];
  const [value, d_logits] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "logits", [tokens, vocab], logits);
    x.needsGrad = true;
    const t = tensorOf(gpu, "targets", [tokens], targets, "u32");
    // crossEntropy is -sum w log pi; minimising (cost - baseline) log pi takes w = -(cost - baseline).
    const w = tensorOf(gpu, "w", [tokens], advantages.map((a) => -a));
    const { value } = crossEntropy(tape, x, t, w);
    tape.backward();
    return [value, x.grad!];
  });
  const surrogate = () =>
    targetLogProbs(logits, targets, vocab).reduce((sum, lp, i) => sum + advantages[i] * lp, 0);
  const want = targetLogProbs(logits, targets, vocab).map((lp, i) => advantages[i] * lp);
  assert(relativeError(value, want) < LIMIT);
  assert(relativeError(d_logits, centralDifferences(surrogate, logits)) < LIMIT);
});
