/**
 * TensorFlow.js with its WebGPU backend as a contestant, with the library's own optimiser, softmax and cross-entropy.
 *
 * It computes eagerly; the gradient of its `gather` works here, so that embeddings are look-ups as in the toolkit.
 */
import { parameterSpecs, type PolicyConfig } from "../../../kernels/policy/config.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import {
  ADAM,
  type GptStepTask,
  INITIAL,
  type Library,
  matmulInputs,
  type MatmulTask,
  sampledEntries,
  stepTokens,
  storedShapes,
  type Task,
  type Workload,
} from "../contest.ts";
import { loadPackages, peerVersion } from "./packages.ts";

/** As much of a tfjs tensor as is used here. */
interface TfTensor {
  add(other: TfTensor | number): TfTensor;
  sub(other: TfTensor): TfTensor;
  mul(other: TfTensor | number): TfTensor;
  square(): TfTensor;
  rsqrt(): TfTensor;
  tanh(): TfTensor;
  mean(axis: number, keepDims: boolean): TfTensor;
  reshape(shape: readonly number[]): TfTensor;
  transpose(permutation: readonly number[]): TfTensor;
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Tf {
  setBackend(name: string): Promise<boolean>;
  backend(): { readonly device: GPUDevice };
  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype?: string): TfTensor;
  variable(initial: TfTensor): TfTensor;
  matMul(a: TfTensor, b: TfTensor, transposeA?: boolean, transposeB?: boolean): TfTensor;
  gather(table: TfTensor, indices: TfTensor): TfTensor;
  split(x: TfTensor, parts: number, axis: number): TfTensor[];
  softmax(x: TfTensor): TfTensor;
  oneHot(ids: TfTensor, classes: number): TfTensor;
  tidy<T>(compute: () => T): T;
  dispose(tensors: unknown): void;
  readonly losses: { softmaxCrossEntropy(targets: TfTensor, logits: TfTensor): TfTensor };
  readonly train: {
    adam(learningRate: number, beta1: number, beta2: number, eps: number): {
      minimize(loss: () => TfTensor, returnCost: true, variables: readonly TfTensor[]): TfTensor;
      dispose(): void;
    };
  };
}

/** Loads TensorFlow.js and makes WebGPU its backend. */
export async function tfjs(): Promise<Library> {
  const [tf] = await loadPackages("tfjs") as [Tf, unknown];
  if (!await tf.setBackend("webgpu")) throw new Error("tfjs: its WebGPU backend does not start");
  return {
    name: "tfjs",
    version: peerVersion("tfjs"),
    adapter: tf.backend().device.adapterInfo.description,
    native: false,
    open: (task) => Promise.resolve(open(tf, task)),
  };
}

function open(tf: Tf, task: Task): Workload {
  if (task.kind === "wait") {
    const x = tf.tensor(new Float32Array(1024), [1024]);
    return openMap(tf, [], () => x.add(1), [x]);
  }
  if (task.kind === "matmul") return openMatmul(tf, task);
  if (task.kind === "gpt step") return openStep(tf, task);
  throw new Error(`tfjs is not asked for ${task.kind}`);
}

function openMatmul(tf: Tf, task: MatmulTask): Workload {
  const shapes = storedShapes(task);
  const inputs = matmulInputs(task);
  const a = tf.tensor(inputs.a, shapes.a);
  const b = tf.tensor(inputs.b, shapes.b);
  const product = () => tf.matMul(a, b, task.form === "tn", task.form === "nt");
  return openMap(tf, sampledEntries(task), product, [a, b]);
}

/** A task whose runs do not depend on each other. Work starts at once and in order: the last result is awaited. */
function openMap(
  tf: Tf,
  entries: readonly number[],
  compute: () => TfTensor,
  held: readonly TfTensor[],
): Workload {
  return {
    async check() {
      const result = compute();
      const values = await result.data();
      result.dispose();
      return entries.map((at) => values[at]);
    },
    async run(count) {
      const results = Array.from({ length: count }, compute);
      await results.at(-1)!.data();
      tf.dispose(results);
    },
    close: () => tf.dispose(held),
  };
}

