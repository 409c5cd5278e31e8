/**
 * Reward, value and classifier heads: against the float64 policy, against PyTorch's reward model, and through a model file.
 */
import { InputError } from "../../../kernels/errors.ts";
import { persistent, upload } from "../../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import {
  classifierHead,
  headSpecsOf,
  lastTokenRows,
  readHeads,
  rewardHead,
  scoreHeadSpecs,
  valueHead,
  valueHeadSpecs,
} from "../../../kernels/policy/heads.ts";
import { loadParameters, Parameters } from "../../../kernels/policy/parameters.ts";
import type { StoredSpec } from "../../../kernels/policy/storage.ts";
import { loadModel } from "../../../workflows/model_files/load_model.ts";
import { saveModel } from "../../../workflows/model_files/save_model.ts";
import type { TokenBatch } from "../../../workflows/data/batch.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { embed, embedBackward } from "../../reference/embedding.ts";
import { expectedByParameter, readCase } from "../../reference/golden_case.ts";
import { crossEntropy as referenceCrossEntropy } from "../../reference/losses.ts";
import { linear, linearBackward } from "../../reference/matmul.ts";
import { randomWeights, tinyConfigs } from "../../reference/tiny_policies.ts";
import { type Activations, backward, forward, toPolicy } from "../../reference/transformer.ts";
import { sharedTest } from "../../shared.ts";
import { randomValues, tensorOf, testGpu } from "../harness.ts";
import { assertTensors, packedBatch, runPolicy } from "./policies.ts";

// Measured on lavapipe over all heads and families below, at worst: outputs 4.2e-7, gradients 1.1e-6.
const VALUE_TOLERANCE = 2e-6;
const GRADIENT_TOLERANCE = 5e-6;

const LAST = [10, 25]; // of the first row's second sequence, of the second row's only one

interface HeadCase {
  readonly name: string;
  readonly specs: (config: PolicyConfig) => StoredSpec[];
  readonly outputs: number;
  /** Rows of the hidden states that the head reads. */
  readonly rows: readonly number[];
}

const ALL = Array.from({ length: 26 }, (_, i) => i);
const CASES: readonly HeadCase[] = [
  { name: "reward", specs: (config) => scoreHeadSpecs(config), outputs: 1, rows: LAST },
  { name: "value", specs: (config) => valueHeadSpecs(config), outputs: 1, rows: ALL },
  { name: "classifier", specs: (config) => scoreHeadSpecs(config, 5), outputs: 5, rows: LAST },
];

/** The float64 head: y = hidden[rows] W^T + b, and the gradients of everything from d_y. */
function referenceHead(
  { rows, outputs }: HeadCase,
  { hidden }: Activations,
  width: number,
  weight: Float32Array,
  bias: Float32Array | null,
  d_yOf: (y: Float64Array) => Float64Array,
) {
  const shape = { rows: rows.length, inner: width, out: outputs };
  const read = embed(hidden, rows, width);
  const y = linear(read, weight, bias, shape);
  const { d_x, d_weight, d_bias } = linearBackward(read, weight, bias, d_yOf(y), shape);
  return { y, d_hidden: embedBackward(rows, d_x, hidden.length / width, width), d_weight, d_bias };
}

