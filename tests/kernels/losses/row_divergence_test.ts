/**
 * Divergences between rows of one matrix, with gradients to both, against float64.
 */
import { Tape } from "../../../kernels/gpu/tape.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import {
  ROW_DIVERGENCES,
  type RowDivergence,
  rowDivergence,
} from "../../../kernels/losses/row_divergence.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { centralDifferences } from "../../reference/differences.ts";
import * as reference from "../../reference/losses.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

/** Five times the worst error measured on lavapipe, 5e-7; see below for nearly equal rows. */
const LIMIT = 2.5e-6;

interface Case {
  readonly rows: number;
  readonly vocab: number;
  readonly logits: Float64Array;
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly weights: readonly number[];
}

/** Couples of rows in an order of their own; the last row is in none, the last couple has no weight. */
function caseOf(couples: number, vocab: number): Case {
  const rows = 2 * couples + 1;
  const order = Array.from({ length: rows - 1 }, (_, i) => (7 * i + 3) % (rows - 1));
  const distinct = new Set(order).size === order.length ? order : order.map((_, i) => i);
  return {
    rows,
    vocab,
    logits: randomValues(rows * vocab, couples, 4),
    first: distinct.slice(0, couples),
    second: distinct.slice(couples),
    weights: Array.from({ length: couples }, (_, i) => i > 0 && i === couples - 1 ? 0 : 0.5 + i),
  };
}

async function onGpu(one: Case, kind: RowDivergence, withOther = false) {
  const gpu = await testGpu();
  const { rows, vocab, logits, first, second, weights } = one;
  const [value, d_logits] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "logits", [rows, vocab], logits);
    x.needsGrad = true;
    const couples = {
      first: tensorOf(gpu, "first", [first.length], first, "u32"),
      second: tensorOf(gpu, "second", [second.length], second, "u32"),
      weights: tensorOf(gpu, "weights", [weights.length], weights),
    };
    const value = rowDivergence(tape, x, couples, { kind, scale: 0.7 });
    if (withOther) {
      const targets = tensorOf(gpu, "targets", [rows], new Uint32Array(rows), "u32");
      crossEntropy(tape, x, targets, tensorOf(gpu, "w", [rows], new Float64Array(rows).fill(0.1)));
    }
    tape.backward();
    return [value, x.grad!];
  });
  return { value, d_logits };
}

/** The float64 divergence of two rows; its gradient with respect to the first. */
function half(kind: RowDivergence, p: Float64Array, q: Float64Array) {
  const { klPolicyPrior, klPriorPolicy, jensenShannon } = reference;
  const of = (f: typeof klPolicyPrior) => f(p, q, [1], p.length, 1);
  if (kind === "kl") return of(klPolicyPrior);
  if (kind === "jensen_shannon") return of(jensenShannon);
  const [there, back] = [of(klPolicyPrior), of(klPriorPolicy)];
  return {
    loss: there.loss + back.loss,
    d_logits: there.d_logits.map((d, v) => d + back.d_logits[v]),
  };
}

function expected({ rows, vocab, logits, first, second, weights }: Case, kind: RowDivergence) {
  const d_logits = new Float64Array(rows * vocab);
  const row = (r: number) => logits.subarray(r * vocab, (r + 1) * vocab);
  const value = weights.map((w, i) => {
    const [p, q] = [row(first[i]), row(second[i])];
    const there = half(kind, p, q);
    // The first row's gradient is half()'s; the second's is that of the mirrored divergence.
    const back = kind === "kl"
      ? reference.klPriorPolicy(q, p, [1], vocab, 1).d_logits
      : half(kind, q, p).d_logits;
    there.d_logits.forEach((d, v) => d_logits[first[i] * vocab + v] += 0.7 * w * d);
    back.forEach((d, v) => d_logits[second[i] * vocab + v] += 0.7 * w * d);
    return 0.7 * w * there.loss;
  });
  return { value, d_logits };
}

