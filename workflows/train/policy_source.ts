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
  readonly weights: PolicyWeights;
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
 * The configuration's starting policy, or the one in `checkpoint`.
 * @throws {InputError} when files are missing or the nursery is to be learned with another vocabulary.
 */
export async function startingPolicy(
  config: TrainConfig,
  checkpoint: string | null,
): Promise<StartingPolicy> {
  const { model } = config;
  const start = checkpoint !== null
    ? await fromFile(checkpoint, null)
    : "from" in model
    ? await fromFile(model.from, model.tokenizer)
    : await fresh(model, config.seed);
  const nursery = (await nurseryTokenizer()).vocabSize;
  const { vocabSize, context } = start.weights.config;
  for (const stage of config.stages) {
    if (stage.data === "nursery" && vocabSize !== nursery) {
      throw new InputError(
        `stage ${stage.name}: the nursery has ${nursery} words, this policy's vocabulary ${vocabSize}: ` +
          `start from a policy raised in the nursery, or give the stage other data`,
      );
    }
    if (stage.length > context) {
      throw new InputError(
        `stage ${stage.name}: length must be at most the model's context (${context}), found ${stage.length}`,
      );
    }
  }
  return start;
}

async function fromFile(path: string, tokenizerPath: string | null): Promise<StartingPolicy> {
  const { weights, tokenizer } = await loadModel(path, { tokenizer: tokenizerPath ?? undefined });
  return { weights, tokenizer };
}

async function fresh(model: ArchitectureConfig, seed: number): Promise<StartingPolicy> {
  const tokenizer = model.tokenizer
    ? await loadTokenizer(await localModel(model.tokenizer))
    : await nurseryTokenizer();
  const config = policyConfig(model, tokenizer);
  return { weights: initialWeights(config, seed, model.init_std ?? undefined), tokenizer };
}

/** The weights of a model folder. */
export async function loadWeights(folder: string): Promise<PolicyWeights> {
  return (await loadModel(folder)).weights;
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
