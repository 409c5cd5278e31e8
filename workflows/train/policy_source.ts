/**
 * The policy a run starts from: a trained model, or fresh weights with the nursery's words or a given tokenizer.
 */
import { InputError } from "../../kernels/errors.ts";
import { checkConfig, type PolicyConfig, type PolicyWeights } from "../../kernels/policy/config.ts";
import { initialWeights } from "../../kernels/policy/init.ts";
import type { ArchitectureConfig, TrainConfig } from "../config/config.ts";
import { HuggingFaceTokenizer } from "../data/tokenizers/hugging_face.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { localModel } from "../model_files/hub.ts";
import { loadModel } from "../model_files/load_model.ts";
import { loadTokenizer } from "../model_files/load_tokenizer.ts";
import { tokenizerConfig, tokenizerJson } from "../nursery/tokenizer_files.ts";

/** A policy and how it reads text. */
export interface StartingPolicy {
  /** The policy. */
  readonly weights: PolicyWeights;
  /** Null: a bare weights file. */
  readonly tokenizer: Tokenizer | null;
}

/** The nursery's vocabulary as a tokenizer. */
export function nurseryTokenizer(): Promise<Tokenizer> {
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value, null, 1));
  return HuggingFaceTokenizer.create(
    new Map([
      ["tokenizer.json", json(tokenizerJson())],
      ["tokenizer_config.json", json(tokenizerConfig())],
    ]),
  );
}

/**
 * The configuration's starting policy.
 * @param check Told a new policy's architecture before its weights are made.
 * @throws {InputError} when files are missing or damaged; whatever `check` throws.
 */
export async function startingPolicy(
  config: TrainConfig,
  check: (policy: PolicyConfig) => void = () => {},
): Promise<StartingPolicy> {
  const { model } = config;
  if (!("from" in model)) return await fresh(model, config.seed, check);
  const options = { tokenizer: model.tokenizer ?? undefined };
  const { weights, tokenizer } = await loadModel(model.from, options);
  check(weights.config);
  return { weights, tokenizer };
}

async function fresh(
  model: ArchitectureConfig,
  seed: number,
  check: (policy: PolicyConfig) => void,
): Promise<StartingPolicy> {
  const tokenizer = model.tokenizer
    ? await loadTokenizer(await localModel(model.tokenizer))
    : await nurseryTokenizer();
  const config = policyConfig(model, tokenizer);
  check(config);
  return { weights: initialWeights(config, seed, model.init_std ?? undefined), tokenizer };
}

/** The weights of a model folder. */
export async function loadWeights(folder: string): Promise<PolicyWeights> {
  return (await loadModel(folder)).weights;
}

/** What must not change between a checkpoint and its continuation, and what the configuration calls it. */
const SHAPE = {
  family: "family",
  vocabSize: "vocabulary",
  layers: "layers",
  width: "width",
  heads: "heads",
  kvHeads: "kv_heads",
  headDim: "head size",
  mlpWidth: "mlp_width",
  context: "context",
  tiedHead: "tied_head",
} as const;

/**
 * Checks that a checkpoint is of the architecture that a run is configured for.
 * @throws {InputError} naming the first difference.
 */
export function checkSameShape(
  { folder, weights }: { readonly folder: string; readonly weights: PolicyWeights },
  wanted: PolicyConfig,
): void {
  for (const [field, name] of Object.entries(SHAPE) as [keyof typeof SHAPE, string][]) {
    if (weights.config[field] === wanted[field]) continue;
    throw new InputError(
      `${folder}: this policy has ${name} ${weights.config[field]}, the configuration ${
        wanted[field]
      }: ` +
        `a run goes on with the model it began with`,
    );
  }
}

/** A new policy's architecture, with what its family fixes filled in. */
export function policyConfig(model: ArchitectureConfig, tokenizer: Tokenizer): PolicyConfig {
  const { family, layers, width, heads } = model;
  const headDim = width / heads;
  const gpt2 = family === "gpt2";
  const neox = family === "gpt_neox";
  const layerNorm = gpt2 || neox;
  // GPT-NeoX rotates the first quarter of each head.
  const rotated = neox ? Math.max(2, 2 * Math.round(headDim / 8)) : headDim;
  return checkConfig({
    family,
    vocabSize: tokenizer.vocabSize,
    context: model.context,
    layers,
    width,
    heads,
    kvHeads: model.kv_heads ?? heads,
    headDim,
    mlpWidth: model.mlp_width,
    norm: layerNorm ? "layernorm" : "rmsnorm",
    normEps: model.norm_eps,
    activation: gpt2 ? "gelu_tanh" : neox ? "gelu_erf" : "swiglu",
    positions: gpt2 ? "learned" : "rope",
    ropeTheta: gpt2 ? 0 : model.rope_theta,
    ropeDims: gpt2 ? 0 : rotated,
    parallelResidual: neox,
    qkvBias: layerNorm || family === "qwen2",
    outBias: layerNorm,
    mlpBias: layerNorm,
    tiedHead: model.tied_head,
    bosTokenId: tokenizer.bosId,
    eosTokenId: tokenizer.eosId,
    padTokenId: tokenizer.padId,
  });
}
