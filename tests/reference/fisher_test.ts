import { assert, assertEquals } from "../assert.ts";
import type { TokenBatch } from "../../workflows/data/batch.ts";
import { assertGradient, centralDifferences } from "./differences.ts";
import {
  empiricalFisher,
  ewcPenalty,
  exactFisher,
  nextTokenLogProbs,
  rowOf,
  sequenceLogProb,
} from "./fisher.ts";
import { relativeError } from "./numbers.ts";
import { randomIntegers } from "./random.ts";
import { randomWeights, tinyConfigs } from "./tiny_policies.ts";
import { toPolicy } from "./transformer.ts";

const config = { ...tinyConfigs.llama, layers: 1, vocabSize: 5, width: 6, mlpWidth: 4 };
const policy = toPolicy(randomWeights(config, 1));

const batch: TokenBatch = {
  rows: 3,
  length: 4,
  ids: randomIntegers(12, 5, 2),
  targets: randomIntegers(12, 5, 3),
  weights: Float32Array.of(1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0),
  positions: Uint32Array.from({ length: 12 }, (_, i) => i % 4),
  starts: new Uint32Array(12),
};

Deno.test("fisher: per-sequence gradients are squared before they are averaged", () => {
  const name = "final_norm.weight";
  const weights = policy.parameters.get(name)!;
  const expected = new Float64Array(weights.length);
  for (let row = 0; row < 3; row++) {
    const f = () => sequenceLogProb(policy, rowOf(batch, row)).logProb;
    centralDifferences(f, weights).forEach((d, i) => expected[i] += d * d / 3);
  }
  assert(relativeError(empiricalFisher(policy, batch).get(name)!, expected) < 1e-7);
});

Deno.test("fisher: the exact one equals the expected curvature of the log-probabilities", () => {
  const contexts = [[1, 2], [4, 0]];
  const name = "final_norm.weight";
  const weights = policy.parameters.get(name)!;
  const before = contexts.map((context) => nextTokenLogProbs(policy, context));
  const expected = weights.map((value, i) => {
    const h = 1e-3;
    // - sum_y p(y) d^2 log p(y) / dtheta_i^2, with p held fixed: the Hessian of KL(p || p_theta).
    const crossEntropy = () =>
      contexts.reduce((sum, context, c) => {
        const logProbs = nextTokenLogProbs(policy, context);
        return sum - before[c].reduce((s, lp, y) => s + Math.exp(lp) * logProbs[y], 0) / 2;
      }, 0);
    const at = [value - h, value, value + h].map((x) => {
      weights[i] = x;
      return crossEntropy();
    });
    weights[i] = value;
    return (at[0] - 2 * at[1] + at[2]) / (h * h);
  });
  assert(relativeError(exactFisher(policy, contexts).get(name)!, expected) < 1e-5);
});

Deno.test("ewc: penalty is zero at the anchor; its gradient is the penalty's derivative", () => {
  const fisher = empiricalFisher(policy, batch);
  const { penalty, gradient } = ewcPenalty(policy.parameters, policy.parameters, fisher, 3);
  assertEquals(penalty, 0);
  assert([...gradient.values()].every((g) => g.every((value) => value === 0)));
  const theta = toPolicy(randomWeights(config, 4)).parameters;
  const at = () => ewcPenalty(theta, policy.parameters, fisher, 3);
  const name = "layers.0.attention.out.weight";
  assertGradient("d_theta", () => at().penalty, theta.get(name)!, at().gradient.get(name)!, 1e-6);
  assert(at().penalty > 0);
});
