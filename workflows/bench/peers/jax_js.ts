/**
 * jax-js as a contestant: everything under `jit`, which fuses kernels, and with the library's own attention, GELU and
 * one-hot functions.
 *
 * Its arrays are counted references: a function consumes its arguments, `x.ref` keeps x. It is lazy and cancels work
 * whose result is dropped, so every result is awaited before it is disposed. The gradient of `take` does not compile in
 * wgpu (an atomic pointer is passed to a function), hence an embedding by one-hot matrix product.
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

/** As much of a jax-js array as is used here. */
interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: readonly number[];
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  neg(): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

type Tree = Record<string, JaxArray>;
type Step = (...args: (Tree | JaxArray)[]) => [JaxArray, Tree, Tree, Tree];

interface Jax {
  init(device: string): Promise<unknown>;
  defaultDevice(device: string): unknown;
  getWebGPUDevice(): GPUDevice;
  blockUntilReady<T>(tree: T): Promise<T>;
  jit<F>(f: F): F;
  valueAndGrad(f: (...args: never[]) => JaxArray): (...args: unknown[]) => [JaxArray, Tree];
  readonly numpy: {
    readonly int32: unknown;
    array(values: Float32Array | Int32Array, options?: { dtype: unknown }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    matrixTranspose(a: JaxArray): JaxArray;
    split(a: JaxArray, parts: number, axis: number): JaxArray[];
    sqrt(a: JaxArray): JaxArray;
    sum(a: JaxArray): JaxArray;
  };
  readonly nn: {
    oneHot(ids: JaxArray, classes: number): JaxArray;
    standardize(x: JaxArray, axis: number, options: { epsilon: number }): JaxArray;
    gelu(x: JaxArray, options: { approximate: boolean }): JaxArray;
    logSoftmax(x: JaxArray, axis: number): JaxArray;
    dotProductAttention(
      q: JaxArray,
      k: JaxArray,
      v: JaxArray,
      options: { isCausal: boolean },
    ): JaxArray;
  };
  readonly tree: { dispose(tree: unknown): void };
}

/** Loads jax-js and opens its WebGPU device. */
export async function jaxJs(): Promise<Library> {
  const [jax] = await loadPackages("jax-js") as [Jax];
  await jax.init("webgpu");
  jax.defaultDevice("webgpu");
  return {
    name: "jax-js",
    version: peerVersion("jax-js"),
    adapter: jax.getWebGPUDevice().adapterInfo.description,
    native: false,
    open: (task) => open(jax, task),
  };
}

async function open(jax: Jax, task: Task): Promise<Workload> {
  if (task.kind === "wait") {
    const x = jax.numpy.array(new Float32Array(1024));
    return await openMap(jax, [], () => x.ref.add(1), [x]);
  }
  if (task.kind === "matmul") return await openMatmul(jax, task);
  if (task.kind === "gpt step") return openStep(jax, task);
  throw new Error(`jax-js is not asked for ${task.kind}`);
}

function openMatmul(jax: Jax, task: MatmulTask): Promise<Workload> {
  const { numpy: np } = jax;
  const shapes = storedShapes(task);
  const inputs = matmulInputs(task);
  const a = np.array(inputs.a).reshape(shapes.a);
  const b = np.array(inputs.b).reshape(shapes.b);
  const product = jax.jit((a: JaxArray, b: JaxArray) =>
    np.matmul(
      task.form === "tn" ? np.matrixTranspose(a) : a,
      task.form === "nt" ? np.matrixTranspose(b) : b,
    )
  );
  return openMap(jax, sampledEntries(task), () => product(a.ref, b.ref), [a, b]);
}

/** A task whose runs do not depend on each other. */
async function openMap(
  jax: Jax,
  entries: readonly number[],
  compute: () => JaxArray,
  held: readonly JaxArray[] = [],
): Promise<Workload> {
  await jax.blockUntilReady(held);
  return {
    async check() {
      const values = await compute().data();
      return entries.map((at) => values[at]);
    },
    async run(count) {
      const results = Array.from({ length: count }, compute);
      await jax.blockUntilReady(results);
      jax.tree.dispose(results);
    },
    close: () => jax.tree.dispose(held),
  };
}

function openStep(jax: Jax, task: GptStepTask): Workload {
  const { numpy: np, nn } = jax;
  const { config } = task;
  const tokens = stepTokens(task);
  const oneHot = (ids: Uint32Array) =>
    nn.oneHot(np.array(Int32Array.from(ids), { dtype: np.int32 }), config.vocabSize);
  const ids = oneHot(tokens.ids);
  const targets = oneHot(tokens.targets);
  const weights = initialWeights(config, INITIAL.seed, INITIAL.std).tensors;
  const tree = (value: (name: string, size: number) => Float32Array): Tree =>
    Object.fromEntries(
      parameterSpecs(config).map(({ name, shape }) => {
        const size = shape.reduce((a, b) => a * b, 1);
        return [name, np.array(value(name, size)).reshape(shape)];
      }),
    );
  let state = [
    tree((name) => weights.get(name)!),
    tree((_, size) => new Float32Array(size)),
    tree((_, size) => new Float32Array(size)),
  ];
  const step: Step = jax.jit(trainingStep(jax, task));
  let t = 0;
  const advance = (): JaxArray => {
    t++;
    const corrections = Float32Array.of(1 - ADAM.beta1 ** t, 1 - ADAM.beta2 ** t);
    const [loss, ...next] = step(...state, np.array(corrections), ids.ref, targets.ref);
    state = next;
    return loss;
  };
  // The state holds every update, and each depends on its gradient: nothing can be left out.
  const check = async (count: number): Promise<number[]> => {
    const losses = Array.from({ length: count }, advance);
    await jax.blockUntilReady([losses, state]);
    return (await Promise.all(losses.map((loss) => loss.data()))).map(([value]) => value);
  };
  return {
    check,
    run: async (count) => void await check(count),
    close: () => jax.tree.dispose([state, ids, targets]),
  };
}

/** (theta, m, v, bias corrections, one-hot ids, one-hot targets) to (loss, theta, m, v). */
function trainingStep(jax: Jax, { config, rows, length }: GptStepTask): Step {
  const { numpy: np } = jax;
  const { learningRate, beta1, beta2, eps } = ADAM;
  const lossAndGrad = jax.valueAndGrad((theta: Tree, ids: JaxArray, targets: JaxArray) =>
    crossEntropy(jax, gpt(jax, config, theta, ids, rows, length), targets, rows * length)
  );
  const step = (
    theta: Tree,
    m: Tree,
    v: Tree,
    corrections: JaxArray,
    ids: JaxArray,
    targets: JaxArray,
  ): [JaxArray, Tree, Tree, Tree] => {
    const refs = Object.fromEntries(Object.entries(theta).map(([name, x]) => [name, x.ref]));
    const [loss, grads] = lossAndGrad(refs, ids, targets);
    const [c1, c2] = np.split(corrections, 2, 0);
    const next: [Tree, Tree, Tree] = [{}, {}, {}];
    for (const name of Object.keys(theta)) {
      const g = grads[name];
      const mean = m[name].mul(beta1).add(g.ref.mul(1 - beta1));
      const square = v[name].mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
      const update = mean.ref.div(c1.ref).div(np.sqrt(square.ref.div(c2.ref)).add(eps));
      next[0][name] = theta[name].sub(update.mul(learningRate));
      next[1][name] = mean;
      next[2][name] = square;
    }
    jax.tree.dispose([c1, c2]);
    return [loss, ...next];
  };
  return step as unknown as Step;
}

/** Logits [rows * length, V] of a pre-LayerNorm GPT-2 with a tied head. Consumes its arguments. */
function gpt(
  { numpy: np, nn, tree }: Jax,
  { layers, width, heads, headDim, normEps }: PolicyConfig,
  theta: Tree,
  ids: JaxArray,
  rows: number,
  length: number,
): JaxArray {
  const get = (name: string) => theta[name].ref;
  const linear = (x: JaxArray, name: string) =>
    np.matmul(x, np.matrixTranspose(get(`${name}.weight`))).add(get(`${name}.bias`));
  const norm = (x: JaxArray, name: string) =>
    nn.standardize(x, -1, { epsilon: normEps }).mul(get(`${name}.weight`)).add(get(`${name}.bias`));
  let x = np.matmul(ids, get("embed.weight")).reshape([rows, length, width])
    .add(get("positions.weight")).reshape([rows * length, width]);
  for (let i = 0; i < layers; i++) {
    const layer = `layers.${i}`;
    const qkv = linear(norm(x.ref, `${layer}.norm1`), `${layer}.attention.qkv`);
    const [q, k, v] = np.split(qkv, 3, 1).map((part) =>
      part.reshape([rows, length, heads, headDim])
    );
    const mixed = nn.dotProductAttention(q, k, v, { isCausal: true });
    x = x.add(linear(mixed.reshape([rows * length, width]), `${layer}.attention.out`));
    const inner = linear(norm(x.ref, `${layer}.norm2`), `${layer}.mlp.up`);
    x = x.add(linear(nn.gelu(inner, { approximate: true }), `${layer}.mlp.down`));
  }
  const logits = np.matmul(norm(x, "final_norm"), np.matrixTranspose(get("embed.weight")));
  tree.dispose(theta);
  return logits;
}

function crossEntropy(
  { numpy: np, nn }: Jax,
  logits: JaxArray,
  targets: JaxArray,
  count: number,
): JaxArray {
  return np.sum(nn.logSoftmax(logits, -1).mul(targets)).neg().div(count);
}
