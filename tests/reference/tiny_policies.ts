/**
 * Small random policies of every family, with awkward sizes: odd vocabularies, heads of 5, 6 and 8, one key/value head.
 */
import {
  type Family,
  parameterSpecs,
  type PolicyConfig,
  type PolicyWeights,
} from "../../kernels/policy/config.ts";
import { randomNormals } from "./random.ts";

const gpt2: PolicyConfig = {
  family: "gpt2",
  vocabSize: 37,
  context: 24,
  layers: 2,
  width: 20,
  heads: 4,
  kvHeads: 4,
  headDim: 5,
  mlpWidth: 80,
  norm: "layernorm",
  normEps: 1e-5,
  activation: "gelu_tanh",
  positions: "learned",
  ropeTheta: 0,
  ropeDims: 0,
  parallelResidual: false,
  qkvBias: true,
  outBias: true,
  mlpBias: true,
  tiedHead: true,
  bosTokenId: 1,
  eosTokenId: 2,
  padTokenId: null,
};

const llama: PolicyConfig = {
  ...gpt2,
  family: "llama",
  vocabSize: 41,
  context: 48,
  width: 24,
  heads: 3,
  kvHeads: 1,
  headDim: 8,
  mlpWidth: 44,
  norm: "rmsnorm",
  activation: "swiglu",
  positions: "rope",
  ropeTheta: 10000,
  ropeDims: 8,
  qkvBias: false,
  outBias: false,
  mlpBias: false,
  tiedHead: false,
  padTokenId: 0,
};

const qwen2: PolicyConfig = {
  ...llama,
  family: "qwen2",
  vocabSize: 43,
  heads: 4,
  kvHeads: 2,
  headDim: 6,
  normEps: 1e-6,
  ropeTheta: 1e6,
  ropeDims: 6,
  qkvBias: true,
  tiedHead: true,
};

const gptNeox: PolicyConfig = {
  ...gpt2,
  family: "gpt_neox",
  context: 48,
  width: 24,
  headDim: 6,
  mlpWidth: 60,
  activation: "gelu_erf",
  positions: "rope",
  ropeTheta: 10000,
  ropeDims: 4,
  parallelResidual: true,
  tiedHead: false,
};

/** One configuration per family. */
export const tinyConfigs: Readonly<Record<Family, PolicyConfig>> = {
  gpt2,
  llama,
  qwen2,
  gpt_neox: gptNeox,
};

/** Weights at which every part of the network matters: matrices keep the variance, norms lie around 1. */
export function randomWeights(config: PolicyConfig, seed: number): PolicyWeights {
  const specs = parameterSpecs(config).map(({ name, shape }, stream) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const spread = shape.length === 1 ? 0.1 : name === "embed.weight" ? 0.5 : shape[1] ** -0.5;
    const normals = randomNormals(count, seed, stream, spread);
    const centre = name.includes("norm") && name.endsWith("weight") ? 1 : 0;
    return [name, Float32Array.from(normals, (x) => x + centre)] as const;
  });
  return { config, tensors: new Map(specs) };
}
