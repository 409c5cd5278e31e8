/**
 * Where every Hugging Face tensor lies inside the toolkit's own parameters.
 *
 * One table per family says it once: a Hugging Face tensor is a block of rows of an internal
 * parameter, perhaps transposed (GPT-2's Conv1D stores [in, out]) and perhaps in another row order
 * (GPT-NeoX interleaves q, k, v per head). Reading, writing, gradients, Fisher diagonals and LoRA
 * modules all follow from the table.
 */
import { type PolicyConfig, qkvRows } from "../../kernels/policy/config.ts";

/** A Hugging Face tensor as a block of an internal parameter. */
export interface TensorLayout {
  /** Hugging Face name, e.g. `model.layers.0.self_attn.q_proj.weight`. */
  readonly name: string;
  /** Shape in the file. */
  readonly shape: readonly number[];
  /** Internal parameter. */
  readonly parameter: string;
  /** The block inside it: rows `rowStart` to `rowStart + rowCount - 1` (elements, for a vector). */
  readonly rowStart: number;
  /** Rows of the block. */
  readonly rowCount: number;
  /** Row length; 1 for a vector. */
  readonly columns: number;
  /** The file holds the block as [columns, rows]. */
  readonly transposed: boolean;
  /**
   * Row `rowStart + i` of the parameter is row `rowOrder[i]` of the file's block; null: the same
   * order.
   */
  readonly rowOrder: Uint32Array | null;
  /** The weight of a linear layer inside a block, so LoRA can be added to it. */
  readonly linear: boolean;
}

/** A block of rows and how the file orders them. */
interface Block {
  readonly rowStart?: number;
  readonly rows: number;
  readonly columns: number;
  readonly bias: boolean;
  readonly transposed?: boolean;
  readonly rowOrder?: Uint32Array;
}

/** Collects the layouts of one policy. */
class Table {
  readonly layouts: TensorLayout[] = [];
  readonly #config: PolicyConfig;

  constructor(config: PolicyConfig) {
    this.#config = config;
  }

  vector(name: string, parameter: string, length: number, more: Partial<TensorLayout> = {}): void {
    this.matrix(name, parameter, length, 1, { shape: [length], ...more });
  }

  matrix(
    name: string,
    parameter: string,
    rowCount: number,
    columns: number,
    more: Partial<TensorLayout> = {},
  ): void {
    this.layouts.push({
      name,
      shape: [rowCount, columns],
      parameter,
      rowStart: 0,
      rowCount,
      columns,
      transposed: false,
      rowOrder: null,
      linear: false,
      ...more,
    });
  }

  norm(name: string, parameter: string): void {
    const { width, norm } = this.#config;
    this.vector(`${name}.weight`, `${parameter}.weight`, width);
    if (norm === "layernorm") this.vector(`${name}.bias`, `${parameter}.bias`, width);
  }

  linear(name: string, parameter: string, block: Block): void {
    const { rowStart = 0, rows, columns, bias, transposed = false, rowOrder = null } = block;
    const shape = transposed ? [columns, rows] : [rows, columns];
    const place = { rowStart, rowOrder };
    this.matrix(`${name}.weight`, `${parameter}.weight`, rows, columns, {
      ...place,
      shape,
      transposed,
      linear: true,
    });
    if (bias) this.vector(`${name}.bias`, `${parameter}.bias`, rows, place);
  }
}

function gpt2(c: PolicyConfig, t: Table): void {
  const conv = (name: string, parameter: string, columns: number, rows: number) =>
    t.linear(name, parameter, { rows, columns, bias: true, transposed: true });
  t.matrix("transformer.wte.weight", "embed.weight", c.vocabSize, c.width);
  t.matrix("transformer.wpe.weight", "positions.weight", c.context, c.width);
  for (let i = 0; i < c.layers; i++) {
    const [hf, own] = [`transformer.h.${i}`, `layers.${i}`];
    t.norm(`${hf}.ln_1`, `${own}.norm1`);
    conv(`${hf}.attn.c_attn`, `${own}.attention.qkv`, c.width, qkvRows(c));
    conv(`${hf}.attn.c_proj`, `${own}.attention.out`, c.width, c.width);
    t.norm(`${hf}.ln_2`, `${own}.norm2`);
    conv(`${hf}.mlp.c_fc`, `${own}.mlp.up`, c.width, c.mlpWidth);
    conv(`${hf}.mlp.c_proj`, `${own}.mlp.down`, c.mlpWidth, c.width);
  }
  t.norm("transformer.ln_f", "final_norm");
  if (!c.tiedHead) t.matrix("lm_head.weight", "head.weight", c.vocabSize, c.width);
}

