/** Identities of divergences, Fisher information, preferences and the losses built of them. */
import fc from "fast-check";
import { capacitorLoss, capacitorPolicy } from "../../../workflows/theory/capacitor.ts";
import {
  empiricalFisherOfLinearPolicy,
  fisherOfLinearPolicy,
  plasticityPenalty,
  softmax,
  softmaxFisher,
} from "../../../workflows/theory/fisher.ts";
import {
  countEntropy,
  crossEntropy,
  ensembleUncertainty,
  entropy,
  jensenShannon,
  klDivergence,
  klOfChain,
  totalVariation,
} from "../../../workflows/theory/information.ts";
import {
  imaginationLoss,
  imprintingLoss,
  totalLoss,
  worstKl,
} from "../../../workflows/theory/objective.ts";
import { preferenceLoss, regularisedOptimum } from "../../../workflows/theory/preference.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

const logits = (n: number) =>
  fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: n, maxLength: n });
const distribution = (n: number) => logits(n).map(softmax);
const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * b[i], 0);

Deno.test("KL: at least 0, 0 for equal ones; Pinsker's and Jensen-Shannon's bounds", () => {
  fc.assert(fc.property(distribution(5), distribution(5), (p, q) => {
    const kl = klDivergence(p, q);
    assert(kl >= 2 * totalVariation(p, q) ** 2 - 1e-12, "Pinsker");
    assertEquals(klDivergence(p, p), 0);
    assertAlmostEquals(crossEntropy(p, q), -dot(p, q.map(Math.log)), 1e-12);
    const js = jensenShannon(p, q);
    assert(js >= 0 && js <= Math.LN2 && Math.abs(js - jensenShannon(q, p)) < 1e-14);
  }));
  assertEquals(klDivergence([0.5, 0.5], [1, 0]), Infinity);
  assertEquals(klDivergence([1, 0], [0.5, 0.5]), Math.LN2);
  assertAlmostEquals(jensenShannon([1, 0], [0, 1]), Math.LN2, 1e-15);
});

Deno.test("KL: the chain rule equals the divergence of the joint distributions", () => {
  const rows = fc.tuple(distribution(2), distribution(2), distribution(2));
  fc.assert(fc.property(distribution(3), distribution(3), rows, rows, (p, q, pSecond, qSecond) => {
    const joint = (first: readonly number[], second: readonly (readonly number[])[]) =>
      first.flatMap((weight, i) => second[i].map((value) => weight * value));
    const chained = klOfChain(p, q, pSecond, qSecond);
    assertAlmostEquals(chained.total, klDivergence(joint(p, pSecond), joint(q, qSecond)), 1e-10);
  }));
});

Deno.test("uncertainty: total is aleatoric plus epistemic, which agreement makes 0", () => {
  fc.assert(fc.property(fc.array(distribution(3), { minLength: 1, maxLength: 4 }), (members) => {
    const { predictive, expected, mutualInformation, eq20Printed } = ensembleUncertainty(members);
    assertAlmostEquals(predictive, expected + mutualInformation, 1e-10);
    assertAlmostEquals(eq20Printed - predictive, mutualInformation, 1e-12);
    assertAlmostEquals(ensembleUncertainty([members[0], members[0]]).mutualInformation, 0, 1e-12);
  }));
  assertEquals(countEntropy([3, 0, 0]).nats, 0);
  assertAlmostEquals(countEntropy([2, 2, 2, 2]).bits, 2, 1e-15);
});

/** log p of each action at some logits. */
const logProbabilities = (z: readonly number[]) => softmax(z).map(Math.log);

Deno.test("Fisher: mean squared score = minus mean curvature = diag(p) - p p^T (Eq. 61)", () => {
  fc.assert(
    fc.property(logits(4), (z) => {
      const [p, h] = [softmax(z), 1e-3];
      const fisher = softmaxFisher(z);
      const shifted = (i: number, by: number) =>
        logProbabilities(z.map((value, k) => k === i ? value + by : value));
      for (let i = 0; i < z.length; i++) {
        const [up, here, down] = [shifted(i, h), logProbabilities(z), shifted(i, -h)];
        const score = up.map((value, a) => (value - down[a]) / (2 * h));
        const curvature = up.map((value, a) => (value - 2 * here[a] + down[a]) / h ** 2);
        assertAlmostEquals(dot(p, score.map((s) => s * s)), fisher[i][i], 1e-5);
        assertAlmostEquals(-dot(p, curvature), fisher[i][i], 1e-5);
        assertAlmostEquals(dot(fisher[i], z.map(() => 1)), 0, 1e-14);
      }
    }),
    { numRuns: 40 },
  );
});

Deno.test("Fisher: labels drawn from the model give the true one, other labels do not", () => {
  const [weights, inputs] = [[[0.5, -1], [0.25, 0.75], [-0.5, 0]], [[1, 2], [0.5, -1]]];
  const exact = fisherOfLinearPolicy(weights, inputs);
  // Averaged over all labels by the model's probabilities, the empirical Fisher is the true one.
  const mean = weights.map((row) => row.map(() => 0));
  const p = inputs.map((x) => softmax(weights.map((row) => dot(row, x))));
  for (const a of [0, 1, 2]) {
    for (const b of [0, 1, 2]) {
      const one = empiricalFisherOfLinearPolicy(weights, inputs, [a, b]);
      one.forEach((row, k) => row.forEach((value, j) => mean[k][j] += p[0][a] * p[1][b] * value));
    }
  }
  mean.forEach((row, k) =>
    row.forEach((value, j) => assertAlmostEquals(value, exact[k][j], 1e-12))
  );
  const labelled = empiricalFisherOfLinearPolicy(weights, inputs, [0, 0]);
  assert(Math.abs(labelled[0][0] - exact[0][0]) > 0.01);
});

