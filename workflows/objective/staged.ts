/**
 * What a term uploads for every micro-batch of a step: all slots before the step is submitted, each copied into place when its turn comes.
 */
import type { Gpu } from "../../kernels/gpu/device.ts";
import { type DType, type Place, Tensor } from "../../kernels/gpu/tensor.ts";

/** Number of values and their type, by name. */
export type StagedShapes = Readonly<Record<string, readonly [count: number, dtype: DType]>>;

/** Vectors in one buffer, with an image of it for each slot. */
export class Staged<Shapes extends StagedShapes> {
  /** The current slot's vectors. */
  readonly tensors: Readonly<Record<keyof Shapes, Tensor>>;
  readonly #gpu: Gpu;
  readonly #buffer: GPUBuffer;
  readonly #images: GPUBuffer;
  readonly #bytes: number;

  /** Allocates `slots` images; all zeros. */
  constructor(gpu: Gpu, name: string, slots: number, shapes: Shapes) {
    this.#gpu = gpu;
    const place: Place = { buffer: null, bytes: 0 };
    let at = 0;
    const tensors = Object.entries(shapes).map(([key, [count, dtype]]) => {
      const tensor = new Tensor(`${name} ${key}`, [count], dtype, place, at);
      at += Math.ceil(tensor.bytes / 256) * 256;
      return [key, tensor];
    });
    this.tensors = Object.fromEntries(tensors);
    this.#bytes = at;
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    this.#buffer = gpu.createBuffer(name, at, STORAGE | COPY_DST);
    this.#images = gpu.createBuffer(`${name} slots`, slots * at, COPY_SRC | COPY_DST);
    place.buffer = this.#buffer;
  }

  /** Uploads a slot's values; vectors that get fewer than they hold end in `fill` (0 unless given). */
  upload(
    slot: number,
    values: Readonly<Record<keyof Shapes, ArrayLike<number>>>,
    fill: Partial<Readonly<Record<keyof Shapes, number>>> = {},
  ): void {
    const image = new ArrayBuffer(this.#bytes);
    for (const [name, tensor] of Object.entries(this.tensors) as [keyof Shapes, Tensor][]) {
      const View = tensor.dtype === "u32" ? Uint32Array : Float32Array;
      const view = new View(image, tensor.offset, tensor.columns);
      view.fill(fill[name] ?? 0);
      view.set(values[name]);
    }
    this.#gpu.device.queue.writeBuffer(this.#images, slot * this.#bytes, image);
  }

  /** Encodes making a slot's values the current ones. */
  select(encoder: GPUCommandEncoder, slot: number): void {
    encoder.copyBufferToBuffer(this.#images, slot * this.#bytes, this.#buffer, 0, this.#bytes);
  }

  /** Frees the buffers. */
  destroy(): void {
    this.#buffer.destroy();
    this.#images.destroy();
  }
}
