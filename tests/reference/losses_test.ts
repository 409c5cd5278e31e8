import { assert, assertEquals } from "../assert.ts";
import fc from "fast-check";
import { NO_TARGET } from "../../workflows/data/batch.ts";
import { assertGradient } from "./differences.ts";
import {
  crossEntropy,
  jensenShannon,
  klOfProbabilities,
  klPolicyPrior,
  klPriorPolicy,
  totalWeight,
} from "./losses.ts";
import { relativeError } from "./numbers.ts";
import { randomNormals } from "./random.ts";

const divergences = { klPolicyPrior, klPriorPolicy, jensenShannon };

Deno.test("crossEntropy: uniform logits cost log vocab; weights and total count", () => {
  const result = crossEntropy(new Float64Array(8), [1, 3], [1, 3], 4, 8);
  assert(Math.abs(result.loss - Math.log(4) * 4 / 8) < 1e-15);
  assert(relativeError(result.d_logits.subarray(0, 4), [1 / 32, -3 / 32, 1 / 32, 1 / 32]) < 1e-14);
});

Deno.test("crossEntropy: gradients, with an ignored and a weightless token", () => {
  for (const [tokens, vocab] of [[1, 1], [3, 5], [5, 3]]) {
    const logits = randomNormals(tokens * vocab, 1);
    const targets = Array.from({ length: tokens }, (_, i) => i === 1 ? NO_TARGET : i % vocab);
    const weights = Array.from({ length: tokens }, (_, i) => i === 2 ? 0 : 1 + i / 4);
    const f = () => crossEntropy(logits, targets, weights, vocab).loss;
    assertGradient("d_logits", f, logits, crossEntropy(logits, targets, weights, vocab).d_logits);
  }
});

Deno.test("crossEntropy: all ignored is loss 0 and gradient 0; pieces add up to the whole", () => {
  const logits = randomNormals(12, 2);
  const nothing = crossEntropy(logits, [NO_TARGET, NO_TARGET, NO_TARGET], [1, 1, 1], 4);
  assertEquals([nothing.loss, nothing.d_logits.every((d) => d === 0)], [0, true]);
  const [targets, weights] = [[0, NO_TARGET, 2], [1, 1, 2]];
  const total = totalWeight(weights, targets);
  assertEquals(total, 3);
  const whole = crossEntropy(logits, targets, weights, 4);
  const pieces = [0, 1, 2].map((i) =>
    crossEntropy(logits.subarray(4 * i, 4 * i + 4), [targets[i]], [weights[i]], 4, total)
  );
  assert(Math.abs(whole.loss - pieces.reduce((sum, p) => sum + p.loss, 0)) < 1e-15);
  assertEquals([...whole.d_logits], pieces.flatMap((p) => [...p.d_logits]));
});

Deno.test("divergences: gradients with respect to the policy", () => {
  for (const [name, divergence] of Object.entries(divergences)) {
    for (const [tokens, vocab] of [[1, 1], [3, 5], [4, 2]]) {
      const policy = randomNormals(tokens * vocab, 3);
      const prior = randomNormals(tokens * vocab, 4);
      const weights = Array.from({ length: tokens }, (_, i) => i % 3);
      const f = () => divergence(policy, prior, weights, vocab).loss;
      assertGradient(name, f, policy, divergence(policy, prior, weights, vocab).d_logits);
    }
  }
});

Deno.test("divergences: known values, disjoint and masked rows", () => {
  // p = (1/4, 3/4), q = (1/2, 1/2).
  const [p, q] = [[0, Math.log(3)], [0, 0]];
  const forward = 0.25 * Math.log(0.5) + 0.75 * Math.log(1.5);
  const backward = 0.5 * Math.log(2) + 0.5 * Math.log(2 / 3);
  assert(Math.abs(klPolicyPrior(p, q, [1], 2).loss - forward) < 1e-15);
  assert(Math.abs(klPriorPolicy(p, q, [1], 2).loss - backward) < 1e-15);
  assert(Math.abs(klOfProbabilities([0.25, 0.75], [0.5, 0.5]) - forward) < 1e-15);
  const disjoint = jensenShannon([0, -1e30], [-1e30, 0], [1], 2);
  assert(Math.abs(disjoint.loss - Math.LN2) < 1e-15 && disjoint.d_logits.every(Number.isFinite));
  assertEquals(klPolicyPrior([0, -1e30], [0, -1e30], [1], 2).loss, 0);
  const gone = klPolicyPrior([0, -1e30], [0, -Infinity], [1], 2);
  assertEquals([gone.loss, ...gone.d_logits], [0, 0, 0]);
  // A token without weight may be infinitely bad: it still must not touch the loss.
  assertEquals(klPolicyPrior([0, 0, 0, 0], [0, -Infinity, 0, 0], [0, 1], 2).loss, 0);
});

const vocab = 6;
const row = fc.array(fc.double({ min: -30, max: 30, noNaN: true }), {
  minLength: vocab,
  maxLength: vocab,
});

Deno.test("divergences: never negative, zero exactly when equal up to a shift, JS symmetric and at most ln 2", () => {
  fc.assert(fc.property(row, row, fc.integer({ min: -9, max: 9 }), (a, b, shift) => {
    for (const divergence of Object.values(divergences)) {
      assert(divergence(a, b, [1], vocab).loss >= -1e-14);
      const same = divergence(a, a.map((x) => x + shift), [1], vocab);
      assert(Math.abs(same.loss) < 1e-13 && same.d_logits.every((d) => Math.abs(d) < 1e-13));
    }
    const js = jensenShannon(a, b, [1], vocab).loss;
    assert(js <= Math.LN2 + 1e-14);
    assert(Math.abs(js - jensenShannon(b, a, [1], vocab).loss) < 1e-14);
    assert(
      Math.abs(klPolicyPrior(a, b, [1], vocab).loss - klPriorPolicy(b, a, [1], vocab).loss) < 1e-11,
    );
  }));
  // Zero only when equal: Pinsker's inequality, KL >= |p - q|_1^2 / 2, bounds it away from zero.
  fc.assert(fc.property(row, row, (a, b) => {
    const kl = klPolicyPrior(a, b, [1], vocab);
    const p = klPriorPolicy(a, b, [1], vocab).d_logits; // p - q
    const distance = p.reduce((sum, d) => sum + Math.abs(d), 0);
    assert(kl.loss >= distance ** 2 / 2 - 1e-13);
  }));
});
