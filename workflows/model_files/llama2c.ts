/**
 * Weights of llama2.c (`stories260K.bin` and its kin), version 0.
 *
 * Seven int32 (dim, hidden, layers, heads, kv heads, vocabulary, context), then float32 tensors one
 * after another. A negative vocabulary size says that the output head is stored as well. Layout
 * from karpathy/llama2.c `run.c`.
 */
import { InputError } from "../../kernels/errors.ts";
import {
  parameterCount,
  type PolicyConfig,
  type PolicyWeights,
} from "../../kernels/policy/config.ts";
import { checkFinite } from "./dtypes.ts";
import { fileError } from "./files.ts";
import { checkConfigOf } from "./hf_config.ts";
import { toRotateHalf } from "./interleaved.ts";
import { zeroParameters } from "./layouts.ts";
import { readAt } from "./safetensors.ts";

const HEADER_BYTES = 28;

function parseConfig(header: Uint8Array, path: string): PolicyConfig {
  const bad = (what: string) =>
    new InputError(`${path}: not a llama2.c version 0 file (${what}); expected seven int32 sizes`);
  if (header.length < HEADER_BYTES) throw bad(`only ${header.length} bytes`);
  const view = new DataView(header.buffer);
  const [width, mlpWidth, layers, heads, kvHeads, vocabulary, context] = Array.from(
    { length: 7 },
    (_, i) => view.getInt32(4 * i, true),
  );
  const sizes = [width, mlpWidth, layers, heads, kvHeads, Math.abs(vocabulary), context];
  if (sizes.some((size) => size < 1 || size > 1 << 24) || width % heads !== 0) {
    throw bad(`the header reads ${sizes.join(", ")}`);
  }
  const headDim = width / heads;
  const config: PolicyConfig = {
    family: "llama",
    vocabSize: Math.abs(vocabulary),
    context,
    layers,
    width,
    heads,
    kvHeads,
    headDim,
    mlpWidth,
    norm: "rmsnorm",
    normEps: 1e-5,
    activation: "swiglu",
    positions: "rope",
    ropeTheta: 10000,
    ropeDims: headDim,
    parallelResidual: false,
    qkvBias: false,
    outBias: false,
    mlpBias: false,
    tiedHead: vocabulary > 0,
    bosTokenId: 1,
    eosTokenId: 2,
    padTokenId: null,
  };
  return checkConfigOf(config, path);
}

/** Counted from one layer: a damaged header may ask for millions, which are not to be listed. */
function fileBytes(c: PolicyConfig): number {
  const one = parameterCount({ ...c, layers: 1 });
  const perLayer = parameterCount({ ...c, layers: 2 }) - one;
  return HEADER_BYTES + 4 * (one + (c.layers - 1) * perLayer + c.context * c.headDim);
}

/** Reads tensors in file order. */
class Cursor {
  readonly #file: Deno.FsFile;
  #at = HEADER_BYTES;

  constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  async floats(count: number): Promise<Float32Array> {
    const bytes = await readAt(this.#file, this.#at, 4 * count);
    this.#at += 4 * count;
    return new Float32Array(bytes.buffer);
  }

  skip(count: number): void {
    this.#at += 4 * count;
  }
}

async function readTensors(cursor: Cursor, c: PolicyConfig): Promise<Map<string, Float32Array>> {
  const { width, headDim, mlpWidth, layers } = c;
  const [q, kv] = [c.heads * headDim, c.kvHeads * headDim];
  const tensors = zeroParameters(c);
  const whole = async (name: string) => {
    const target = tensors.get(name)!;
    target.set(await cursor.floats(target.length));
  };
  /** One matrix of every layer, put at a row of a parameter. */
  const eachLayer = async (
    name: string,
    rows: number,
    columns: number,
    rowStart = 0,
    rope = false,
  ) => {
    for (let i = 0; i < layers; i++) {
      const values = await cursor.floats(rows * columns);
      const ordered = rope ? toRotateHalf(values, headDim, columns) : values;
      tensors.get(`layers.${i}.${name}`)!.set(ordered, rowStart * columns);
    }
  };
  await whole("embed.weight");
  await eachLayer("norm1.weight", width, 1);
  await eachLayer("attention.qkv.weight", q, width, 0, true);
  await eachLayer("attention.qkv.weight", kv, width, q, true);
  await eachLayer("attention.qkv.weight", kv, width, q + kv);
  await eachLayer("attention.out.weight", width, q);
  await eachLayer("norm2.weight", width, 1);
  await eachLayer("mlp.up.weight", mlpWidth, width); // w1, the gate
  await eachLayer("mlp.down.weight", width, mlpWidth); // w2
  await eachLayer("mlp.up.weight", mlpWidth, width, mlpWidth); // w3
  await whole("final_norm.weight");
  cursor.skip(c.context * headDim); // cosine and sine tables of an older program
  if (!c.tiedHead) await whole("head.weight");
  return tensors;
}

/**
 * Reads a llama2.c weights file.
 * @throws {InputError} when the sizes of the header and of the file do not fit, or a weight is NaN
 * or infinite.
 */
export async function readLlama2c(path: string): Promise<PolicyWeights> {
  using file = await Deno.open(path).catch((error) => {
    throw fileError(path, error);
  });
  const config = parseConfig(await readAt(file, 0, HEADER_BYTES), path);
  const expected = fileBytes(config);
  const { size } = await file.stat();
  if (size !== expected) {
    throw new InputError(
      `${path}: a llama2.c file of these sizes has ${expected} bytes, this one ${size}; ` +
        "cut off, or not version 0",
    );
  }
  const tensors = await readTensors(new Cursor(file), config);
  for (const [name, values] of tensors) checkFinite(values, `${path}: ${name}`);
  return { config, tensors };
}