for (const kind of ROW_DIVERGENCES) {
  for (const [couples, vocab] of [[1, 1], [5, 3], [33, 63], [7, 257], [2, 4099]]) {
    Deno.test(`${kind} of ${couples} couples, vocabulary ${vocab}: values, both gradients`, async () => {
      const one = caseOf(couples, vocab);
      const [got, want] = [await onGpu(one, kind), expected(one, kind)];
      const errors = [
        relativeError(got.value, want.value),
        relativeError(got.d_logits, want.d_logits),
      ];
      assert(errors[0] < LIMIT && errors[1] < LIMIT, `value, gradient: ${errors}`);
    });
  }

  Deno.test(`${kind}: the reference's gradient is that of its value`, () => {
    const one = caseOf(2, 5);
    const total = () => expected(one, kind).value.reduce((a, b) => a + b, 0);
    const { d_logits } = expected(one, kind);
    assert(relativeError(d_logits, centralDifferences(total, one.logits)) < 1e-8);
  });

  Deno.test(`${kind} of nearly equal rows keeps its digits, and of equal ones is 0`, async () => {
    const vocab = 300;
    const p = randomValues(vocab, 5, 4).map((x) => Math.round(x * 64) / 64);
    const near = p.map((x, i) => Math.fround(x + (i % 7 - 3) / 2048));
    const logits = Float64Array.of(...p, ...near, ...p, ...p.map((x) => x + 16));
    const one = { rows: 4, vocab, logits, first: [0, 2], second: [1, 3], weights: [1, 1] };
    const [got, want] = [await onGpu(one, kind), expected(one, kind)];
    const error = Math.abs(got.value[0] / want.value[0] - 1);
    assert(error < 2e-4, `${kind} about ${want.value[0]}: relative error ${error}`);
    assert(got.value[1] >= 0 && got.value[1] < 1e-12, `${got.value[1]}`);
    assert(got.d_logits.subarray(2 * vocab).every((d) => Math.abs(d) < 1e-6));
  });

  Deno.test(`${kind} of extreme and impossible logits is finite and right`, async () => {
    const vocab = 13;
    const logits = new Float64Array(4 * vocab);
    logits.set(randomValues(vocab, 1, 30), 0);
    logits.set(randomValues(vocab, 2, 30), vocab);
    logits.fill(-1e4, 2 * vocab, 3 * vocab);
    logits.fill(1e4, 3 * vocab);
    logits[2 * vocab + 3] = Math.fround(-1e30); // the first rules a token out
    const one = { rows: 4, vocab, logits, first: [0, 2], second: [1, 3], weights: [1, 1] };
    const got = await onGpu(one, kind);
    assert([...got.value, ...got.d_logits].every(Number.isFinite), `${got.value}`);
    if (kind === "jeffreys") return; // infinite but for the size of the logit that stands for minus infinity
    const want = expected(one, kind);
    assert(relativeError(got.value, want.value) < LIMIT, `${got.value} ${want.value}`);
    assert(relativeError(got.d_logits, want.d_logits) < LIMIT);
  });
}

Deno.test("a divergence and a cross-entropy on the same logits have one gradient", async () => {
  const one = caseOf(4, 9);
  const [both, alone] = [await onGpu(one, "kl", true), await onGpu(one, "kl")];
  const weights = new Float64Array(one.rows).fill(0.1);
  const targets = new Uint32Array(one.rows);
  const other = reference.crossEntropy(one.logits, targets, weights, one.vocab, 1).d_logits;
  assert(relativeError(both.d_logits, other.map((d, i) => d + alone.d_logits[i])) < LIMIT);
});

Deno.test("couples that do not fit are named", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const x = tensorOf(gpu, "logits", [2, 3], new Float64Array(6));
  const first = tensorOf(gpu, "first", [1], [0], "u32");
  const second = tensorOf(gpu, "second", [2], [0, 1], "u32");
  const weights = tensorOf(gpu, "weights", [1], [1]);
  assertThrows(
    () => rowDivergence(tape, x, { first, second, weights }),
    Error,
    "second must be u32 [1]",
  );
  assertEquals(tape.dispatchCount, 0);
});