function openStep(tf: Tf, task: GptStepTask): Workload {
  const { config } = task;
  const weights = initialWeights(config, INITIAL.seed, INITIAL.std).tensors;
  const theta = new Map(
    parameterSpecs(config).map(({ name, shape }) => {
      const initial = tf.tensor(weights.get(name)!, shape);
      return [name, tf.variable(initial)];
    }),
  );
  const variables = [...theta.values()];
  const loss = lossFunction(tf, task, theta);
  const optimizer = tf.train.adam(ADAM.learningRate, ADAM.beta1, ADAM.beta2, ADAM.eps);
  const advance = () => tf.tidy(() => optimizer.minimize(loss, true, variables));
  const check = async (count: number): Promise<number[]> => {
    const losses = Array.from({ length: count }, advance);
    const values = await Promise.all(losses.map((loss) => loss.data()));
    await variables.at(-1)!.data();
    tf.dispose(losses);
    return values.map(([value]) => value);
  };
  return {
    check,
    run: async (count) => void await check(count),
    close() {
      optimizer.dispose();
      tf.dispose(variables);
    },
  };
}

/** The mean cross-entropy of a pre-LayerNorm GPT-2 with a tied head over the task's batch. */
function lossFunction(
  tf: Tf,
  task: GptStepTask,
  theta: ReadonlyMap<string, TfTensor>,
): () => TfTensor {
  const { config, rows, length } = task;
  const tokens = stepTokens(task);
  const count = rows * length;
  const ids = tf.tensor(Int32Array.from(tokens.ids), [count], "int32");
  const targets = tf.oneHot(
    tf.tensor(Int32Array.from(tokens.targets), [count], "int32"),
    config.vocabSize,
  );
  const future = Float32Array.from(
    { length: length * length },
    (_, i) => i % length > Math.floor(i / length) ? -1e9 : 0,
  );
  const mask = tf.tensor(future, [length, length]);
  return () =>
    tf.losses.softmaxCrossEntropy(targets, gpt(tf, config, theta, ids, mask, rows, length));
}

function gpt(
  tf: Tf,
  { layers, width, heads, headDim, normEps }: PolicyConfig,
  theta: ReadonlyMap<string, TfTensor>,
  ids: TfTensor,
  mask: TfTensor,
  rows: number,
  length: number,
): TfTensor {
  const get = (name: string) => theta.get(name)!;
  const linear = (x: TfTensor, name: string) =>
    tf.matMul(x, get(`${name}.weight`), false, true).add(get(`${name}.bias`));
  const norm = (x: TfTensor, name: string) => {
    const centred = x.sub(x.mean(1, true));
    const scale = centred.square().mean(1, true).add(normEps).rsqrt();
    return centred.mul(scale).mul(get(`${name}.weight`)).add(get(`${name}.bias`));
  };
  const attention = (x: TfTensor, name: string) => {
    const [q, k, v] = tf.split(linear(x, `${name}.qkv`), 3, 1).map((part) =>
      part.reshape([rows, length, heads, headDim]).transpose([0, 2, 1, 3])
    );
    const scores = tf.matMul(q, k, false, true).mul(1 / Math.sqrt(headDim)).add(mask);
    const mixed = tf.matMul(tf.softmax(scores), v).transpose([0, 2, 1, 3]);
    return linear(mixed.reshape([rows * length, width]), `${name}.out`);
  };
  let x = tf.gather(get("embed.weight"), ids).reshape([rows, length, width])
    .add(get("positions.weight")).reshape([rows * length, width]);
  for (let i = 0; i < layers; i++) {
    const layer = `layers.${i}`;
    x = x.add(attention(norm(x, `${layer}.norm1`), `${layer}.attention`));
    const inner = linear(norm(x, `${layer}.norm2`), `${layer}.mlp.up`);
    x = x.add(linear(gelu(inner), `${layer}.mlp.down`));
  }
  return tf.matMul(norm(x, "final_norm"), get("embed.weight"), false, true);
}

/** x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2. */
function gelu(x: TfTensor): TfTensor {
  const cubic = x.square().mul(0.044715).add(1).mul(x).mul(Math.sqrt(2 / Math.PI));
  return cubic.tanh().add(1).mul(x).mul(0.5);
}
