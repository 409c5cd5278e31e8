/**
 * The preference term against the float64 policy, its three references, packing, accumulation, and evaluation on pairs.
 */
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { PREFERENCE_LOSSES, type PreferenceLoss } from "../../../kernels/losses/preference.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { loadParameters, Parameters } from "../../../kernels/policy/parameters.ts";
import { padBatch } from "../../../workflows/data/pack/assemble.ts";
import type { TokenPair } from "../../../workflows/data/tokenise/tokenise.ts";
import {
  evaluatePreferences,
  logProbsOf,
  pairLogProbs,
} from "../../../workflows/evaluate/preferences.ts";
import { memoryPairs } from "../../../workflows/objective/pairs.ts";
import { PreferenceTerm, type Reference } from "../../../workflows/objective/preference.ts";
import { diagnosePreference } from "../../../workflows/objective/preference_diagnosis.ts";
import { assert, assertEquals } from "../../assert.ts";
import { relativeError, testGpu } from "../../kernels/harness.ts";
import { preferenceLoss } from "../../reference/preference.ts";
import { sequenceLogProb } from "../../reference/fisher.ts";
import { type Policy, toPolicy } from "../../reference/transformer.ts";
import { TINY_POLICY } from "../train/programs.ts";
import { flat, LENGTH, randomPairs, stepOnce, tinyPolicy } from "./helpers.ts";

const BETA = 0.5;
const ROWS = 8;

function source(pairs: readonly TokenPair[], packing = true, rows = ROWS) {
  return memoryPairs(pairs, { rows, length: LENGTH, seed: 1, packing, padId: 0 });
}

function termOf(
  pairs: readonly TokenPair[],
  reference: Reference,
  { loss = "sigmoid" as PreferenceLoss, weight = 1, packing = true, rows = ROWS, slots = 1 } = {},
): PreferenceTerm {
  const settings = { loss, dpoBeta: BETA, labelSmoothing: 0.1 };
  const shape = { rows, length: LENGTH, slots };
  return new PreferenceTerm({
    ...shape,
    weight,
    settings,
    reference,
    source: source(pairs, packing, rows),
  });
}

const only = (term: PreferenceTerm) => ({ rho: 0, prior: null, weight: 0, terms: [term] });

async function frozenPolicy(seed: number): Promise<Parameters> {
  return loadParameters(await testGpu(), initialWeights(TINY_POLICY, seed), { trainable: false });
}

/** Mean loss over pairs and its gradient, in float64. */
function expected(
  pairs: readonly TokenPair[],
  loss: PreferenceLoss,
  policy: Policy,
  prior: Policy,
) {
  const gradient = new Map<string, Float64Array>();
  let total = 0;
  for (const { chosen, rejected } of pairs) {
    const rows = [chosen, rejected].map((reply) => padBatch([reply], reply.ids.length));
    const own = rows.map((row) => sequenceLogProb(policy, row));
    const pair = {
      policy: own.map(({ logProb }) => logProb),
      reference: rows.map((row) => sequenceLogProb(prior, row).logProb),
      lengths: rows.map(({ weights }) => weights.reduce((a, b) => a + b, 0)),
    };
    total += preferenceLoss(pair, loss, BETA, 0.1);
    own.forEach(({ gradient: of }, side) => {
      const at = (h: number) =>
        preferenceLoss(
          { ...pair, policy: pair.policy.map((x, i) => i === side ? x + h : x) },
          loss,
          BETA,
          0.1,
        );
      const slope = (at(1e-5) - at(-1e-5)) / 2e-5;
      for (const [name, g] of of) {
        const sum = gradient.get(name) ?? new Float64Array(g.length);
        g.forEach((x, i) => sum[i] += slope * x / pairs.length);
        gradient.set(name, sum);
      }
    });
  }
  return { loss: total / pairs.length, gradient };
}