for (const [family, config] of Object.entries(tinyConfigs)) {
  for (const head of CASES) {
    Deno.test(`${head.name} head on ${family}: outputs and the gradients of every parameter`, async () => {
      const gpu = await testGpu();
      const weights = randomWeights(config, 3);
      const batch = packedBatch(config);
      const specs = head.specs(config);
      const values = new Map(
        specs.map(({ name, shape }, i) => [
          name,
          Float32Array.from(randomValues(shape.reduce((a, b) => a * b, 1), i + 5)),
        ]),
      );
      const [weight, bias = null] = [...values.values()];
      const classes = Uint32Array.of(3, 0);
      const classWeights = Float32Array.of(0.25, 0.75);
      const d_y = randomValues(head.rows.length, 9);

      const policy = toPolicy(weights);
      const activations = forward(policy, batch);
      const want = referenceHead(
        head,
        activations,
        config.width,
        weight,
        bias,
        (y) =>
          head.outputs === 1
            ? d_y
            : referenceCrossEntropy(y, classes, classWeights, head.outputs, 1).d_logits,
      );
      const d_logits = new Float64Array(activations.logits.length);
      const gradients = backward(policy, batch, activations, d_logits, want.d_hidden).parameters;
      gradients.set(specs[0].name, want.d_weight);
      if (bias) gradients.set(specs[1].name, want.d_bias);

      const parameters = loadParameters(gpu, weights, { extra: specs });
      parameters.load(values);
      const last = tensorOf(gpu, "last rows", [2], LAST, "u32");
      const pass = await runPolicy(parameters, batch, (tape, hidden) => {
        if (head.outputs > 1) {
          const logits = classifierHead(tape, parameters, hidden, last);
          const targets = tensorOf(gpu, "classes", [2], classes, "u32");
          crossEntropy(tape, logits, targets, tensorOf(gpu, "class weights", [2], classWeights));
          return [logits];
        }
        const y = head.name === "reward"
          ? rewardHead(tape, parameters, hidden, last)
          : valueHead(tape, parameters, hidden);
        y.grad = tensorOf(gpu, "d_y", [head.rows.length], d_y);
        return [y];
      });
      assertTensors(new Map([["y", pass.outputs[0]]]), new Map([["y", want.y]]), VALUE_TOLERANCE);
      assertTensors(pass.gradients, gradients, GRADIENT_TOLERANCE);
      parameters.destroy();
    });
  }
}

interface Inputs {
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
}

/** A batch of right-padded sequences without targets. */
function sequences(ids: readonly number[][]): TokenBatch {
  const [rows, length] = [ids.length, ids[0].length];
  return {
    rows,
    length,
    ids: Uint32Array.from(ids.flat()),
    targets: new Uint32Array(rows * length),
    weights: new Float32Array(rows * length),
    positions: Uint32Array.from({ length: rows * length }, (_, i) => i % length),
    starts: new Uint32Array(rows * length),
  };
}

sharedTest(
  "the value head of PyTorch's PPO: values of all states",
  ["golden", "ppo"],
  async (folder) => {
    const gpu = await testGpu();
    const { inputs, expected } = await readCase<Inputs, unknown>(folder);
    const { weights, heads } = await loadModel(folder);
    const parameters = loadParameters(gpu, weights, {
      extra: headSpecsOf(heads),
      trainable: false,
    });
    parameters.load(new Map([...heads].map(([name, { data }]) => [name, data])));
    const batch = sequences(inputs.input_ids);
    const { outputs } = await runPolicy(
      parameters,
      batch,
      (tape, hidden) => [valueHead(tape, parameters, hidden)],
    );
    const { length } = batch;
    const { data, shape } = expected.get("values_new")!;
    assertEquals(shape, [batch.rows, length - 1]);
    // The last token is no state; where no action was scored the file holds 0.
    const values = outputs[0].filter((_, i) => i % length < length - 1).map((v, i) => data[i] && v);
    assert(data.filter((v) => v !== 0).length > batch.rows);
    assertTensors(new Map([["values", values]]), new Map([["values", data]]), VALUE_TOLERANCE);
    parameters.destroy();
  },
);

