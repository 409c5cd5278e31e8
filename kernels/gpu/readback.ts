/**
 * The only file that maps buffers.
 *
 * In Deno one read-back costs at least 10 ms and blocks the event loop, whatever its size; many tensors read together cost
 * the same as one. So results gather on the GPU and are read rarely, in one map.
 */
import { DeviceError, oneLine } from "../errors.ts";
import type { Gpu } from "./device.ts";
import { type Tensor, unpadRows } from "./tensor.ts";

/**
 * Submits `encoder` with the copies that `copy` adds into a buffer of `bytes` bytes, waits, and returns those bytes.
 * @throws {DeviceError} when the device reported an error or was lost.
 */
export async function download(
  gpu: Gpu,
  encoder: GPUCommandEncoder,
  label: string,
  bytes: number,
  copy: (staging: GPUBuffer) => void,
): Promise<ArrayBuffer> {
  const staging = gpu.createBuffer(label, bytes, GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST);
  try {
    copy(staging);
    gpu.device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(GPUMapMode.READ);
    } catch (error) {
      // What the device said is the cause; the refused map is only where it showed.
      gpu.check();
      throw new DeviceError(`${label} failed: ${oneLine(error)}`);
    }
    const data = staging.getMappedRange().slice(0);
    gpu.check();
    return data;
  } finally {
    staging.destroy();
  }
}

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
  const encoder = gpu.device.createCommandEncoder({ label: "read-back" });
  gpu.counts.readbacks++;
  const data = await download(
    gpu,
    encoder,
    "read-back",
    total,
    (staging) =>
      tensors.forEach(({ place, offset, bytes }, i) =>
        encoder.copyBufferToBuffer(place.buffer!, offset, staging, offsets[i], bytes)
      ),
  );
  return tensors.map((t, i) => decode(t, data, offsets[i]));
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
    const size = this.#rows * bytes;
    const encoder = this.#gpu.device.createCommandEncoder({ label: "metric ring" });
    this.#gpu.counts.readbacks++;
    const data = await download(
      this.#gpu,
      encoder,
      "metric ring read",
      size,
      (staging) => encoder.copyBufferToBuffer(this.#buffer, 0, staging, 0, size),
    );
    const all = new Float32Array(data, 0, size / 4);
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
