/**
 * Terms together: what each launches, that a weight of zero records nothing, that a step over several is the sum of steps over each, and the
 * counterfactual's and capacitor's gradients against float64.
 */
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import type { TokenBatch } from "../../../workflows/data/batch.ts";
import { padBatch } from "../../../workflows/data/pack/assemble.ts";
import { CapacitorTerm } from "../../../workflows/objective/capacitor.ts";
import { CounterfactualTerm } from "../../../workflows/objective/counterfactual.ts";
import { memoryPairs } from "../../../workflows/objective/pairs.ts";
import { PlasticityTerm } from "../../../workflows/objective/plasticity.ts";
import { PreferenceTerm } from "../../../workflows/objective/preference.ts";
import type { PerturbedBatch, SampledBatch, Term } from "../../../workflows/objective/term.ts";
import { TrainProgram } from "../../../workflows/train/program.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { relativeError, testGpu } from "../../kernels/harness.ts";
import { klPolicyPrior, klPriorPolicy } from "../../reference/losses.ts";
import { targetLogProbs, targetLogProbsBackward } from "../../reference/softmax.ts";
import { backward, forward, toPolicy } from "../../reference/transformer.ts";
import { batchOfRows, rowsOf, TINY_POLICY } from "../train/programs.ts";
import { flat, LENGTH, randomPairs, stepOnce, stillSettings, tinyPolicy } from "./helpers.ts";

const DEMONSTRATIONS = batchOfRows(rowsOf(2, LENGTH, 7), LENGTH);
const VOCAB = TINY_POLICY.vocabSize;

/** Rows of a prompt and a reply each; weights are the reply's. */
function replies(seed: number, weight: (row: number) => number): TokenBatch {
  const rows = randomPairs(2, seed).flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const batch = padBatch(rows, LENGTH);
  return { ...batch, weights: batch.weights.map((w, t) => w * weight(Math.floor(t / LENGTH))) };
}

/** Rows 0 and 2 are contexts, rows 1 and 3 their perturbations: other prompts of the same length, the same replies. */
function perturbed(): PerturbedBatch {
  const rows = randomPairs(2, 5).flatMap(({ chosen, rejected }) => [
    chosen,
    { ...chosen, ids: [...rejected.ids.slice(0, 3), ...chosen.ids.slice(3)] },
  ]);
  const tokens = padBatch(rows, LENGTH);
  const places = [0, 2].flatMap((row) =>
    [...tokens.weights.subarray(row * LENGTH, (row + 1) * LENGTH)]
      .flatMap((w, t) => w > 0 ? [row * LENGTH + t] : [])
  );
  return {
    tokens: {
      ...tokens,
      weights: tokens.weights.map((w, t) => Math.floor(t / LENGTH) % 2 === 1 ? w : 0),
    },
    original: Uint32Array.from(places),
    perturbed: Uint32Array.from(places, (t) => t + LENGTH),
    weights: Float32Array.from(places, (_, i) => 1 + i % 3),
  };
}

function sampled(): SampledBatch {
  const tokens = replies(6, (row) => [-0.75, 0.25, 0.5, 0][row]);
  return { tokens, replies: 4, cost: 1.5, unsafe: 2 };
}

const shape = { rows: 4, length: LENGTH, slots: 1 };
const counterfactual = (weight: number, klShare?: number, detachOriginal?: boolean) =>
  new CounterfactualTerm({
    ...shape,
    weight,
    klShare,
    detachOriginal,
    couples: 24,
    source: { rows: 4, couples: 24, batch: perturbed },
  });
const capacitor = (weight: number) =>
  new CapacitorTerm({ ...shape, weight, source: { rows: 4, batch: sampled } });
const preference = (weight: number, policy: Parameters | null) =>
  new PreferenceTerm({
    ...shape,
    weight,
    settings: { loss: "sigmoid", dpoBeta: 0.3 },
    reference: policy ? { kind: "resident", policy } : { kind: "precomputed", table: new Map() },
    source: memoryPairs(randomPairs(6, 3), {
      rows: 4,
      length: LENGTH,
      seed: 1,
      packing: true,
      padId: 0,
    }),
  });

async function plasticity(weight: number): Promise<PlasticityTerm> {
  const parameters = await tinyPolicy(1);
  const theta = (await parameters.weights()).tensors;
  parameters.destroy();
  const importance = new Map(
    [...theta].map(([name, values]) => [name, values.map((_, i) => (i % 5) / 100)]),
  );
  const anchor = new Map([...theta].map(([name, values]) => [name, values.map((x) => x + 0.1)]));
  return new PlasticityTerm({ weight, kappa: 2, anchors: [{ theta: anchor, importance }] });
}

