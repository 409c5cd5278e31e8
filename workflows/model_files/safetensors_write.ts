/**
 * Writing safetensors, one tensor at a time, as one file or as the shards Hugging Face tools
 * expect.
 */
import { InputError } from "../../kernels/errors.ts";
import {
  type Dtype,
  DTYPE_BYTES,
  encodeFloats,
  type SaveDtype,
  type TensorArray,
} from "./dtypes.ts";
import { writeAll, writeFileAtomic, writeWhole } from "../files.ts";
import { toJson } from "./files.ts";
import { elementCount } from "./safetensors_header.ts";

/** A tensor to write. Give `data` as a function to build it only when its turn comes. */
export interface TensorToWrite {
  /** Key in the header. */
  readonly name: string;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Values, row by row. */
  readonly data: TensorArray | (() => Float32Array);
}

/** How to write: float format of float32 tensors, and strings for `__metadata__`. */
export interface WriteOptions {
  /** Applies to float32 data only; other arrays keep their type. Default `f32`. */
  readonly dtype?: SaveDtype;
  /** Default `{ format: "pt" }`, which `transformers` insists on. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Default size at which a model is cut into shards, bytes (as `save_pretrained`). */
export const SHARD_BYTES = 5e9;

const SAVE_DTYPES: Readonly<Record<SaveDtype, Dtype>> = { f32: "F32", f16: "F16", bf16: "BF16" };

function dtypeOf(tensor: TensorToWrite, dtype: SaveDtype): Dtype {
  const { data } = tensor;
  if (typeof data === "function" || data instanceof Float32Array) return SAVE_DTYPES[dtype];
  if (data instanceof Float64Array) return "F64";
  if (data instanceof BigInt64Array) return "I64";
  if (data instanceof BigUint64Array) return "U64";
  if (data instanceof Int32Array) return "I32";
  if (data instanceof Uint32Array) return "U32";
  if (data instanceof Int16Array) return "I16";
  if (data instanceof Uint16Array) return "U16";
  if (data instanceof Int8Array) return "I8";
  return "U8";
}

function byteCount(tensor: TensorToWrite, dtype: SaveDtype): number {
  return elementCount(tensor.shape) * DTYPE_BYTES[dtypeOf(tensor, dtype)];
}

function header(tensors: readonly TensorToWrite[], options: WriteOptions): Uint8Array<ArrayBuffer> {
  const { dtype = "f32", metadata = { format: "pt" } } = options;
  const entries: [string, unknown][] = [["__metadata__", metadata]];
  const names = new Set<string>(["__metadata__"]);
  let offset = 0;
  for (const tensor of tensors) {
    if (names.has(tensor.name)) throw new InputError(`tensor "${tensor.name}" is written twice`);
    names.add(tensor.name);
    const end = offset + byteCount(tensor, dtype);
    const place = {
      dtype: dtypeOf(tensor, dtype),
      shape: tensor.shape,
      data_offsets: [offset, end],
    };
    entries.push([tensor.name, place]);
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  // Padded with spaces, so that the data starts at a multiple of eight bytes.
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function encode(tensor: TensorToWrite, dtype: SaveDtype): Uint8Array {
  const data = typeof tensor.data === "function" ? tensor.data() : tensor.data;
  if (data.length !== elementCount(tensor.shape)) {
    throw new InputError(
      `tensor "${tensor.name}": shape [${tensor.shape}] does not hold ${data.length} values`,
    );
  }
  if (data instanceof Float32Array) return encodeFloats(dtype, data, `tensor "${tensor.name}"`);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Writes one file, under a temporary name until it is complete.
 *
 * @example
 * ```ts
 * import { readSafetensors, writeSafetensors } from "@infant/toolkit";
 *
 * const path = await Deno.makeTempDir() + "/weights.safetensors";
 * const data = Float32Array.of(1, 2, 3, 4, 5, 6);
 * await writeSafetensors(path, [{ name: "layer.weight", shape: [2, 3], data }], { dtype: "bf16" });
 * const tensors = await readSafetensors(path);
 * console.log(tensors.get("layer.weight")); // { shape: [2, 3], data: Float32Array }
 * ```
 * @throws {InputError} on a repeated name, a shape that does not fit its data, or a value beyond
 * `dtype`.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  options: WriteOptions = {},
): Promise<void> {
  await writeWhole(path, async (file) => {
    await writeAll(file, header(tensors, options));
    for (const tensor of tensors) await writeAll(file, encode(tensor, options.dtype ?? "f32"));
  });
}

/**
 * Writes `model.safetensors`, or shards and their index when the data exceeds `shardBytes`.
 * A tensor is never cut, so a shard may be larger than the limit.
 */
export async function writeModelTensors(
  folder: string,
  tensors: readonly TensorToWrite[],
  options: WriteOptions & { readonly shardBytes?: number } = {},
): Promise<void> {
  const { dtype = "f32", shardBytes = SHARD_BYTES } = options;
  const shards: TensorToWrite[][] = [];
  let room = 0;
  for (const tensor of tensors) {
    const bytes = byteCount(tensor, dtype);
    if (bytes > room || shards.length === 0) {
      shards.push([]);
      room = shardBytes;
    }
    shards.at(-1)!.push(tensor);
    room -= bytes;
  }
  if (shards.length <= 1) {
    return await writeSafetensors(`${folder}/model.safetensors`, tensors, options);
  }
  const five = (n: number) => String(n).padStart(5, "0");
  const weightMap: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const name = `model-${five(i + 1)}-of-${five(shards.length)}.safetensors`;
    await writeSafetensors(`${folder}/${name}`, shard, options);
    for (const tensor of shard) weightMap[tensor.name] = name;
  }
  const totalSize = tensors.reduce((sum, tensor) => sum + byteCount(tensor, dtype), 0);
  const index = { metadata: { total_size: totalSize }, weight_map: weightMap };
  await writeFileAtomic(`${folder}/model.safetensors.index.json`, toJson(index));
}