Deno.test("every preference loss over packed pairs has the gradient of the float64 policy", async () => {
  const parameters = await tinyPolicy(1);
  const reference = { kind: "resident", policy: await frozenPolicy(2) } as const;
  const pairs = randomPairs(7, 3);
  const [own, prior] = [1, 2].map((seed) => toPolicy(initialWeights(TINY_POLICY, seed)));
  const used = source(pairs).batch(0).pairs.map(({ id }) => pairs[id]);
  assert(used.length > ROWS / 2, "pairs must share rows for this to test anything");
  for (const loss of PREFERENCE_LOSSES) {
    const term = termOf(pairs, reference, { loss });
    const { gradient, metrics } = await stepOnce(parameters, { objective: only(term) });
    const want = expected(used, loss, own, prior);
    const names = [...gradient.keys()];
    const errors = names.map((name) =>
      relativeError(gradient.get(name)!, want.gradient.get(name)!)
    );
    assert(Math.max(...errors) < 2e-5, `${loss}: ${names.map((n, i) => `${n} ${errors[i]}`)}`);
    assert(Math.abs(metrics.terms!["preference/loss"] / want.loss - 1) < 5e-6, loss);
    assertEquals(metrics.loss, metrics.terms!["preference/loss"]);
  }
  parameters.destroy();
  reference.policy.destroy();
});

Deno.test("a resident and a precomputed reference give the same step", async () => {
  const parameters = await tinyPolicy(1);
  const policy = await frozenPolicy(2);
  const pairs = randomPairs(9, 4);
  const shape = { rows: ROWS, length: LENGTH };
  const table = await pairLogProbs(policy, [0, 1, 2].map((i) => source(pairs).batch(i)), shape);
  const resident = await stepOnce(parameters, {
    objective: only(termOf(pairs, { kind: "resident", policy })),
  });
  const precomputed = await stepOnce(parameters, {
    objective: only(termOf(pairs, { kind: "precomputed", table })),
  });
  assertEquals(precomputed.gradient, resident.gradient);
  assertEquals(precomputed.metrics, resident.metrics);
  assert(precomputed.launches < resident.launches, "a table needs no forward pass");
  parameters.destroy();
  policy.destroy();
});

Deno.test("under adapters the reference is the policy without them", async () => {
  const gpu = await testGpu();
  const weights = initialWeights(TINY_POLICY, 1);
  const lora = {
    rank: 2,
    alpha: 4,
    dropout: 0,
    rankStabilised: false,
    targets: [{ name: "up", parameter: "layers.0.mlp.down.weight", rowStart: 0, rowCount: 16 }],
  };
  const parameters = new Parameters(gpu, TINY_POLICY, { lora });
  parameters.load(weights.tensors);
  const filled = new Map(
    parameters.names.filter((name) => name.startsWith("lora.")).map((name) => {
      const count = parameters.get(name).shape.reduce((a, b) => a * b, 1);
      return [name, Float32Array.from({ length: count }, (_, i) => Math.sin(i + name.length) / 4)];
    }),
  );
  parameters.load(filled);
  const policy = await frozenPolicy(1);
  const pairs = randomPairs(5, 5);
  const [off, copy] = [
    await stepOnce(parameters, { objective: only(termOf(pairs, { kind: "adapters" })) }),
    await stepOnce(parameters, { objective: only(termOf(pairs, { kind: "resident", policy })) }),
  ];
  assertEquals(off.gradient, copy.gradient);
  assert(off.metrics.terms!["preference/log_ratio"] > 0.01, "the adapters must change something");
  parameters.destroy();
  policy.destroy();
});

Deno.test("pairs over two micro-batches are one step", async () => {
  const parameters = await tinyPolicy(1);
  const policy = await frozenPolicy(2);
  const pairs = randomPairs(8, 6, 4);
  const reference = { kind: "resident", policy } as const;
  const whole = await stepOnce(parameters, {
    objective: only(termOf(pairs, reference, { packing: false, rows: 16 })),
  });
  const parts = await stepOnce(parameters, {
    accumulation: 2,
    objective: only(termOf(pairs, reference, { packing: false, rows: 8, slots: 2 })),
  });
  const error = relativeError(flat(parts.gradient), flat(whole.gradient));
  assert(error < 2e-6, `${error}`);
  const [a, b] = [parts, whole].map(({ metrics }) => metrics.terms!["preference/loss"]);
  assert(Math.abs(a / b - 1) < 2e-6, `${a} ${b}`);
  parameters.destroy();
  policy.destroy();
});

