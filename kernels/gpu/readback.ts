/**
 * The only file that maps buffers.
 *
 * In Deno one read-back costs at least 10 ms and blocks the event loop, whatever its size; many tensors read together cost
 * the same as one. So results gather on the GPU and are read rarely, in one map.
 */
import type { Gpu } from "./device.ts";
import { type Tensor, unpadRows } from "./tensor.ts";

/** Reads tensors in one map; row padding is removed. Unsigned tensors come back as `Uint32Array`. */
export async function readTensors(
  gpu: Gpu,
  tensors: readonly Tensor[],
): Promise<(Float32Array | Uint32Array)[]> {
  const sizes = tensors.map((t) => Math.ceil(t.bytes / 16) * 16);
  const offsets: number[] = [];
  let total = 0;
  for (const size of sizes) {
    offsets.push(total);
    total += size;
  }
  const { MAP_READ, COPY_DST } = GPUBufferUsage;
  const staging = gpu.createBuffer("read-back", total, MAP_READ | COPY_DST);
  try {
    const encoder = gpu.device.createCommandEncoder({ label: "read-back" });
    tensors.forEach((t, i) =>
      encoder.copyBufferToBuffer(
        t.place.buffer!,
        t.offset,
        staging,
        offsets[i],
        Math.ceil(t.bytes / 4) * 4,
      )
    );
    gpu.device.queue.submit([encoder.finish()]);
    gpu.counts.readbacks++;
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange().slice(0);
    gpu.check();
    return tensors.map((t, i) => decode(t, bytes, offsets[i]));
  } finally {
    staging.destroy();
  }
}

function decode(tensor: Tensor, bytes: ArrayBuffer, offset: number): Float32Array | Uint32Array {
  if (tensor.dtype === "u32") {
    return unpadRows(tensor, new Uint32Array(bytes, offset, tensor.stored)).slice();
  }
  if (tensor.dtype === "f16") {
    const half = new Float16Array(bytes, offset, tensor.stored);
    return unpadRows(tensor, Float32Array.from(half));
  }
  return unpadRows(tensor, new Float32Array(bytes, offset, tensor.stored)).slice();
}

/** Reads one float tensor. */
export async function readFloats(gpu: Gpu, tensor: Tensor): Promise<Float32Array> {
  return (await readTensors(gpu, [tensor]))[0] as Float32Array;
}

/** Waits until all submitted work is done. */
export async function settle(gpu: Gpu): Promise<void> {
  await gpu.device.queue.onSubmittedWorkDone();
  gpu.check();
}

/**
 * A ring of metric rows on the GPU: each step copies its row there, and the host reads many steps at once.
 */
export class MetricRing {
  readonly #gpu: Gpu;
  readonly #source: Tensor;
  readonly #buffer: GPUBuffer;
  readonly #rows: number;
  #written = 0;
  #read = 0;

  /** `source` is a vector of floats that each step leaves behind; `rows` steps fit before a read is due. */
  constructor(gpu: Gpu, source: Tensor, rows: number) {
    this.#gpu = gpu;
    this.#source = source;
    this.#rows = rows;
    const { COPY_SRC, COPY_DST } = GPUBufferUsage;
    this.#buffer = gpu.createBuffer("metric ring", rows * source.bytes, COPY_SRC | COPY_DST);
  }

  /** Rows written and not yet read. */
  get pending(): number {
    return this.#written - this.#read;
  }

  /** True when the next row would overwrite one that was not read. */
  get full(): boolean {
    return this.pending >= this.#rows;
  }

  /** Encodes the copy of this step's row. @throws when the ring is {@linkcode MetricRing.full}. */
  record(encoder: GPUCommandEncoder): void {
    if (this.full) {
      throw new Error(`the metric ring holds ${this.#rows} unread rows: drain it first`);
    }
    const { bytes, place, offset } = this.#source;
    encoder.copyBufferToBuffer(
      place.buffer!,
      offset,
      this.#buffer,
      (this.#written % this.#rows) * bytes,
      bytes,
    );
    this.#written++;
  }

  /** Reads all pending rows, oldest first, in one map. */
  async drain(): Promise<Float32Array[]> {
    const end = this.#written; // rows recorded while we wait are not in this copy
    if (this.pending === 0) return [];
    const { bytes } = this.#source;
    const { MAP_READ, COPY_DST } = GPUBufferUsage;
    const staging = this.#gpu.createBuffer(
      "metric ring read",
      this.#rows * bytes,
      MAP_READ | COPY_DST,
    );
    const encoder = this.#gpu.device.createCommandEncoder({ label: "metric ring" });
    encoder.copyBufferToBuffer(this.#buffer, 0, staging, 0, this.#rows * bytes);
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.#gpu.counts.readbacks++;
    await staging.mapAsync(GPUMapMode.READ);
    const all = new Float32Array(staging.getMappedRange().slice(0));
    staging.destroy();
    this.#gpu.check();
    const width = bytes / 4;
    const rows: Float32Array[] = [];
    for (; this.#read < end; this.#read++) {
      const at = (this.#read % this.#rows) * width;
      rows.push(all.slice(at, at + this.#source.columns));
    }
    return rows;
  }

  /** Frees the ring. */
  destroy(): void {
    this.#buffer.destroy();
  }
}
