/**
 * The estimator of Eq. 13's gradient: its mean over all samples is the exact gradient, its variance is below that without a baseline,
 * and the batches that a live policy gives follow the same distribution.
 */
import { InputError } from "../../../../kernels/errors.ts";
import { loadParameters } from "../../../../kernels/policy/parameters.ts";
import { project } from "../../../../workflows/safety/capacitor/actions.ts";
import {
  CapacitorSource,
  leaveOneOutAdvantages,
} from "../../../../workflows/safety/capacitor/loss.ts";
import { bodyOf, WorldModel } from "../../../../workflows/safety/world_model/model.ts";
import { capacitorLoss } from "../../../../workflows/theory/capacitor.ts";
import { runPass, unlabelled } from "../../../../workflows/verify/pass.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../../assert.ts";
import { randomValues, testGpu } from "../../../kernels/harness.ts";
import { smallConfig, smallPolicy } from "../world_model/worlds.ts";

/** A softmax policy over four actions, and what each costs: 1{flagged} d_I. */
const LOGITS = [0.3, -0.5, 1.1, 0.2];
const FLAGGED = [true, false, true, true];
const DISTANCE = [0.7, 0.4, 0.25, 0.9];
const softmax = (z: readonly number[]) => {
  const e = z.map(Math.exp);
  const sum = e.reduce((a, b) => a + b);
  return e.map((x) => x / sum);
};
const POLICY = softmax(LOGITS);
const COST = DISTANCE.map((d, a) => FLAGGED[a] ? d : 0);

/** d log pi(a) / d logits */
const score = (a: number) => POLICY.map((p, k) => Number(k === a) - p);

/** Every sample of `k` actions with its probability. */
function* samples(k: number): Generator<{ actions: number[]; probability: number }> {
  if (k === 0) return yield { actions: [], probability: 1 };
  for (const { actions, probability } of samples(k - 1)) {
    for (let a = 0; a < 4; a++) {
      yield { actions: [...actions, a], probability: probability * POLICY[a] };
    }
  }
}

/** Mean and total variance, over all samples of K actions, of (1/K) sum_i weight_i grad log pi(a_i). */
function moments(k: number, weigh: (costs: number[]) => number[]) {
  const mean = [0, 0, 0, 0];
  let square = 0;
  for (const { actions, probability } of samples(k)) {
    const weights = weigh(actions.map((a) => COST[a]));
    const estimate = [0, 1, 2, 3].map((j) =>
      actions.reduce((sum, a, i) => sum + weights[i] * score(a)[j], 0) / k
    );
    estimate.forEach((value, j) => mean[j] += probability * value);
    square += probability * estimate.reduce((sum, value) => sum + value * value, 0);
  }
  return { mean, variance: square - mean.reduce((sum, value) => sum + value * value, 0) };
}

for (const k of [2, 3, 5]) {
  Deno.test(`L_VC, ${k} replies a context: unbiased, and less variable than without the baseline`, () => {
    const withBaseline = moments(k, leaveOneOutAdvantages);
    const without = moments(k, (costs) => costs);
    // The exact gradient by central differences of Eq. 13 over the enumerated actions.
    const loss = (z: readonly number[]) => capacitorLoss(softmax(z), FLAGGED, DISTANCE);
    const h = 1e-5;
    LOGITS.forEach((_, j) => {
      const moved = (by: number) => loss(LOGITS.map((z, i) => z + (i === j ? by : 0)));
      const exact = (moved(h) - moved(-h)) / (2 * h);
      assertAlmostEquals(withBaseline.mean[j], exact, 1e-9);
      assertAlmostEquals(without.mean[j], exact, 1e-9);
    });
    assert(
      withBaseline.variance < without.variance,
      `${withBaseline.variance} against ${without.variance}`,
    );
  });
}

Deno.test("L_VC: what all replies to a context share cancels", () => {
  assert(leaveOneOutAdvantages([0.4, 0.4, 0.4]).every((weight) => Math.abs(weight) < 1e-15));
  assertEquals(leaveOneOutAdvantages([0, 0, 0]), [0, 0, 0]);
  assertEquals(leaveOneOutAdvantages([1, 0]), [1, -1]);
  const sum = leaveOneOutAdvantages([0.3, 0, 0.9, 0.1]).reduce((a, b) => a + b);
  assertAlmostEquals(sum, 0, 1e-12);
  assertThrows(() => leaveOneOutAdvantages([1]), InputError, "at least 2");
});

const SAFE = [[3, 4]];
const PROMPTS = [[1, 5], [1, 3, 6, 4]];

/** Sampled batches of a live policy whose replies are one token and the end at most, over both prompts. */
async function source(threshold: number, repliesPerContext = 40) {
  const gpu = await testGpu();
  const policy = loadParameters(gpu, smallPolicy(), { trainable: false });
  const data = Float32Array.from(randomValues(2 * smallConfig.width, 5, 0.5));
  const head = { shape: [2, smallConfig.width], data };
  const judge = new WorldModel(gpu, { body: bodyOf(smallPolicy(4)), head }, threshold);
  const made = new CapacitorSource(policy, judge, {
    contexts: () => PROMPTS,
    contextsPerBatch: 2,
    repliesPerContext,
    safeActions: SAFE,
    maxNew: 1,
    length: 8,
    seed: 3,
  });
  return { made, judge, policy };
}