Deno.test("a weight multiplies the gradient and leaves the reported loss alone", async () => {
  const parameters = await tinyPolicy(1);
  const policy = await frozenPolicy(2);
  const pairs = randomPairs(5, 7);
  const run = (weight: number) =>
    stepOnce(parameters, {
      objective: only(termOf(pairs, { kind: "resident", policy }, { weight })),
    });
  const [one, four] = [await run(1), await run(4)];
  assertEquals(flat(four.gradient), flat(one.gradient).map((g) => 4 * g));
  const { metrics } = four;
  assertEquals(metrics.terms!["preference/weight"], 4);
  assertEquals(metrics.terms!["preference/loss"], one.metrics.terms!["preference/loss"]);
  assertEquals(metrics.loss, 4 * one.metrics.loss);
  parameters.destroy();
  policy.destroy();
});

Deno.test("evaluation counts right preferences; baselines find length and words, and chance where there is neither", async () => {
  const policy = await frozenPolicy(2);
  const shape = { rows: ROWS, length: LENGTH };
  const pairs = randomPairs(60, 8);
  const table = await logProbsOf(policy, pairs, shape);
  // Chosen is what this policy prefers.
  const sorted = pairs.map((pair, i) => {
    const [c, r] = table.get(i)!;
    return c >= r ? pair : { chosen: pair.rejected, rejected: pair.chosen };
  });
  const own = await evaluatePreferences(policy, sorted, { ...shape, training: randomPairs(40, 9) });
  assertEquals([own.logProb.k, own.logProb.n, own.reward], [60, 60, null]);
  const itself = await evaluatePreferences(policy, sorted, {
    ...shape,
    training: sorted,
    reference: await logProbsOf(policy, sorted, shape),
  });
  assertEquals([itself.reward!.k, itself.referenceLogProb!.k], [0, 60]);
  const marked = randomPairs(50, 10).map(({ chosen, rejected }) => ({
    chosen: { ids: [...chosen.ids, 7, 7, 7, 7, 7], weights: [...chosen.weights, 1, 1, 1, 1, 1] },
    rejected,
  }));
  const easy = await evaluatePreferences(policy, marked, { ...shape, training: marked });
  assert(easy.length.k >= 48 && easy.frequency.k >= 48, JSON.stringify(easy));
  const chance = await evaluatePreferences(policy, pairs, {
    ...shape,
    training: randomPairs(40, 11),
  });
  for (const { low, high } of [chance.length, chance.frequency]) assert(low < 0.5 && high > 0.25);
  policy.destroy();
});

Deno.test("a diagnosis says what is wrong and what to do, and nothing when nothing is", () => {
  const settings = { loss: "sigmoid", dpoBeta: 0.1 } as const;
  const well = { loss: 0.4, log_ratio: 4, both_fell: 0.3, reward_chosen: 0.1 };
  assertEquals(diagnosePreference(well, settings), []);
  const lines = (changes: object) => diagnosePreference({ ...well, ...changes }, settings).join();
  assert(lines({ loss: 0.6931, log_ratio: 0.001 }).includes("sits at ln 2"));
  assert(lines({ log_ratio: 80 }).includes("has left its reference"));
  assert(lines({ log_ratio: NaN }).includes("has left its reference"));
  assert(lines({ both_fell: 0.95, reward_chosen: -2 }).includes("raise weights.vi"));
});

Deno.test("ten steps on a few pairs teach them", async () => {
  const parameters = await tinyPolicy(1);
  const policy = await frozenPolicy(1);
  const { TrainProgram } = await import("../../../workflows/train/program.ts");
  const { settingsOf } = await import("../train/programs.ts");
  const term = termOf(randomPairs(6, 12), { kind: "resident", policy });
  const program = new TrainProgram(
    parameters,
    settingsOf({
      rows: 2,
      length: LENGTH,
      objective: only(term),
      schedule: { kind: "constant", learningRate: 1e-2, warmupSteps: 0, totalSteps: 30 },
    }),
  );
  for (let step = 0; step < 30; step++) {
    await program.prepare(step);
    program.step(step, []);
  }
  const rows = await program.metrics();
  const at = (i: number, name: string) => rows.at(i)!.terms![`preference/${name}`];
  assert(Math.abs(at(0, "loss") - Math.LN2) < 1e-6, `${at(0, "loss")}`);
  assert(at(-1, "loss") < 0.3 && at(-1, "accuracy") === 1, `${at(-1, "loss")}`);
  assert((await readFloats(parameters.gpu, parameters.theta)).every(Number.isFinite));
  program.destroy();
  term.destroy();
  parameters.destroy();
  policy.destroy();
});