/** Launches of one step, where everything but `terms` and imprinting's weight stays. */
async function launches(terms: readonly Term[], weight = 1): Promise<number> {
  const parameters = await tinyPolicy();
  const program = new TrainProgram(
    parameters,
    stillSettings({ objective: { rho: 0, prior: null, weight, terms } }),
  );
  const count = program.dispatchesPerStep;
  program.destroy();
  terms.forEach((term) => term.destroy?.());
  parameters.destroy();
  return count;
}

Deno.test("terms launch a stated number of kernels beside the shared passes, and none at weight 0", async () => {
  const gpu = await testGpu();
  const frozen = loadParameters(gpu, initialWeights(TINY_POLICY, 2), { trainable: false });
  const alone = await launches([]);
  const zeros = [
    counterfactual(0),
    capacitor(0),
    preference(0, frozen),
    await plasticity(0),
  ];
  assertEquals(await launches(zeros), alone);
  const extra = async (term: Term) => await launches([term]) - alone;
  const counts = {
    counterfactual: await extra(counterfactual(1)),
    withoutMinimax: await extra(counterfactual(1, 1)),
    capacitor: await extra(capacitor(1)),
    preference: await extra(preference(1, null)),
    plasticity: await extra(await plasticity(1)),
  };
  const resident = await extra(preference(1, frozen));
  console.log(`one layer: ${alone} launches; more for ${JSON.stringify({ ...counts, resident })}`);
  // A loss and its gradient, sums over sequences and theirs, one for each metric that the loss does not add up itself.
  assertEquals(counts, {
    counterfactual: 8,
    withoutMinimax: 4,
    capacitor: 4,
    preference: 5,
    plasticity: 2,
  });
  // A resident reference reads the pairs' rows: one forward pass, and two launches for its sums.
  assert(resident > counts.preference + 5 && resident < alone / 2, `${resident} of ${alone}`);
  // Without imprinting its loss, gradient and two sums are gone.
  assertEquals(await launches([capacitor(1)], 0), alone + counts.capacitor - 4);
  frozen.destroy();
});

Deno.test("a step over all terms is one submission, and its gradient the sum of each term's", async () => {
  const gpu = await testGpu();
  const frozen = loadParameters(gpu, initialWeights(TINY_POLICY, 2), { trainable: false });
  const parameters = await tinyPolicy(1);
  const terms = async () => [
    preference(0.5, frozen),
    counterfactual(2),
    capacitor(3),
    await plasticity(1.5),
  ];
  const objective = (weight: number, own: readonly Term[]) => ({
    rho: 0.2,
    prior: frozen,
    weight,
    terms: own,
  });
  const before = { ...gpu.counts };
  const all = await stepOnce(parameters, { objective: objective(1.25, await terms()) }, [
    DEMONSTRATIONS,
  ]);
  assertEquals(gpu.counts.submits - before.submits, 1);
  const parts = [
    await stepOnce(parameters, { objective: objective(1.25, []) }, [DEMONSTRATIONS]),
  ];
  for (const term of (await terms()).slice(0, 3)) {
    parts.push(await stepOnce(parameters, { objective: objective(0, [term]) }));
  }
  const held = (await terms())[3];
  const withHeld = await stepOnce(parameters, { objective: objective(1.25, [held]) }, [
    DEMONSTRATIONS,
  ]);
  const gradients = parts.map(({ gradient }) => flat(gradient));
  const want = flat(withHeld.gradient).map((g, i) =>
    gradients.slice(1).reduce((sum, gradient) => sum + gradient[i], g)
  );
  const error = relativeError(flat(all.gradient), want);
  assert(error < 5e-6, `${error}`);
  const sum = [withHeld, ...parts.slice(1)].reduce((total, { metrics }) => total + metrics.loss, 0);
  assert(Math.abs(all.metrics.loss / sum - 1) < 1e-5, `${all.metrics.loss} ${sum}`);
  assertEquals(
    Object.keys(all.metrics.terms!).filter((name) => name.endsWith("/loss")),
    ["value_imprinting", "preference", "counterfactual", "capacitor", "plasticity"].map((name) =>
      `${name}/loss`
    ),
  );
  parameters.destroy();
  frozen.destroy();
});

for (const detached of [false, true]) {
  const title = detached ? ", the plain context given" : "";
  Deno.test(`counterfactual imagination: KL and hidden loss with the gradient of the float64 policy${title}`, () =>
    checkCounterfactual(detached));
}

