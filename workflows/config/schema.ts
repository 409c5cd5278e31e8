/**
 * The schema of the training configuration: every key's range, default and one line on what it does.
 *
 * Other trainers' names for the same things are in `aliases.ts`. The JSON Schema made from this file
 * (`deno task schema`) lets editors complete and check configuration files.
 */
import { z } from "zod";
import { MATMUL_SCHEDULES } from "../../kernels/gpu/device.ts";
import { type StageConfig, stageWeights, type TermWeights, type TrainConfig } from "./config.ts";
import { capacitorSchema, certificateSchema, worldModelSchema } from "./capacitor_schema.ts";
import { dataSchema } from "./data_schema.ts";
import { gateSchema } from "./gate_schema.ts";
import { imaginationSchema } from "./imagination_schema.ts";
import { plasticitySchema, preferenceSchema, weightsSchema } from "./objective_schema.ts";
import { REPLAY_SHARE } from "../nursery/care.ts";

/** A whole number of at least `min`. */
const whole = (min: number): z.ZodInt => z.int().min(min);
/** A number in [0, 1]. */
const fraction = (): z.ZodNumber => z.number().min(0).max(1);
/** A number in [0, 1). */
const below1 = (): z.ZodNumber => z.number().min(0).lt(1);

const fisherSchema = z.strictObject({
  kind: z.enum(["empirical", "sampled", "synaptic"]).default("empirical").describe(
    "Fisher diagonal at the data's own labels or at labels drawn from the policy, or synaptic intelligence's path integral",
  ),
  samples: whole(1).default(256).describe("sequences a Fisher estimate averages over"),
  damping: z.number().gt(0).default(1e-3)
    .describe("added to squared moves by synaptic intelligence"),
}).describe("importance of each parameter, known at the end of the stage");

const common = {
  name: z.string().regex(/^(?!(all|untrained)$)[A-Za-z][A-Za-z0-9_-]*$/)
    .describe("names checkpoints, metrics and overrides"),
  data: dataSchema.describe("what the stage learns from"),
  steps: whole(1).optional().describe("length of the stage in optimiser steps"),
  tokens: whole(1).optional().describe("length of the stage in tokens"),
  epochs: z.number().gt(0).optional().describe("length of the stage in passes over the data"),
  batch_size: whole(1).default(8).describe("sequences per forward pass"),
  gradient_accumulation: whole(1).default(1).describe("forward passes per optimiser step"),
  length: whole(2).default(64).describe("tokens per sequence"),
  packing: z.boolean().default(true).describe("put several short examples into one sequence"),
  prompt_weight: fraction().default(0)
    .describe("loss weight of prompt tokens; those of replies weigh 1"),
  learning_rate: z.number().gt(0).lte(10).describe("peak learning rate"),
  schedule: z.enum(["constant", "linear", "cosine"]).default("cosine")
    .describe("course of the learning rate after the warm-up"),
  warmup_steps: whole(0).optional().describe("steps of linear warm-up"),
  warmup_ratio: fraction().optional().describe("warm-up as a share of all steps"),
  min_learning_rate_ratio: fraction().default(0.05)
    .describe("where the schedule ends, as a share of the peak"),
  optimizer: z.enum(["adamw", "sgd"]).default("adamw").describe("update rule"),
  weight_decay: z.number().min(0).default(0.01).describe("decoupled weight decay"),
  betas: z.tuple([below1(), below1()]).default([0.9, 0.99]).describe("AdamW's decay rates"),
  eps: z.number().gt(0).default(1e-8).describe("AdamW's epsilon"),
  momentum: below1().default(0).describe("SGD's momentum"),
  max_grad_norm: z.number().gt(0).nullable().default(1)
    .describe("gradients are scaled down to this norm; null: never"),
  dropout: below1().default(0).describe("dropout rate"),
  recompute: z.boolean().default(false)
    .describe("recompute activations in the backward pass: less memory, more time"),
  log_every: whole(1).default(10).describe("steps between rows of metrics.jsonl"),
  eval_every: whole(0).default(0).describe("steps between held-out losses; 0: at the end only"),
  save_every: whole(0).default(0).describe("steps between checkpoints; 0: at the end only"),
  save_total_limit: whole(1).nullable().default(null)
    .describe("keep only the newest N checkpoints; null: all"),
  fisher: fisherSchema.nullable().default(null).describe("diagonal Fisher estimate, or null"),
};