Deno.test("L_VC: cost and gradient of sampled batches agree with the enumerated policy", async () => {
  const probe = await source(0.5);
  const vocabulary = Array.from({ length: 11 }, (_, id) => id);
  const actions = vocabulary.map((id) => id === 2 ? [] : [id]);
  const scores = await Promise.all(
    PROMPTS.map((prompt) => probe.judge.score(actions.map((reply) => ({ prompt, reply })))),
  );
  const threshold = scores.flat().sort((a, b) => a - b)[11]; // half of the actions are flagged
  const exact: { pi: number[]; cost: number[]; loss: number; gradient: number[] }[] = [];
  for (const [c, prompt] of PROMPTS.entries()) {
    const { logits } = await runPass(probe.policy, unlabelled(prompt));
    const pi = softmax([...logits.slice(-11)]);
    const flagged = scores[c].map((s) => s > threshold);
    const distance = actions.map((a) => project(a, SAFE).distance);
    const cost = distance.map((d, a) => flagged[a] ? d : 0);
    const loss = capacitorLoss(pi, flagged, distance);
    exact.push({ pi, cost, loss, gradient: pi.map((p, k) => p * (cost[k] - loss)) });
  }
  const { made, judge, policy } = await source(threshold);
  const batches = 30;
  const n = batches * 40;
  let cost = 0;
  const sums = PROMPTS.map(() => vocabulary.map(() => ({ sum: 0, squares: 0 })));
  for (let step = 0; step < batches; step++) {
    const batch = await made.batch(step, 0);
    assertEquals([batch.replies, batch.tokens.rows, made.rows], [80, 80, 80]);
    cost += batch.cost;
    for (let row = 0; row < 80; row++) {
      const c = Math.floor(row / 40);
      const at = row * 8 + PROMPTS[c].length - 1; // predicts the reply's only token
      const [id, weight] = [batch.tokens.targets[at], batch.tokens.weights[at]];
      vocabulary.forEach((k) => {
        const value = weight * (Number(k === id) - exact[c].pi[k]);
        sums[c][k].sum += value;
        sums[c][k].squares += value * value;
      });
    }
  }
  const spread = Math.sqrt(
    exact.reduce(
      (sum, { pi, cost, loss }) => sum + pi.reduce((s, p, k) => s + p * (cost[k] - loss) ** 2, 0),
      0,
    ) / n,
  );
  const wanted = exact.reduce((sum, { loss }) => sum + loss, 0);
  assert(Math.abs(cost / n - wanted) < 5 * spread, `loss ${cost / n}, exact ${wanted}`);
  sums.forEach((of, c) =>
    of.forEach(({ sum, squares }, k) => {
      const error = Math.sqrt(squares) / n;
      const gap = Math.abs(sum / n - exact[c].gradient[k]);
      assert(
        gap < 5 * error + 1e-6,
        `context ${c}, logit ${k}: off by ${gap}, standard error ${error}`,
      );
    })
  );
  assert(
    exact.some(({ gradient }) => gradient.some((g) => Math.abs(g) > 0.01)),
    "there is a gradient",
  );
  for (const { made: m, judge: j, policy: p } of [probe, { made, judge, policy }]) {
    m.destroy();
    j.destroy();
    p.destroy();
  }
});

Deno.test("L_VC: batches depend on (step, slot) alone, weigh reply tokens only, and see the live policy", async () => {
  const { made, judge, policy } = await source(0.5, 4);
  const first = await made.batch(3, 0);
  assertEquals(await made.batch(3, 0), first);
  assert((await made.batch(3, 1)).tokens.ids.join() !== first.tokens.ids.join());
  for (let row = 0; row < first.tokens.rows; row++) {
    const begins = PROMPTS[Math.floor(row / 4)].length - 1;
    const weights = [...first.tokens.weights.subarray(row * 8, row * 8 + 8)];
    assert(weights.every((weight, i) => weight === 0 || i === begins));
  }
  policy.load(smallPolicy(99).tensors); // what training does, by other means
  assert((await made.batch(3, 0)).tokens.ids.join() !== first.tokens.ids.join());
  made.destroy();
  judge.destroy();
  policy.destroy();
});

Deno.test("L_VC: what cannot be estimated is refused", async () => {
  const { made, judge, policy } = await source(0.5, 4);
  const options = {
    contexts: () => PROMPTS.slice(1),
    contextsPerBatch: 2,
    repliesPerContext: 2,
    safeActions: SAFE,
    maxNew: 1,
    length: 8,
    seed: 3,
  };
  const make = (more: Partial<typeof options>) => () =>
    new CapacitorSource(policy, judge, { ...options, ...more });
  assertThrows(make({ repliesPerContext: 1 }), InputError, "at least 2");
  assertThrows(make({ safeActions: [] }), InputError, "safe reply");
  const short = make({})();
  await assertRejects(() => short.batch(0, 0), InputError, "expected 2 contexts");
  short.destroy();
  made.destroy();
  judge.destroy();
  policy.destroy();
});
