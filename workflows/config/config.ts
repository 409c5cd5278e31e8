/**
 * The training configuration as the programme sees it: every default filled in, every value checked.
 *
 * Keys are the same in YAML, in overrides and here, hence the snake_case. `schema.ts` holds ranges,
 * defaults and what each key does.
 */
import { InputError } from "../../kernels/errors.ts";
import type { MatmulSchedule } from "../../kernels/gpu/device.ts";
import type { DataConfig } from "./data.ts";
import type { ImaginationConfig } from "./imagination_schema.ts";
import type {
  CapacitorConfig,
  CertificateConfig,
  GateConfig,
  PlasticityConfig,
  PreferenceConfig,
  TermWeights,
  WorldModelConfig,
} from "./programme.ts";

export type * from "./data.ts";
export type * from "./programme.ts";

/** A whole run. */
export interface TrainConfig {
  /** Seed of everything random. */
  readonly seed: number;
  /** Run folder; null: a new one under `runs/`. */
  readonly out: string | null;
  /** GPU adapter by part of its name, or "software"; null: the best there is. */
  readonly adapter: string | null;
  /** How matrix products are cut; null: as measured on the adapter, or the default of its class. */
  readonly matmul: MatmulSchedule | null;
  /** How activations and weights are stored. */
  readonly precision: "f32" | "f16";
  /** What is trained. */
  readonly model: ModelConfig;
  /** Low-rank adapters; null: all weights are trained. */
  readonly lora: LoraConfig | null;
  /** The stages of training, in order; names are unique. */
  readonly stages: readonly StageConfig[];
  /** Tests at the end of every stage, or null. */
  readonly evaluate: EvaluateConfig | null;
  /** The maturation gate at the end of every stage after the first training on raw text, or null: stages follow one another. */
  readonly gate: GateConfig | null;
  /** The world model that the value capacitor judges by; null: none, and nothing is worn. */
  readonly world_model: WorldModelConfig | null;
  /** The certificate at the end of a run whose stages were all promoted, or null. */
  readonly certificate: CertificateConfig | null;
  /** Modules whose metrics and environments are registered before the run begins, as paths. */
  readonly extensions: readonly string[];
}

/** What is trained: a trained model (told by its `from`), or a new policy. */
export type ModelConfig = PretrainedConfig | ArchitectureConfig;

/** A trained model to continue from. */
export interface PretrainedConfig {
  /** Hugging Face folder, GGUF, llama2.c file, or `hub:OWNER/NAME`. */
  readonly from: string;
  /** Tokenizer file, when it does not lie beside the model. */
  readonly tokenizer: string | null;
}

/** A new policy. Sizes are counts. */
export interface ArchitectureConfig {
  /** Architecture. */
  readonly family: "llama" | "qwen2" | "gpt2" | "gpt_neox";
  /** Transformer layers. */
  readonly layers: number;
  /** Width of the residual stream, a multiple of `heads`. */
  readonly width: number;
  /** Attention heads. */
  readonly heads: number;
  /** null: as many as heads. */
  readonly kv_heads: number | null;
  /** Inner width of the MLP (of one branch, for SwiGLU). */
  readonly mlp_width: number;
  /** Longest sequence. */
  readonly context: number;
  /** Base of the rotary frequencies; gpt2 has none. */
  readonly rope_theta: number;
  /** Epsilon of the norms. */
  readonly norm_eps: number;
  /** The output head is the embedding matrix. */
  readonly tied_head: boolean;
  /** null: 0.6 / sqrt(width), at least 0.02. */
  readonly init_std: number | null;
  /** null: the nursery's words. */
  readonly tokenizer: string | null;
}

/** Low-rank adapters: W + (alpha / r) B A. */
export interface LoraConfig {
  /** Rank. */
  readonly r: number;
  /** The update is scaled by `alpha / r`. */
  readonly alpha: number;
  /** Dropout rate, in [0, 1). */
  readonly dropout: number;
  /** Names of the linear layers that get an adapter. */
  readonly target_modules: "all-linear" | readonly string[];
}

