/**
 * Names that other trainers use (Hugging Face `TrainingArguments`, TRL, PEFT, LLaMA-Factory) and what they are
 * called here. They are accepted everywhere, with a one-line notice, so that people can bring their files.
 */
import { InputError } from "../../kernels/errors.ts";
import { isMapping, type Settings } from "./files.ts";

/** A new name, or a function that gives the new entry for the old value. */
type Alias = string | ((value: unknown, key: string) => readonly [key: string, value: unknown]);

/** The parts of a configuration that have aliases; everything else is "other". */
type Part = "root" | "model" | "lora" | "stage" | "data" | "other";

const flag = (name: string, on: unknown, off: unknown): Alias => (value, key) => {
  if (typeof value !== "boolean") {
    throw new InputError(`${key} must be true or false, found ${JSON.stringify(value)}`);
  }
  return [name, value ? on : off];
};

const ALIASES: Readonly<Record<Part, Readonly<Record<string, Alias>>>> = {
  root: {
    output_dir: "out",
    fp16: flag("precision", "f16", "f32"),
    bf16: (value) => {
      if (value === false) return ["precision", "f32"];
      throw new InputError("bf16 does not exist in WGSL: write precision: f16 or precision: f32");
    },
  },
  model: {
    model_name_or_path: "from",
    model_type: "family",
    num_hidden_layers: "layers",
    n_layer: "layers",
    hidden_size: "width",
    n_embd: "width",
    num_attention_heads: "heads",
    n_head: "heads",
    num_key_value_heads: "kv_heads",
    intermediate_size: "mlp_width",
    n_inner: "mlp_width",
    max_position_embeddings: "context",
    n_positions: "context",
    rms_norm_eps: "norm_eps",
    layer_norm_epsilon: "norm_eps",
    tie_word_embeddings: "tied_head",
    initializer_range: "init_std",
  },
  lora: {
    lora_alpha: "alpha",
    lora_dropout: "dropout",
    lora_rank: "r",
    lora_target: "target_modules",
  },
  stage: {
    max_steps: "steps",
    num_train_epochs: "epochs",
    per_device_train_batch_size: "batch_size",
    gradient_accumulation_steps: "gradient_accumulation",
    max_length: "length",
    max_seq_length: "length",
    cutoff_len: "length",
    lr_scheduler_type: "schedule",
    optim: "optimizer",
    adam_epsilon: "eps",
    gradient_checkpointing: "recompute",
    logging_steps: "log_every",
    eval_steps: "eval_every",
    save_steps: "save_every",
    dataset: "data",
    completion_only_loss: flag("prompt_weight", 0, 1),
  },
  data: {
    dataset_name: "hub",
    column_mapping: "columns",
    onEmpty: "on_empty",
    fileType: "file_type",
  },
  other: {},
};

/** The part that `key` of a part leads into. */
function inside(part: Part, key: string): Part {
  if (part === "root" && (key === "model" || key === "lora")) return key;
  if (part === "root" && key === "stages") return "stage";
  return part === "stage" && key === "data" ? "data" : "other";
}

/** Collects one notice per alias met. */
export type Notices = Set<string>;

function canonicalEntry(
  part: Part,
  key: string,
  value: unknown,
  notices: Notices,
): readonly [string, unknown] {
  const alias = Object.hasOwn(ALIASES[part], key) ? ALIASES[part][key] : undefined;
  if (alias === undefined) return [key, value];
  const entry = typeof alias === "string" ? [alias, value] as const : alias(value, key);
  const as = typeof alias === "string" ? alias : `${entry[0]}: ${JSON.stringify(entry[1])}`;
  notices.add(`${key} is read as ${as}`);
  return entry;
}

/**
 * A copy of `settings` with every alias replaced by the toolkit's own name.
 * @throws {InputError} when a setting is given under both names.
 */
export function canonical(settings: Settings, notices: Notices): Settings {
  return canonicalNode(settings, "root", notices) as Settings;
}

function canonicalNode(node: unknown, part: Part, notices: Notices): unknown {
  if (Array.isArray(node)) return node.map((item) => canonicalNode(item, part, notices));
  if (!isMapping(node)) return node;
  const result: Settings = {};
  const written = new Map<string, string>();
  for (const [oldKey, oldValue] of Object.entries(node)) {
    const [key, value] = canonicalEntry(part, oldKey, oldValue, notices);
    const other = written.get(key);
    if (other !== undefined) {
      throw new InputError(`${other} and ${oldKey} mean the same: keep one of them`);
    }
    written.set(key, oldKey);
    result[key] = canonicalNode(value, inside(part, key), notices);
  }
  return result;
}

/** The same for an override: its dotted path and its value. */
export function canonicalOverride(
  path: readonly string[],
  value: unknown,
  notices: Notices,
): { readonly path: readonly string[]; readonly value: unknown } {
  let part: Part = "root";
  const result: string[] = [];
  path.forEach((key, i) => {
    // Below "stages" comes the stage's number or name, which is no setting.
    if (part === "stage" && i === 1) {
      result.push(key);
      return;
    }
    const last = i === path.length - 1;
    const [name, changed] = canonicalEntry(part, key, last ? value : undefined, notices);
    if (last) value = changed;
    result.push(name);
    part = inside(part, name);
  });
  return { path: result, value: canonicalNode(value, part, notices) };
}