async function checkCounterfactual(detached: boolean): Promise<void> {
  const parameters = await tinyPolicy(1);
  const policy = toPolicy(initialWeights(TINY_POLICY, 1));
  const { tokens, original, perturbed: others, weights } = perturbed();
  const activations = forward(policy, tokens);
  const { logits } = activations;
  const d_logits = new Float64Array(logits.length);
  const row = (t: number) => logits.subarray(t * VOCAB, (t + 1) * VOCAB);
  const add = (t: number, d: Float64Array, by: number) =>
    d.forEach((x, v) => d_logits[t * VOCAB + v] += by * x);
  const klTotal = weights.reduce((a, b) => a + b, 0);
  let kl = 0;
  weights.forEach((w, i) => {
    const [p, q] = [row(original[i]), row(others[i])];
    const there = klPolicyPrior(p, q, [1], VOCAB, 1);
    kl += w / klTotal * there.loss;
    if (!detached) add(original[i], there.d_logits, 0.5 * w / klTotal);
    add(others[i], klPriorPolicy(q, p, [1], VOCAB, 1).d_logits, 0.5 * w / klTotal);
  });
  const scored = tokens.weights.reduce((a, b) => a + b, 0);
  const logProbs = targetLogProbs(logits, tokens.targets, VOCAB);
  const hidden = -logProbs.reduce((sum, lp, t) => sum + tokens.weights[t] * lp, 0) / scored;
  targetLogProbsBackward(
    logits,
    tokens.targets,
    tokens.weights.map((w) => -0.5 * w / scored),
    VOCAB,
  )
    .forEach((d, i) => d_logits[i] += d);
  const want = backward(policy, tokens, activations, d_logits).parameters;
  const objective = { rho: 0, prior: null, weight: 0, terms: [counterfactual(1, 0.5, detached)] };
  const { gradient, metrics: { terms } } = await stepOnce(parameters, { objective });
  for (const [name, g] of gradient) {
    const error = relativeError(g, want.get(name)!);
    assert(error < 2e-5, `${name}: ${error}`);
  }
  const got = ["loss", "kl", "hidden"].map((name) => terms![`counterfactual/${name}`]);
  assert(relativeError(got, [0.5 * kl + 0.5 * hidden, kl, hidden]) < 5e-6, `${got}`);
  parameters.destroy();
}

Deno.test("the capacitor's gradient is the score function's in float64, its loss the measured cost", async () => {
  const parameters = await tinyPolicy(1);
  const policy = toPolicy(initialWeights(TINY_POLICY, 1));
  const { tokens, replies: count, cost, unsafe } = sampled();
  const activations = forward(policy, tokens);
  const { logits } = activations;
  // Descent on mean (cost - baseline) log pi.
  const weights = tokens.weights.map((w) => w / count);
  const d_logits = targetLogProbsBackward(logits, tokens.targets, weights, VOCAB);
  const want = backward(policy, tokens, activations, d_logits).parameters;
  const objective = { rho: 0, prior: null, weight: 0, terms: [capacitor(1)] };
  const { gradient, metrics: { terms } } = await stepOnce(parameters, { objective });
  for (const [name, g] of gradient) {
    const error = relativeError(g, want.get(name)!);
    assert(error < 2e-5, `${name}: ${error}`);
  }
  assertEquals(
    [terms!["capacitor/loss"], terms!["capacitor/unsafe"]],
    [cost / count, unsafe / count],
  );
  parameters.destroy();
});

Deno.test("a step without anything to learn from, or without preparation, is refused", async () => {
  const parameters = await tinyPolicy();
  const held = await plasticity(1);
  assertThrows(
    () =>
      new TrainProgram(
        parameters,
        stillSettings({ objective: { rho: 0, prior: null, weight: 0, terms: [held] } }),
      ),
    Error,
    "nothing to learn from",
  );
  const term = capacitor(1);
  const objective = { rho: 0, prior: null, terms: [term] };
  const program = new TrainProgram(parameters, stillSettings({ objective }));
  assertThrows(() => program.step(0, [DEMONSTRATIONS]), Error, "call prepare(0) first");
  await program.prepare(0);
  assertThrows(() => program.step(0, []), Error, "a step takes 1 batches, got 0");
  assertThrows(() => program.step(1, [DEMONSTRATIONS]), Error, "call prepare(1) first");
  program.destroy();
  term.destroy();
  parameters.destroy();
});