const languageModelling = z.strictObject({
  kind: z.literal("language_modelling").describe("next-token cross-entropy"),
  ...common,
});

/** Keys of the stages that have INFANT's objective, with their kind's default weights. */
const infant = (weights: TermWeights, rho: number, environment: number) => ({
  ...common,
  weights: weightsSchema(weights),
  rho: z.number().min(0).default(rho)
    .describe("weight of the KL divergence from the policy at the stage's beginning, Eq. 7"),
  kl_on: z.enum(["all", "benign"]).default("all")
    .describe(
      "prompts the KL is averaged over; benign: only those that the demonstration does not refuse",
    ),
  environment: whole(1).default(environment)
    .describe(
      "in the nursery, requests of the environments up to this one are learned from, Eq. 44",
    ),
  newest_share: fraction().default(0.5)
    .describe("share of the newest of them; the earlier ones share the rest equally"),
  harmful_share: fraction().default(0.5)
    .describe(
      "in the nursery, share of harmful requests; below a half the policy leans to helping",
    ),
  replay_share: fraction().default(REPLAY_SHARE).describe(
    "in the nursery, share of demonstrations that repeat facts, instructions and moral questions",
  ),
  preference: preferenceSchema,
  plasticity: plasticitySchema,
  imagination: imaginationSchema,
  capacitor: capacitorSchema,
});
const NO_WEIGHTS = { vi: 0, po: 0, ci: 0, vc: 0, pl: 0 };

const valueImprinting = z.strictObject({
  kind: z.literal("value_imprinting")
    .describe("Value Imprinting, INFANT Eq. 7: cross-entropy on D_care + rho * KL to the prior"),
  ...infant({ ...NO_WEIGHTS, vi: 1 }, 0.05, 1),
});

const apprenticeship = z.strictObject({
  kind: z.literal("apprenticeship").describe(
    "Apprenticeship Reinforcement, INFANT Eq. 8: preferences, anchored by twice the cross-entropy of demonstrations",
  ),
  ...infant({ ...NO_WEIGHTS, vi: 2, po: 1 }, 0, 2),
});

const counterfactual = z.strictObject({
  kind: z.literal("counterfactual_imagination")
    .describe("Counterfactual Imagination, INFANT Eq. 9: the same answer to perturbed requests"),
  ...infant({ ...NO_WEIGHTS, vi: 1, ci: 1 }, 0, 3),
});

const capacitor = z.strictObject({
  kind: z.literal("value_capacitor")
    .describe("Value Capacitor, INFANT Eq. 13: the policy's own replies, judged by a world model"),
  ...infant({ ...NO_WEIGHTS, vi: 1, vc: 1 }, 0, 4),
});

/** One stage; its keys depend on its `kind`. */
const stageSchema: z.ZodType<StageConfig> = z.discriminatedUnion("kind", [
  languageModelling,
  valueImprinting,
  apprenticeship,
  counterfactual,
  capacitor,
])
  .superRefine((stage, context) => {
    checkTerms(
      stage as StageConfig,
      (path, message) => context.addIssue({ code: "custom", path, message }),
    );
    const exclusive = (
      keys: readonly ("steps" | "tokens" | "epochs" | "warmup_steps" | "warmup_ratio")[],
    ) => keys.filter((key) => stage[key] !== undefined);
    const lengths = exclusive(["steps", "tokens", "epochs"]);
    if (lengths.length !== 1) {
      const found = lengths.length === 0 ? "none of them" : lengths.join(" and ");
      context.addIssue({
        code: "custom",
        message: `needs exactly one of steps, tokens and epochs, found ${found}`,
      });
    }
    if (exclusive(["warmup_steps", "warmup_ratio"]).length > 1) {
      context.addIssue({
        code: "custom",
        message: "has both warmup_steps and warmup_ratio: give one of them",
      });
    }
  });