sharedTest(
  "the reward model of PyTorch: scores, loss and gradients",
  ["golden", "reward-model"],
  async (folder) => {
    const gpu = await testGpu();
    const { inputs, scalars, expected } = await readCase<
      { chosen: Inputs; rejected: Inputs },
      { loss: number }
    >(folder);
    const { weights, heads } = await loadModel(folder);
    const parameters = loadParameters(gpu, weights, { extra: headSpecsOf(heads) });
    parameters.load(new Map([...heads].map(([name, { data }]) => [name, data])));
    const ids = [...inputs.chosen.input_ids, ...inputs.rejected.input_ids];
    const masks = [...inputs.chosen.attention_mask, ...inputs.rejected.attention_mask];
    const [rows, length] = [ids.length, ids[0].length];
    const batch = {
      ...packedBatch(weights.config),
      rows,
      length,
      ids: Uint32Array.from(ids.flat()),
      targets: new Uint32Array(rows * length),
      weights: new Float32Array(rows * length),
      positions: Uint32Array.from({ length: rows * length }, (_, i) => i % length),
      starts: new Uint32Array(rows * length),
    };
    const counts = masks.map((mask) => mask.reduce((a, b) => a + b));
    const last = tensorOf(gpu, "last rows", [rows], lastTokenRows(counts, length), "u32");
    const d_scores = persistent(gpu, "d_scores", [rows]);
    const score = () =>
      runPolicy(parameters, batch, (tape, hidden) => {
        const scores = rewardHead(tape, parameters, hidden, last);
        scores.grad = d_scores;
        return [scores];
      });

    // loss = mean over pairs of -log s(chosen - rejected); its gradient is s(rejected - chosen) / pairs, up and down.
    const [scores] = (await score()).outputs;
    const pairs = rows / 2;
    const margins = Array.from({ length: pairs }, (_, i) => scores[i] - scores[pairs + i]);
    const slopes = margins.map((margin) => 1 / (1 + Math.exp(margin)) / pairs);
    const loss = margins.reduce((sum, margin) => sum + Math.log1p(Math.exp(-margin)), 0) / pairs;
    upload(gpu, d_scores, Float32Array.from([...slopes.map((slope) => -slope), ...slopes]));
    const { gradients } = await score();

    const stored = (name: string) => expected.get(name)!.data;
    const want = new Map([["scores", [...stored("chosen_scores"), ...stored("rejected_scores")]]]);
    assertTensors(new Map([["scores", scores]]), want, VALUE_TOLERANCE);
    assert(Math.abs(loss / scalars.loss - 1) < VALUE_TOLERANCE, `${loss} and ${scalars.loss}`);
    const wanted: Map<string, ArrayLike<number>> = await expectedByParameter(
      weights.config,
      expected,
      "grad",
    );
    wanted.set("score.weight", stored("grad.score.weight"));
    assertTensors(gradients, wanted, GRADIENT_TOLERANCE);
    parameters.destroy();
  },
);

Deno.test("heads go through a model file and come back bit for bit", async () => {
  const gpu = await testGpu();
  const config = tinyConfigs.llama;
  const specs = [...scoreHeadSpecs(config, 3), ...valueHeadSpecs(config, "value_head")];
  const first = loadParameters(gpu, randomWeights(config, 1), { extra: specs });
  first.load(
    new Map(specs.map(({ name, shape }, i) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, Float32Array.from(randomValues(count, i + 1))];
    })),
  );
  const heads = await readHeads(first, specs);
  const folder = await Deno.makeTempDir();
  try {
    await saveModel(folder, await first.weights(), { heads });
    const loaded = await loadModel(folder);
    const extra = headSpecsOf(loaded.heads);
    const second = loadParameters(gpu, loaded.weights, { extra });
    second.load(new Map([...loaded.heads].map(([name, { data }]) => [name, data])));
    assertEquals(extra.map(({ name }) => name).sort(), specs.map(({ name }) => name).sort());
    assertEquals(await second.read(), await first.read());
    second.destroy();
  } finally {
    await Deno.remove(folder, { recursive: true });
    first.destroy();
  }
});

Deno.test("with adapters on a frozen policy the heads are trained too", async () => {
  const gpu = await testGpu();
  const config = tinyConfigs.llama;
  const lora = { rank: 2, alpha: 4, dropout: 0, targets: [] };
  const parameters = new Parameters(gpu, config, { lora, extra: valueHeadSpecs(config) });
  assertEquals(parameters.trainableCount, config.width + 1);
  parameters.destroy();
});

Deno.test("an empty or overlong sequence has no last token", () => {
  assertEquals([...lastTokenRows([1, 5, 3], 5)], [0, 9, 12]);
  assertThrows(() => lastTokenRows([2, 0], 5), InputError, "sequence 1 must have 1 to 5 tokens");
  assertThrows(() => lastTokenRows([6], 5), InputError, "sequence 0");
});