/** One stage of training. Exactly one of `steps`, `tokens` and `epochs` is there. */
export type StageConfig = LanguageModellingStage | InfantStage;

/** Stages whose objective is INFANT's, Eq. 6. */
export type InfantStage =
  | ValueImprintingStage
  | ApprenticeshipStage
  | CounterfactualStage
  | CapacitorStage;

/** What all kinds of stage have in common. */
export interface StageSettings {
  /** Names checkpoints, metrics and overrides. */
  readonly name: string;
  /** What the stage learns from. */
  readonly data: DataConfig;
  /** Length in optimiser steps. */
  readonly steps?: number;
  /** Length in tokens. */
  readonly tokens?: number;
  /** Length in passes over the data. */
  readonly epochs?: number;
  /** Sequences per forward pass. */
  readonly batch_size: number;
  /** Forward passes per optimiser step. */
  readonly gradient_accumulation: number;
  /** Tokens per sequence. */
  readonly length: number;
  /** Put several short examples into one sequence. */
  readonly packing: boolean;
  /** Loss weight of prompt tokens, in [0, 1]; those of replies weigh 1. */
  readonly prompt_weight: number;
  /** Peak learning rate. */
  readonly learning_rate: number;
  /** Course of the learning rate after the warm-up. */
  readonly schedule: "constant" | "linear" | "cosine";
  /** At most one of this and `warmup_ratio` is there. */
  readonly warmup_steps?: number;
  /** Warm-up as a share of all steps, in [0, 1]. */
  readonly warmup_ratio?: number;
  /** Where the schedule ends, as a share of the peak, in [0, 1]. */
  readonly min_learning_rate_ratio: number;
  /** Update rule. */
  readonly optimizer: "adamw" | "sgd";
  /** Decoupled weight decay. */
  readonly weight_decay: number;
  /** AdamW's decay rates, each in [0, 1). */
  readonly betas: readonly [number, number];
  /** AdamW's epsilon. */
  readonly eps: number;
  /** SGD's momentum, in [0, 1). */
  readonly momentum: number;
  /** null: gradients are not clipped. */
  readonly max_grad_norm: number | null;
  /** Dropout rate, in [0, 1). */
  readonly dropout: number;
  /** Recompute activations in the backward pass. */
  readonly recompute: boolean;
  /** Steps between rows of `metrics.jsonl`. */
  readonly log_every: number;
  /** 0: only at the end of the stage. */
  readonly eval_every: number;
  /** 0: only at the end of the stage. */
  readonly save_every: number;
  /** null: all checkpoints are kept. */
  readonly save_total_limit: number | null;
  /** Diagonal Fisher estimate at the end of the stage, or null. */
  readonly fisher: FisherConfig | null;
}

/** Next-token cross-entropy. */
export interface LanguageModellingStage extends StageSettings {
  /** Tells the kinds of stage apart. */
  readonly kind: "language_modelling";
}

/** What stages with INFANT's objective have in common. */
export interface InfantSettings extends StageSettings {
  /** Weights of the objective's terms. */
  readonly weights: TermWeights;
  /**
   * Within value imprinting (Eq. 7), the weight of the KL to the policy at the stage's beginning. Both parts are means over the tokens of
   * replies, in nats; with a `prompt_weight` above 0 those of prompts join both with that weight, which Eq. 7 has not.
   */
  readonly rho: number;
  /** Prompts the KL is averaged over; benign: only those that the demonstration does not refuse. */
  readonly kl_on: "all" | "benign";
  /** In the nursery, the environments up to this stage are active (Eq. 44). */
  readonly environment: number;
  /** Share of the newest environment among the active ones, in [0, 1]; the earlier ones share the rest equally. */
  readonly newest_share: number;
  /** In the nursery, share of harmful requests among those for recipes, in [0, 1]. */
  readonly harmful_share: number;
  /** In the nursery: share of demonstrations that repeat facts, instructions and moral questions, in [0, 1]. */
  readonly replay_share: number;
  /** Preference optimisation, where it has a weight. */
  readonly preference: PreferenceConfig;
  /** What is held, where plasticity has a weight. */
  readonly plasticity: PlasticityConfig;
  /** The adversary, where counterfactual imagination has a weight. */
  readonly imagination: ImaginationConfig;
  /** What is sampled, where the value capacitor has a weight. */
  readonly capacitor: CapacitorConfig;
}