function llama(c: PolicyConfig, t: Table): void {
  const [q, kv] = [c.heads * c.headDim, c.kvHeads * c.headDim];
  t.matrix("model.embed_tokens.weight", "embed.weight", c.vocabSize, c.width);
  for (let i = 0; i < c.layers; i++) {
    const [hf, own] = [`model.layers.${i}`, `layers.${i}`];
    const project = (name: string, rowStart: number, rows: number) =>
      t.linear(`${hf}.self_attn.${name}`, `${own}.attention.qkv`, {
        rowStart,
        rows,
        columns: c.width,
        bias: c.qkvBias,
      });
    const mlp = (
      name: string,
      parameter: string,
      rowStart: number,
      rows: number,
      columns: number,
    ) =>
      t.linear(`${hf}.mlp.${name}`, `${own}.mlp.${parameter}`, {
        rowStart,
        rows,
        columns,
        bias: c.mlpBias,
      });
    t.norm(`${hf}.input_layernorm`, `${own}.norm1`);
    project("q_proj", 0, q);
    project("k_proj", q, kv);
    project("v_proj", q + kv, kv);
    const out = { rows: c.width, columns: q, bias: c.outBias };
    t.linear(`${hf}.self_attn.o_proj`, `${own}.attention.out`, out);
    t.norm(`${hf}.post_attention_layernorm`, `${own}.norm2`);
    mlp("gate_proj", "up", 0, c.mlpWidth, c.width);
    mlp("up_proj", "up", c.mlpWidth, c.mlpWidth, c.width);
    mlp("down_proj", "down", 0, c.width, c.mlpWidth);
  }
  t.norm("model.norm", "final_norm");
  if (!c.tiedHead) t.matrix("lm_head.weight", "head.weight", c.vocabSize, c.width);
}

/**
 * Row order of a fused matrix stored per head as [q | k | v], read as q of all heads, then k, then
 * v.
 */
export function perHeadQkvOrder(heads: number, headDim: number): Uint32Array {
  const order = new Uint32Array(3 * heads * headDim);
  let i = 0;
  for (let part = 0; part < 3; part++) {
    for (let head = 0; head < heads; head++) {
      for (let d = 0; d < headDim; d++) order[i++] = (head * 3 + part) * headDim + d;
    }
  }
  return order;
}

function gptNeox(c: PolicyConfig, t: Table): void {
  const rowOrder = perHeadQkvOrder(c.heads, c.headDim);
  t.matrix("gpt_neox.embed_in.weight", "embed.weight", c.vocabSize, c.width);
  for (let i = 0; i < c.layers; i++) {
    const [hf, own] = [`gpt_neox.layers.${i}`, `layers.${i}`];
    const linear = (name: string, parameter: string, block: Block) =>
      t.linear(`${hf}.${name}`, `${own}.${parameter}`, block);
    const { width: columns, mlpWidth, qkvBias, outBias, mlpBias } = c;
    t.norm(`${hf}.input_layernorm`, `${own}.norm1`);
    const qkv = { rows: qkvRows(c), columns, bias: qkvBias, rowOrder };
    linear("attention.query_key_value", "attention.qkv", qkv);
    linear("attention.dense", "attention.out", { rows: columns, columns, bias: outBias });
    t.norm(`${hf}.post_attention_layernorm`, `${own}.norm2`);
    linear("mlp.dense_h_to_4h", "mlp.up", { rows: mlpWidth, columns, bias: mlpBias });
    const down = { rows: columns, columns: mlpWidth, bias: mlpBias };
    linear("mlp.dense_4h_to_h", "mlp.down", down);
  }
  t.norm("gpt_neox.final_layer_norm", "final_norm");
  if (!c.tiedHead) t.matrix("embed_out.weight", "head.weight", c.vocabSize, c.width);
}

const FAMILY_TABLES = { gpt2, llama, qwen2: llama, gpt_neox: gptNeox } as const;

/**
 * What a family puts before the names of everything but the head; base-model files leave it out.
 */
export const BASE_PREFIX = {
  gpt2: "transformer.",
  llama: "model.",
  qwen2: "model.",
  gpt_neox: "gpt_neox.",
} as const;

/** The output head's name in each family. */
export const HEAD_NAME = {
  gpt2: "lm_head.weight",
  llama: "lm_head.weight",
  qwen2: "lm_head.weight",
  gpt_neox: "embed_out.weight",
} as const;

/** Every tensor of a policy's Hugging Face file, in file order. */
export function tensorLayouts(config: PolicyConfig): TensorLayout[] {
  const table = new Table(config);
  FAMILY_TABLES[config.family](config, table);
  return table.layouts;
}

/** A linear layer by its Hugging Face module name, as adapters name it. */
export interface LoraModule {
  /** e.g. `model.layers.0.self_attn.q_proj`. */
  readonly hfModule: string;
  /** Internal weight that holds its rows. */
  readonly parameter: string;
  /** First of its rows there. */
  readonly rowStart: number;
  /** Output features. */
  readonly rowCount: number;
  /** Input features. */
  readonly inFeatures: number;
  /**
   * Internal row `rowStart + i` is output feature `rowOrder[i]` of the module; null: the same
   * order.
   */
  readonly rowOrder: Uint32Array | null;
  /** The base layer is a Conv1D (PEFT: `fan_in_fan_out`). */
  readonly fanInFanOut: boolean;
}

/** All linear layers of a policy except the output head (what PEFT calls `all-linear`). */
export function loraModules(config: PolicyConfig): LoraModule[] {
  return tensorLayouts(config).filter((layout) => layout.linear).map((layout) => ({
    hfModule: layout.name.slice(0, -".weight".length),
    parameter: layout.parameter,
    rowStart: layout.rowStart,
    rowCount: layout.rowCount,
    inFeatures: layout.columns,
    rowOrder: layout.rowOrder,
    fanInFanOut: layout.transposed,
  }));
}
