/**
 * GGUF files (llama.cpp) with unquantised weights: Llama, Qwen2, GPT-2 and GPT-NeoX.
 *
 * `@huggingface/gguf` parses the header; the tensors are read here, one at a time. Differences from
 * Hugging Face: sizes are listed innermost first, Llama's query and key rows are interleaved,
 * GPT-2's matrices are already [out, in] and GPT-NeoX's fused rows already q, then k, then v.
 */
import { InputError } from "../../kernels/errors.ts";
import {
  parameterSpecs,
  type PolicyConfig,
  type PolicyWeights,
  qkvRows,
} from "../../kernels/policy/config.ts";
import { checkFinite, decodeFloats } from "./dtypes.ts";
import { configFromGguf } from "./gguf_config.ts";
import { FLOAT_TYPES, type GgufHeader, readGgufHeader } from "./gguf_header.ts";
import { checkConfigOf } from "./hf_config.ts";
import { toRotateHalf } from "./interleaved.ts";
import { GrowingParameters } from "./layouts.ts";
import { readAt } from "./safetensors.ts";

/** A block of rows of an internal parameter and the GGUF tensor that holds it. */
interface Block {
  readonly tensor: string;
  readonly parameter: string;
  readonly rowStart: number;
  readonly rows: number;
  /** 1 for a vector. */
  readonly columns: number;
  /** Rows are interleaved for rotary positions. */
  readonly interleaved: boolean;
}

/** GGUF's name for each internal parameter outside attention projections. */
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^embed$/, "token_embd"],
  [/^positions$/, "position_embd"],
  [/^layers\.(\d+)\.norm1$/, "blk.$1.attn_norm"],
  [/^layers\.(\d+)\.attention\.qkv$/, "blk.$1.attn_qkv"],
  [/^layers\.(\d+)\.attention\.out$/, "blk.$1.attn_output"],
  [/^layers\.(\d+)\.norm2$/, "blk.$1.ffn_norm"],
  [/^layers\.(\d+)\.mlp\.up$/, "blk.$1.ffn_up"],
  [/^layers\.(\d+)\.mlp\.down$/, "blk.$1.ffn_down"],
  [/^final_norm$/, "output_norm"],
  [/^head$/, "output"],
];

function ggufName(module: string): string {
  const [pattern, name] = NAMES.find(([pattern]) => pattern.test(module))!;
  return module.replace(pattern, name);
}

/**
 * Where each GGUF tensor goes. Llama and Qwen2 store projections apart, the others fused as here.
 */
function blocks(c: PolicyConfig): Block[] {
  const apart = c.activation === "swiglu";
  const [q, kv] = [c.heads * c.headDim, c.kvHeads * c.headDim];
  const interleaved = c.family === "llama";
  return parameterSpecs(c).flatMap(({ name, shape }): Block[] => {
    const cut = name.lastIndexOf(".");
    const [module, part] = [name.slice(0, cut), name.slice(cut + 1)];
    const tensor = ggufName(module);
    const columns = shape.length === 2 ? shape[1] : 1;
    const block = (from: string, rowStart: number, rows: number, rope = false): Block => ({
      tensor: `${from}.${part}`,
      parameter: name,
      rowStart,
      rows,
      columns,
      interleaved: rope && interleaved,
    });
    if (apart && tensor.endsWith("attn_qkv")) {
      const layer = tensor.slice(0, -"attn_qkv".length);
      return [
        block(`${layer}attn_q`, 0, q, true),
        block(`${layer}attn_k`, q, kv, true),
        block(`${layer}attn_v`, q + kv, qkvRows(c) - q - kv),
      ];
    }
    if (apart && tensor.endsWith("ffn_up")) {
      const gate = `${tensor.slice(0, -"ffn_up".length)}ffn_gate`;
      return [block(gate, 0, c.mlpWidth), block(tensor, c.mlpWidth, c.mlpWidth)];
    }
    return [block(tensor, 0, shape[0])];
  });
}

async function readBlock(
  file: Deno.FsFile,
  header: GgufHeader,
  block: Block,
  headDim: number,
  path: string,
): Promise<Float32Array> {
  const where = `${path}: tensor "${block.tensor}"`;
  const info = header.tensors.get(block.tensor);
  if (!info) throw new InputError(`${where} is missing`);
  const found = info.shape.map(Number).reverse();
  const expected = block.columns === 1 ? [block.rows] : [block.rows, block.columns];
  if (found.length !== expected.length || found.some((size, i) => size !== expected[i])) {
    throw new InputError(`${where}: the metadata asks for [${expected}], the file has [${found}]`);
  }
  const { dtype, bytes: each } = FLOAT_TYPES[info.dtype];
  const length = block.rows * block.columns * each;
  const begin = header.dataStart + Number(info.offset);
  const { size } = await file.stat();
  if (begin + length > size) {
    throw new InputError(`${where}: the file is cut off; copy or download it again`);
  }
  const bytes = await readAt(file, begin, length);
  const values = decodeFloats(dtype, bytes, where);
  checkFinite(values, where);
  return block.interleaved ? toRotateHalf(values, headDim, block.columns) : values;
}

/** GPT-2's converter stores a copy of the embedding as the head; it is tied all the same. */
function dropCopiedHead(weights: PolicyWeights): PolicyWeights {
  const { config, tensors } = weights;
  const [embed, head] = [tensors.get("embed.weight")!, tensors.get("head.weight")];
  if (!head || head.some((value, i) => value !== embed[i])) return weights;
  tensors.delete("head.weight");
  return { config: { ...config, tiedHead: true }, tensors };
}

/**
 * Reads a policy from a GGUF file.
 * @throws {InputError} on quantised weights, an unknown architecture, or a file that does not fit
 * its metadata.
 */
export async function readGguf(
  path: string,
): Promise<{ weights: PolicyWeights; header: GgufHeader }> {
  const header = await readGgufHeader(path);
  const config = checkConfigOf(configFromGguf(header, path), path);
  if (config.layers > header.tensors.size) {
    throw new InputError(
      `${path}: the metadata says ${config.layers} layers, the file has only ${header.tensors.size} tensors`,
    );
  }
  const wanted = blocks(config);
  const known = new Set(wanted.map((block) => block.tensor));
  for (const name of header.tensors.keys()) {
    if (!known.has(name)) {
      throw new InputError(`${path}: tensor "${name}" has no place in a ${config.family} policy`);
    }
  }
  const parameters = new GrowingParameters(config);
  using file = await Deno.open(path);
  for (const block of wanted) {
    const values = await readBlock(file, header, block, config.headDim, path);
    parameters.at(block.parameter).set(values, block.rowStart * block.columns);
  }
  return { weights: dropCopiedHead({ config, tensors: parameters.all() }), header };
}