Deno.test("plasticity: the gradient is that of the penalty", () => {
  const [theta, anchor, fisher] = [[1, -2, 0.5], [0, 0, 0.5], [0.5, 2, 3]];
  const { penalty, gradient } = plasticityPenalty(theta, anchor, fisher, 4);
  assertEquals([penalty, gradient], [17, [2, -16, 0]]);
});

Deno.test("preferences: loss and pull against their definitions, also where exp overflows", () => {
  const log = fc.double({ min: -1e4, max: 0, noNaN: true });
  fc.assert(fc.property(log, log, log, log, (a, b, c, d) => {
    const pair = {
      logPreferred: a,
      logRejected: b,
      referencePreferred: c,
      referenceRejected: d,
    };
    const { margin, loss, probability, pull } = preferenceLoss(pair, 0.5);
    assertAlmostEquals(margin, 0.5 * (a - c - b + d), 1e-9);
    assertAlmostEquals(probability + pull, 1, 1e-12);
    assert(loss >= 0 && loss >= -margin);
    if (Math.abs(margin) < 30) assertAlmostEquals(loss, Math.log(1 + Math.exp(-margin)), 1e-9);
  }));
});

Deno.test("preferences: no policy beats the regularised optimum, and its reward is off by a constant", () => {
  fc.assert(fc.property(distribution(4), logits(4), distribution(4), (reference, reward, rival) => {
    const best = regularisedOptimum(reference, reward, 0.7);
    const worth = (policy: readonly number[]) =>
      dot(policy, reward) - 0.7 * klDivergence(policy, reference);
    assertAlmostEquals(worth(best.policy), best.objective, 1e-9);
    assert(worth(rival) <= best.objective + 1e-9);
    const shifts = best.implicitReward.map((implied, i) => reward[i] - implied);
    shifts.forEach((shift) => assertAlmostEquals(shift, 0.7 * best.logZ, 1e-9));
    const moved = regularisedOptimum(reference, reward.map((r) => r + 5), 0.7);
    moved.policy.forEach((p, i) => assertAlmostEquals(p, best.policy[i], 1e-9));
  }));
});

Deno.test("objective: weights of zero drop a component, the parts add up", () => {
  const losses = { vi: 2, po: 0.5, ci: 0.25, vc: 4, pl: 1 };
  assertEquals(totalLoss(losses, { vi: 1, po: 2, ci: 4, vc: 0, pl: 0 }), 4);
  const imprinting = imprintingLoss([[0.5, 0.5]], [[0.25, 0.75]], [1], 2);
  assertAlmostEquals(imprinting.nll, Math.LN2, 1e-15);
  assertAlmostEquals(imprinting.loss, Math.LN2 + 2 * klDivergence([0.5, 0.5], [0.25, 0.75]), 1e-15);
  const base = [0.5, 0.5];
  const imagination = imaginationLoss(base, [base, [0.25, 0.75]], [0.5, 0.25]);
  const kl = klDivergence(base, [0.25, 0.75]);
  assertAlmostEquals(imagination.loss, kl / 4 + 0.25, 1e-15);
  assertEquals(worstKl(base, [base, [0.25, 0.75]]), kl);
});

Deno.test("capacitor: nothing flagged is replaced by something unsafe; what is missed stays", () => {
  const actions = fc.integer({ min: 2, max: 6 }).chain((n) =>
    fc.record({
      policy: distribution(n),
      flagged: fc.array(fc.boolean(), { minLength: n, maxLength: n }),
      safe: fc.array(fc.boolean(), { minLength: n, maxLength: n })
        .map((safe) => [true, ...safe.slice(1)]),
    })
  );
  fc.assert(fc.property(actions, ({ policy, flagged, safe }) => {
    const distance = policy.map((_, a) => policy.map((_, b) => Math.abs(a - b)));
    const made = capacitorPolicy(policy, { flagged, safe, distance });
    assertAlmostEquals(dot(made.distribution, policy.map(() => 1)), 1, 1e-12);
    const missed = policy.reduce((sum, p, a) => flagged[a] || safe[a] ? sum : sum + p, 0);
    assertAlmostEquals(made.unsafe, missed, 1e-12);
    const nearest = policy.map((_, a) => distance[a][made.replacedBy[a]]);
    const loss = capacitorLoss(policy, flagged, nearest);
    assertAlmostEquals(loss, dot(policy, nearest.map((d, a) => flagged[a] ? d : 0)), 1e-12);
  }));
  const none = { flagged: [true], safe: [false], distance: [[0]] };
  assertThrows(() => capacitorPolicy([1], none), InputError, "fixed refusal");
});

Deno.test("information: what is no distribution is refused and named", () => {
  assertThrows(() => entropy([0.5, 0.6]), InputError, "sum to 1");
  assertThrows(() => klDivergence([1], [0.5, 0.5]), InputError, "q");
  assertThrows(() => klDivergence([1.5, -0.5], [0.5, 0.5]), InputError, "p[0]");
  assertThrows(() => imprintingLoss([[1]], [[1]], [1], 0), InputError, "actions[0]");
  assertThrows(() => softmax([0, Infinity]), InputError, "logits[1]");
});