/** Value Imprinting: demonstrations. */
export interface ValueImprintingStage extends InfantSettings {
  /** Tells the kinds of stage apart. */
  readonly kind: "value_imprinting";
}

/** Apprenticeship Reinforcement: preference pairs, with demonstrations as an anchor. */
export interface ApprenticeshipStage extends InfantSettings {
  /** Tells the kinds of stage apart. */
  readonly kind: "apprenticeship";
}

/** Counterfactual Imagination: perturbed contexts. */
export interface CounterfactualStage extends InfantSettings {
  /** Tells the kinds of stage apart. */
  readonly kind: "counterfactual_imagination";
}

/** Value Capacitor: the policy's own replies, judged by a world model. */
export interface CapacitorStage extends InfantSettings {
  /** Tells the kinds of stage apart. */
  readonly kind: "value_capacitor";
}

/** How much each parameter matters, known at the end of a stage. */
export interface FisherConfig {
  /**
   * Fisher diagonal of gradients at the data's own labels, or at labels drawn from the policy; or the path integral of synaptic
   * intelligence, gathered while training.
   */
  readonly kind: "empirical" | "sampled" | "synaptic";
  /** Sequences a Fisher estimate averages over. */
  readonly samples: number;
  /** Added to squared moves by synaptic intelligence. */
  readonly damping: number;
}

/** Tests at the end of every stage. */
export interface EvaluateConfig {
  /** Test dialogues per class and attack family. */
  readonly dialogues: number;
  /** 0: greedy. */
  readonly temperature: number;
  /** Longest reply in tokens. */
  readonly max_new_tokens: number;
}

/** Weights of a stage's terms; next-token prediction is value imprinting without a prior. */
export function stageWeights(stage: StageConfig): TermWeights {
  if (stage.kind !== "language_modelling") return stage.weights;
  return { vi: 1, po: 0, ci: 0, vc: 0, pl: 0 };
}

/** Sequences of a forward pass: `batch_size` for each term that learns from data. */
export function stageRows(stage: StageConfig): number {
  const { vi, po, ci, vc } = stageWeights(stage);
  return stage.batch_size * [vi, po, ci, vc].filter((weight) => weight > 0).length;
}

/**
 * Optimiser steps of a stage.
 * @param epochTokens Tokens in one pass over the stage's data, or null where it has no known end.
 * @throws {InputError} when the length is in `epochs` and an epoch has no length.
 */
export function stageSteps(stage: StageConfig, epochTokens: number | null): number {
  const each = stage.gradient_accumulation * stage.length;
  if (stage.epochs !== undefined && epochTokens === null) {
    throw new InputError(
      `stage ${stage.name}: epochs needs data with an end, which the nursery and streams have not; give steps or tokens`,
    );
  }
  const { steps, tokens, epochs } = stage;
  // An epoch is one of a single term, a budget of tokens is for all of them.
  const needed = tokens !== undefined
    ? tokens / (stageRows(stage) * each)
    : (epochs ?? 0) * (epochTokens ?? 0) / (stage.batch_size * each);
  return steps ?? Math.max(1, Math.ceil(needed));
}

/** Steps of linear warm-up in a stage of `steps` steps. */
export function warmupSteps(stage: StageConfig, steps: number): number {
  return stage.warmup_steps ?? Math.ceil((stage.warmup_ratio ?? 0) * steps);
}