/** What zod cannot say of a stage's terms. */
function checkTerms(
  stage: StageConfig,
  fail: (path: string[], message: string) => void,
): void {
  const { vi, po, ci, vc } = stageWeights(stage);
  if (vc > 0 && stage.kind !== "language_modelling") {
    const { replies_per_context: replies } = stage.capacitor;
    if (stage.batch_size % replies !== 0) {
      const found = `${replies}, and batch_size is ${stage.batch_size}`;
      fail(["capacitor", "replies_per_context"], `must divide batch_size, found ${found}`);
    }
  }
  if (vi + po + ci + vc === 0) {
    fail(["weights"], "gives nothing to learn from: one of vi, po, ci and vc must be above 0");
  }
  if ((po > 0 || ci > 0) && stage.batch_size % 2 !== 0) {
    fail(["batch_size"], `must be even where rows come in pairs, found ${stage.batch_size}`);
  }
}

const pretrained = z.strictObject({
  from: z.string().min(1)
    .describe("model to start from: Hugging Face folder, GGUF, llama2.c file, or hub:OWNER/NAME"),
  tokenizer: z.string().min(1).nullable().default(null)
    .describe("tokenizer file, when it does not lie beside the model"),
}).describe("continue from a trained model");

const architecture = z.strictObject({
  family: z.enum(["llama", "qwen2", "gpt2", "gpt_neox"]).default("llama").describe("architecture"),
  layers: whole(1).default(2).describe("transformer layers"),
  width: whole(1).default(96).describe("width of the residual stream"),
  heads: whole(1).default(4).describe("attention heads"),
  kv_heads: whole(1).nullable().default(null).describe("key/value heads; null: as many as heads"),
  mlp_width: whole(1).default(256).describe("inner width of the MLP"),
  context: whole(2).default(64).describe("longest sequence"),
  rope_theta: z.number().gt(0).default(10000).describe(
    "base of the rotary frequencies; gpt2 has none",
  ),
  norm_eps: z.number().gt(0).default(1e-5).describe("epsilon of the norms"),
  tied_head: z.boolean().default(true).describe("the output head is the embedding matrix"),
  init_std: z.number().gt(0).nullable().default(null)
    .describe("standard deviation of the initial weights; null: 0.6 / sqrt(width), at least 0.02"),
  tokenizer: z.string().min(1).nullable().default(null)
    .describe("tokenizer file; null: the nursery's words"),
}).describe("a new policy").superRefine((model, context) => {
  const fail = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (model.width % model.heads !== 0) {
    fail("width", `must be a multiple of heads (${model.heads}), found ${model.width}`);
  } else if (model.family !== "gpt2" && (model.width / model.heads) % 2 !== 0) {
    fail("width", `must give heads of even size, found ${model.width} / ${model.heads}`);
  }
  if (model.heads % (model.kv_heads ?? model.heads) !== 0) {
    fail("kv_heads", `must divide heads (${model.heads}), found ${model.kv_heads}`);
  }
  const grouped = model.kv_heads !== null && model.kv_heads !== model.heads;
  if (grouped && (model.family === "gpt2" || model.family === "gpt_neox")) {
    fail("kv_heads", `must equal heads (${model.heads}) in the ${model.family} family`);
  }
});

const loraSchema = z.strictObject({
  r: whole(1).default(8).describe("rank"),
  alpha: z.number().gt(0).default(16).describe("the update is scaled by alpha / r"),
  dropout: below1().default(0).describe("dropout before the first factor"),
  target_modules: z.union([z.literal("all-linear"), z.array(z.string().min(1)).min(1)])
    .default("all-linear").describe("names of the linear layers that get an adapter"),
}).describe("train low-rank adapters instead of the weights");

const evaluateSchema = z.strictObject({
  dialogues: whole(1).default(100).describe("test dialogues per class and attack family"),
  temperature: z.number().min(0).default(0).describe("sampling temperature; 0: greedy"),
  max_new_tokens: whole(1).default(24).describe("longest reply"),
}).describe("tests at the end of every stage");

