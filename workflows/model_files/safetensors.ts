/**
 * Reading safetensors: one file, or a folder's shards behind `model.safetensors.index.json`.
 *
 * Tensors are read one at a time by seeking, so that memory holds what the caller keeps plus the
 * tensor being read, never the file twice.
 */
import { basename, dirname, join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { checkFinite, decodeFloats, type TensorArray } from "./dtypes.ts";
import { fileError, readJson } from "./files.ts";
import { headerLength, parseHeader, type TensorInfo } from "./safetensors_header.ts";

/** A tensor in memory. */
export interface Tensor<T extends TensorArray = TensorArray> {
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Values, row by row. */
  readonly data: T;
}

/** Reads up to `length` bytes at `offset`; fewer only at the end of the file. */
export async function readAt(
  file: Deno.FsFile,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await file.seek(offset, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled === length ? bytes : bytes.slice(0, filled);
}

/** Anything tensors can be read from by name. */
export interface TensorSource extends Disposable {
  /** What is in it, by name. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The `__metadata__` strings. */
  readonly metadata: ReadonlyMap<string, string>;
  /** A tensor in its own number type (F16 and BF16 as float32, BOOL as bytes). */
  read(name: string): Promise<Tensor>;
  /** A float tensor as finite float32 values. */
  float32(name: string): Promise<Tensor<Float32Array>>;
}

/** An open safetensors file. */
export class SafetensorsFile implements TensorSource {
  /** As it was opened; named in errors. */
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly #file: Deno.FsFile;

  private constructor(
    path: string,
    file: Deno.FsFile,
    tensors: ReadonlyMap<string, TensorInfo>,
    metadata: ReadonlyMap<string, string>,
  ) {
    this.path = path;
    this.#file = file;
    this.tensors = tensors;
    this.metadata = metadata;
  }

  /**
   * Opens a file and checks its header.
   * @throws {InputError} when the file is missing or its header breaks the format.
   */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await Deno.open(path).catch((error) => {
      throw fileError(path, error);
    });
    try {
      const { size } = await file.stat();
      const length = headerLength(await readAt(file, 0, 8), size, path);
      const { tensors, metadata } = parseHeader(await readAt(file, 8, length), size, path);
      return new SafetensorsFile(path, file, tensors, metadata);
    } catch (error) {
      file.close();
      throw fileError(path, error);
    }
  }

  async #bytes(name: string): Promise<[TensorInfo, Uint8Array<ArrayBuffer>]> {
    const info = this.tensors.get(name);
    if (!info) throw new InputError(`${this.path}: there is no tensor "${name}"`);
    const bytes = await readAt(this.#file, info.begin, info.end - info.begin);
    if (bytes.length !== info.end - info.begin) {
      throw new InputError(`${this.path}: the file shrank while "${name}" was read`);
    }
    return [info, bytes];
  }

  async read(name: string): Promise<Tensor> {
    const [{ dtype, shape }, bytes] = await this.#bytes(name);
    const { buffer } = bytes;
    switch (dtype) {
      case "F64":
        return { shape, data: new Float64Array(buffer) };
      case "I64":
        return { shape, data: new BigInt64Array(buffer) };
      case "U64":
        return { shape, data: new BigUint64Array(buffer) };
      case "I32":
        return { shape, data: new Int32Array(buffer) };
      case "U32":
        return { shape, data: new Uint32Array(buffer) };
      case "I16":
        return { shape, data: new Int16Array(buffer) };
      case "U16":
        return { shape, data: new Uint16Array(buffer) };
      case "I8":
        return { shape, data: new Int8Array(buffer) };
      case "U8":
      case "BOOL":
        return { shape, data: bytes };
      default:
        return { shape, data: decodeFloats(dtype, bytes, this.#where(name)) };
    }
  }

  /**
   * A float tensor as float32 values.
   * @throws {InputError} naming a tensor that is missing, not of a float type, NaN or infinite.
   */
  async float32(name: string): Promise<Tensor<Float32Array>> {
    const [{ dtype, shape }, bytes] = await this.#bytes(name);
    const data = decodeFloats(dtype, bytes, this.#where(name));
    checkFinite(data, this.#where(name));
    return { shape, data };
  }

  #where(name: string): string {
    return `${this.path}: tensor "${name}"`;
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Several files that together hold one model. */
class ShardedTensors implements TensorSource {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string> = new Map();
  readonly #files: Map<string, SafetensorsFile>;

  constructor(files: Map<string, SafetensorsFile>) {
    this.#files = files;
    this.tensors = new Map([...files].map(([name, file]) => [name, file.tensors.get(name)!]));
  }

  read(name: string): Promise<Tensor> {
    return this.#file(name).read(name);
  }

  float32(name: string): Promise<Tensor<Float32Array>> {
    return this.#file(name).float32(name);
  }

  #file(name: string): SafetensorsFile {
    const file = this.#files.get(name);
    if (!file) throw new InputError(`the index names no tensor "${name}"`);
    return file;
  }

  [Symbol.dispose](): void {
    for (const file of new Set(this.#files.values())) file[Symbol.dispose]();
  }
}

/**
 * Opens all shards that an index names.
 * @throws {InputError} when the index is malformed, a shard is missing, or a tensor is not in its
 * shard.
 */
export async function openShards(indexPath: string): Promise<TensorSource> {
  const { weight_map: map } = await readJson(indexPath) as { weight_map?: Record<string, unknown> };
  if (typeof map !== "object" || map === null) {
    throw new InputError(
      `${indexPath}: expected an object "weight_map" (tensor name -> file name)`,
    );
  }
  const opened = new Map<string, SafetensorsFile>();
  const files = new Map<string, SafetensorsFile>();
  try {
    for (const [name, shard] of Object.entries(map)) {
      if (typeof shard !== "string" || basename(shard) !== shard || shard.includes("\\")) {
        throw new InputError(`${indexPath}: "${name}" must name a file of the same folder`);
      }
      const file = opened.get(shard) ?? await SafetensorsFile.open(join(dirname(indexPath), shard));
      opened.set(shard, file);
      if (!file.tensors.has(name)) {
        throw new InputError(`${indexPath}: "${name}" is not in ${shard}, as the index says`);
      }
      files.set(name, file);
    }
    return new ShardedTensors(files);
  } catch (error) {
    for (const file of opened.values()) file[Symbol.dispose]();
    throw error;
  }
}

/** Reads a whole file: every tensor in its own number type (F16 and BF16 as float32). */
export async function readSafetensors(path: string): Promise<Map<string, Tensor>> {
  using file = await SafetensorsFile.open(path);
  const tensors = new Map<string, Tensor>();
  for (const name of file.tensors.keys()) tensors.set(name, await file.read(name));
  return tensors;
}
