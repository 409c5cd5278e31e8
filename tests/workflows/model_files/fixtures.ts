/**
 * Small policies made here, so that the tests need no file from elsewhere.
 */
import {
  parameterSpecs,
  type PolicyConfig,
  type PolicyWeights,
} from "../../../kernels/policy/config.ts";

const common = {
  vocabSize: 23,
  context: 16,
  layers: 2,
  width: 12,
  heads: 3,
  kvHeads: 3,
  headDim: 4,
  mlpWidth: 20,
  normEps: 1e-5,
  tiedHead: false,
  bosTokenId: 1,
  eosTokenId: 2,
  padTokenId: null,
} as const;

const layernorm = { norm: "layernorm", qkvBias: true, outBias: true, mlpBias: true } as const;

const rotary = { positions: "rope", ropeTheta: 10000 } as const;

/** One configuration per family, plus the corners of each. */
export const CONFIGS: Readonly<Record<string, PolicyConfig>> = {
  gpt2: {
    ...common,
    ...layernorm,
    family: "gpt2",
    activation: "gelu_tanh",
    positions: "learned",
    ropeTheta: 0,
    ropeDims: 0,
    parallelResidual: false,
    tiedHead: true,
  },
  "gpt2 untied, exact GELU": {
    ...common,
    ...layernorm,
    family: "gpt2",
    activation: "gelu_erf",
    positions: "learned",
    ropeTheta: 0,
    ropeDims: 0,
    parallelResidual: false,
  },
  "llama with grouped queries and wide heads": {
    ...common,
    ...rotary,
    family: "llama",
    heads: 4,
    kvHeads: 2,
    headDim: 6,
    norm: "rmsnorm",
    activation: "swiglu",
    ropeDims: 6,
    parallelResidual: false,
    qkvBias: false,
    outBias: false,
    mlpBias: false,
  },
  "llama with all biases": {
    ...common,
    ...rotary,
    family: "llama",
    norm: "rmsnorm",
    activation: "swiglu",
    ropeDims: 4,
    parallelResidual: false,
    qkvBias: true,
    outBias: true,
    mlpBias: true,
    padTokenId: 0,
  },
  qwen2: {
    ...common,
    ...rotary,
    family: "qwen2",
    kvHeads: 1,
    norm: "rmsnorm",
    normEps: 1e-6,
    ropeTheta: 1e6,
    activation: "swiglu",
    ropeDims: 4,
    parallelResidual: false,
    qkvBias: true,
    outBias: false,
    mlpBias: false,
    tiedHead: true,
  },
  gpt_neox: {
    ...common,
    ...layernorm,
    ...rotary,
    family: "gpt_neox",
    activation: "gelu_erf",
    ropeDims: 2,
    parallelResidual: true,
  },
  "gpt_neox, sequential, tanh GELU": {
    ...common,
    ...layernorm,
    ...rotary,
    family: "gpt_neox",
    activation: "gelu_tanh",
    ropeDims: 4,
    parallelResidual: false,
  },
};

/** Reproducible numbers in (-0.5, 0.5) (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296 - 0.5;
  };
}

/** Random weights of a configuration. */
export function randomWeights(config: PolicyConfig, seed = 1): PolicyWeights {
  const next = numbers(seed);
  const tensors = new Map<string, Float32Array>();
  for (const { name, shape } of parameterSpecs(config)) {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    tensors.set(name, values.map(() => next()));
  }
  return { config, tensors };
}

/** Runs a test body with a folder that is gone afterwards. */
export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "infant-test-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