/** The configuration of `deno task train`. */
const trainSchema: z.ZodType<TrainConfig> = z.strictObject({
  seed: whole(0).max(2 ** 32 - 1).default(0).describe("seed of everything random"),
  out: z.string().min(1).nullable().default(null)
    .describe("run folder; null: a new one under runs/"),
  adapter: z.string().min(1).nullable().default(null)
    .describe('GPU adapter by part of its name, or "software"; null: the best there is'),
  matmul: z.enum(MATMUL_SCHEDULES).nullable().default(null)
    .describe("how matrix products are cut; null: as measured, or the default for the adapter"),
  precision: z.enum(["f32", "f16"]).default("f32").describe(
    "how activations and weights are stored",
  ),
  model: z.union([pretrained, architecture]).describe("what is trained"),
  lora: loraSchema.nullable().default(null).describe("low-rank adapters, or null for all weights"),
  stages: z.array(stageSchema).min(1).describe("the stages of training, in order"),
  evaluate: evaluateSchema.nullable().default(evaluateSchema.parse({})).describe(
    "tests at the end of every stage, or null",
  ),
  gate: gateSchema.nullable().default(null).describe(
    "the maturation gate, or null: stages follow one another",
  ),
  world_model: worldModelSchema.nullable().default(null).describe(
    "the world model that the value capacitor judges by, or null: nothing is worn",
  ),
  certificate: certificateSchema.nullable().default(null)
    .describe("the certificate at the end, or null"),
  extensions: z.array(z.string().min(1)).default([])
    .describe("modules with metrics and environments of your own"),
}).superRefine((config, context) => {
  const names = config.stages.map((stage) => stage.name);
  names.forEach((name, i) => {
    if (names.indexOf(name) !== i) {
      context.addIssue({
        code: "custom",
        path: ["stages", i, "name"],
        message: `is used twice ("${name}"): checkpoints would overwrite each other`,
      });
    }
    if (/_retry\d+$/.test(name)) {
      context.addIssue({
        code: "custom",
        path: ["stages", i, "name"],
        message: `ends in _retry and a number, as stages are called after a rollback ("${name}")`,
      });
    }
    if (config.lora && stageWeights(config.stages[i]).pl > 0) {
      context.addIssue({
        code: "custom",
        path: ["stages", i, "weights", "pl"],
        message:
          "must be 0 with lora: adapters begin anew in every stage, so there is nothing to hold them to",
      });
    }
    const { length } = config.stages[i];
    if ("context" in config.model && length > config.model.context) {
      context.addIssue({
        code: "custom",
        path: ["stages", i, "length"],
        message: `must be at most model.context (${config.model.context}), found ${length}`,
      });
    }
  });
});

/** One thing that is wrong with a configuration, as zod tells it; which details there are depends on `code`. */
export interface Issue {
  /** Kind of mistake, e.g. `too_small`. */
  readonly code?: string;
  /** Where in the settings. */
  readonly path: readonly PropertyKey[];
  /** What our own checks say. */
  readonly message: string;
  /** Keys that do not exist. */
  readonly keys?: readonly string[];
  /** Type that was expected. */
  readonly expected?: string;
  /** Type that a bound belongs to. */
  readonly origin?: string;
  /** Lower bound. */
  readonly minimum?: number | bigint;
  /** Upper bound. */
  readonly maximum?: number | bigint;
  /** Whether the bound itself is allowed. */
  readonly inclusive?: boolean;
  /** Values that are allowed. */
  readonly values?: readonly unknown[];
  /** Kinds that are allowed. */
  readonly options?: readonly unknown[];
  /** Mistakes of each alternative. */
  readonly errors?: readonly (readonly Issue[])[];
}

/** Checks settings and fills in the defaults: the configuration, or what is wrong with it. */
export function checkTraining(
  settings: unknown,
): { readonly config: TrainConfig } | { readonly issues: readonly Issue[] } {
  const result = trainSchema.safeParse(settings);
  return result.success ? { config: result.data } : { issues: result.error.issues };
}

/** The schema of configuration files, which may start from one of `presets`, as JSON Schema (draft 2020-12). */
export function trainJsonSchema(presets: readonly string[]): Record<string, unknown> {
  const schema = z.toJSONSchema(trainSchema, { io: "input" }) as Record<string, unknown>;
  const preset = {
    type: "string",
    enum: presets,
    description: "a configuration to start from; this file's keys are laid over it",
  };
  return {
    ...schema,
    title: "INFANT toolkit training configuration",
    // What a preset has, a file need not repeat.
    required: [],
    properties: { preset, ...schema.properties as Record<string, unknown> },
  };
}
