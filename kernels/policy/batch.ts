/**
 * A batch of tokens on the GPU: one buffer, one upload per step.
 */
import { segmentCapacity, sortByEntry } from "../embedding/embedding.ts";
import type { EntryLists } from "../embedding/embedding.ts";
import { InputError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { type DType, type Place, Tensor } from "../gpu/tensor.ts";
import type { PolicyConfig } from "./config.ts";

/** Marks a position without a target. */
export const NO_TARGET = 0xffffffff;

/** Host values of a batch of `rows` x `length` tokens; the data code defines the meaning of each. */
export interface BatchValues {
  /** Sequences. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Token ids, [rows * length]. */
  readonly ids: Uint32Array;
  /** Next token of each token, or {@linkcode NO_TARGET}. */
  readonly targets: Uint32Array;
  /** Loss weight of each token; 0 for those without a target. */
  readonly weights: Float32Array;
  /** Position of each token in its own sequence. */
  readonly positions: Uint32Array;
  /** Index in its row of each token's first visible key. */
  readonly starts: Uint32Array;
  /** Weights of the KL term of value imprinting where they differ from the loss weights. */
  readonly klWeights?: Float32Array;
}

/** How a batch is scaled and where it goes. */
export interface UploadOptions {
  /**
   * Factor on the loss weights: 1 / (total weight of all batches of the step) makes accumulation over several batches equal to
   * one large batch. Default 1.
   */
  readonly weightScale?: number;
  /** Factor on the weights of the KL term; default the same. */
  readonly klScale?: number;
  /** Number of the micro-batch within the step; default 0. */
  readonly slot?: number;
  /** u32: decides what dropout drops; default 0. */
  readonly seed?: number;
}

/** A batch's tensors, each [rows * length], and the sorted lists that the embedding's backward needs. */
export class TokenTensors {
  /** Sequences. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** u32: token ids. */
  readonly ids: Tensor;
  /** u32: next tokens. */
  readonly targets: Tensor;
  /** Loss weights, scaled. */
  readonly weights: Tensor;
  /** Weights of the KL term, scaled. */
  readonly klWeights: Tensor;
  /** u32: positions. */
  readonly positions: Tensor;
  /** u32: first visible keys. */
  readonly starts: Tensor;
  /** u32 [4]: seed of the batch's dropout masks, then zeros. */
  readonly seed: Tensor;
  /** Rows of the batch by token id. */
  readonly idLists: EntryLists;
  /** Rows of the batch by position. */
  readonly positionLists: EntryLists;
  readonly #gpu: Gpu;
  readonly #config: PolicyConfig;
  readonly #buffer: GPUBuffer;
  /** One image per micro-batch of a step, copied into the batch between replays; null where there is one. */
  readonly #staged: GPUBuffer | null;
  readonly #image: ArrayBuffer;

  /** `slots` micro-batches can be uploaded before a step; see {@linkcode TokenTensors.select}. */
  constructor(gpu: Gpu, config: PolicyConfig, rows: number, length: number, slots = 1) {
    if (length > config.context) {
      throw new InputError(
        `length ${length} is more than the policy's context of ${config.context} tokens`,
      );
    }
    this.#gpu = gpu;
    this.#config = config;
    this.rows = rows;
    this.length = length;
    const count = rows * length;
    const place: Place = { buffer: null, bytes: 0 };
    let at = 0;
    const add = (name: string, shape: readonly number[], dtype: DType): Tensor => {
      const tensor = new Tensor(name, shape, dtype, place, at);
      at += Math.ceil(tensor.bytes / 256) * 256;
      return tensor;
    };
    const lists = (name: string, entries: number): EntryLists => ({
      order: add(`${name} order`, [count], "u32"),
      segments: add(`${name} segments`, [segmentCapacity(count, entries), 4], "u32"),
    });
    this.ids = add("ids", [count], "u32");
    this.targets = add("targets", [count], "u32");
    this.weights = add("weights", [count], "f32");
    this.klWeights = add("kl weights", [count], "f32");
    this.positions = add("positions", [count], "u32");
    this.starts = add("starts", [count], "u32");
    this.seed = add("dropout seed", [4], "u32");
    this.idLists = lists("ids", config.vocabSize);
    this.positionLists = lists("positions", config.context);
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    this.#buffer = gpu.createBuffer("batch", at, STORAGE | COPY_DST);
    this.#staged = slots > 1
      ? gpu.createBuffer("staged batches", slots * at, COPY_SRC | COPY_DST)
      : null;
    place.buffer = this.#buffer;
    this.#image = new ArrayBuffer(at);
  }

  /**
   * Uploads a batch.
   * @throws {InputError} on a wrong size, or a token or position outside the policy's range.
   */
  upload(values: BatchValues, options: UploadOptions = {}): void {
    const { weightScale = 1, klScale = weightScale, slot = 0, seed = 0 } = options;
    const { rows, length } = values;
    if (rows !== this.rows || length !== this.length) {
      throw new InputError(
        `batch must be ${this.rows} x ${this.length} tokens, got ${rows} x ${length}`,
      );
    }
    const count = rows * length;
    for (const [name, { length: found }] of Object.entries(arraysOf(values))) {
      if (found !== count) {
        throw new InputError(`batch: ${name} must have ${count} values, found ${found}`);
      }
    }
    checkBelow("token id", values.ids, this.#config.vocabSize);
    checkBelow("position", values.positions, this.#config.context);
    checkBelow("target", values.targets, this.#config.vocabSize, NO_TARGET);
    const put = (tensor: Tensor, data: Uint32Array | Float32Array) =>
      new (data.constructor as typeof Uint32Array)(this.#image, tensor.offset, data.length).set(
        data,
      );
    put(this.ids, values.ids);
    put(this.targets, values.targets);
    put(this.weights, values.weights.map((w) => w * weightScale));
    put(this.klWeights, (values.klWeights ?? values.weights).map((w) => w * klScale));
    put(this.positions, values.positions);
    put(this.starts, values.starts);
    put(this.seed, Uint32Array.of(seed));
    this.#putLists(this.idLists, values.ids, this.#config.vocabSize, put);
    if (this.#config.positions === "learned") {
      this.#putLists(this.positionLists, values.positions, this.#config.context, put);
    }
    const at = this.#staged ? slot * this.#image.byteLength : 0;
    this.#gpu.device.queue.writeBuffer(this.#staged ?? this.#buffer, at, this.#image);
  }

  /** Encodes making micro-batch `slot` the current one. */
  select(encoder: GPUCommandEncoder, slot: number): void {
    if (!this.#staged) return;
    const bytes = this.#image.byteLength;
    encoder.copyBufferToBuffer(this.#staged, slot * bytes, this.#buffer, 0, bytes);
  }

  #putLists(
    lists: EntryLists,
    indices: Uint32Array,
    entries: number,
    put: (tensor: Tensor, data: Uint32Array) => void,
  ): void {
    const { order, segments } = sortByEntry(indices, entries);
    put(lists.order, order);
    put(lists.segments, segments);
  }

  /** Frees the buffer. */
  destroy(): void {
    this.#buffer.destroy();
    this.#staged?.destroy();
  }
}

function arraysOf(values: BatchValues): Readonly<Record<string, ArrayLike<number>>> {
  const { ids, targets, weights, positions, starts, klWeights = weights } = values;
  return { ids, targets, weights, positions, starts, klWeights };
}

function checkBelow(what: string, values: Uint32Array, limit: number, except = -1): void {
  for (let i = 0; i < values.length; i++) {
    if (values[i] >= limit && values[i] !== except) {
      throw new InputError(`${what} ${values[i]} at place ${i} of the batch is not below ${limit}`);
    }
  }
}
