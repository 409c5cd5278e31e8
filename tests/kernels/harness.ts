/**
 * What every kernel test needs: a device, tensors from host values, one replay over poisoned memory, and the error measure.
 */
import {
  type Gpu,
  MATMUL_SCHEDULES,
  type MatmulSchedule,
  openGpu,
} from "../../kernels/gpu/device.ts";
import { readTensors } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, Tensor, unpadRows, upload } from "../../kernels/gpu/tensor.ts";

if (Deno.build.os === "linux") {
  if (!Deno.env.get("DENO_WEBGPU_BACKEND")) Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
  if (!Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", "/tmp");
}

let shared: Promise<Gpu> | undefined;

/** The test file's device, opened on first use. */
export function testGpu(): Promise<Gpu> {
  return shared ??= openGpu({ profile: true });
}

/** The adapter is SwiftShader, Chromium's too: right, and slow, above all to compile. */
export function isSwiftShader({ info }: Gpu): boolean {
  return /swiftshader/i.test(`${info.vendor} ${info.architecture} ${info.description}`);
}

/**
 * Schedules of products that are worth their time on an adapter. SwiftShader compiles one for seconds; under Deno it takes those of
 * software alone: the others meet Deno's compiler of WGSL on every other adapter, and SwiftShader in Chromium.
 */
export function schedulesOn(gpu: Gpu): readonly MatmulSchedule[] {
  const all = !isSwiftShader(gpu) || Deno.build.os as string === "browser";
  return all ? MATMUL_SCHEDULES : ["textures", "registers"];
}

/** Awkward sizes: primes, powers of two and their neighbours, multiples of four and not. */
export const AWKWARD: readonly number[] = [1, 3, 5, 7, 63, 65, 127, 257];

/** A persistent tensor holding `values`. */
export function tensorOf(
  gpu: Gpu,
  name: string,
  shape: readonly number[],
  values: ArrayLike<number>,
  dtype: "f32" | "u32" = "f32",
): Tensor {
  const tensor = persistent(gpu, name, shape, dtype);
  upload(gpu, tensor, dtype === "u32" ? Uint32Array.from(values) : Float32Array.from(values));
  return tensor;
}

/** The same in float16; values are rounded. */
export function halfTensorOf(
  gpu: Gpu,
  name: string,
  shape: readonly number[],
  values: ArrayLike<number>,
): Tensor {
  const tensor = persistent(gpu, name, shape, "f16");
  const { columns, stride, stored } = tensor;
  const padded = new Float16Array(stored);
  for (let i = 0; i < values.length; i++) {
    padded[Math.floor(i / columns) * stride + i % columns] = values[i];
  }
  gpu.device.queue.writeBuffer(tensor.place.buffer!, 0, padded as BufferSource);
  return tensor;
}

/** A test of float16 kernels: without `shader-f16` it is left out, and says so in its name. */
export function halfTest(name: string, run: (gpu: Gpu) => void | Promise<void>): Promise<void> {
  return testUnless(name, (gpu) => gpu.hasF16 ? null : "no shader-f16", run);
}

/** A test that an adapter may have no use for: then it is left out, and its name says why. */
export async function testUnless(
  name: string,
  why: (gpu: Gpu) => string | null,
  run: (gpu: Gpu) => void | Promise<void>,
): Promise<void> {
  const gpu = await testGpu();
  const reason = why(gpu);
  if (reason === null) Deno.test(name, () => run(gpu));
  else Deno.test({ name: `${name} (skipped: ${reason})`, ignore: true, fn: () => {} });
}

/** A trained tensor whose gradient already holds `before` (zeros where absent): kernels must add to it. */
export function parameterOf(
  gpu: Gpu,
  name: string,
  shape: readonly number[],
  values: ArrayLike<number>,
  before: ArrayLike<number> = new Float64Array(values.length),
): Tensor {
  const tensor = tensorOf(gpu, name, shape, values);
  tensor.needsGrad = true;
  tensor.grad = tensorOf(gpu, `d_${name}`, shape, before);
  return tensor;
}

/** Float32-representable values in [-scale, scale], the same for the same seed. */
export function randomValues(count: number, seed: number, scale = 1): Float64Array {
  const values = new Float64Array(count);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < count; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = Math.fround(((state >>> 0) / 2 ** 31 - 1) * scale);
  }
  return values;
}

/**
 * Records, poisons the transients with NaN, replays and reads `outputs` (row padding removed).
 * @throws when an output matrix has anything but zeros in its padding columns.
 */
export async function runTape(
  gpu: Gpu,
  record: (tape: Tape) => readonly Tensor[],
): Promise<(Float32Array | Uint32Array)[]> {
  const tape = new Tape(gpu, "test");
  const outputs = record(tape);
  for (const output of outputs) tape.keep(output);
  tape.poison();
  tape.run();
  const stored = await readTensors(gpu, outputs.map(storedRows));
  tape.destroy();
  return outputs.map((output, i) => {
    if (!paddingIsZero(output, stored[i])) throw new Error(`${output.name}: padding is not zero`);
    return unpadRows(output, stored[i]);
  });
}

/** norm(got - want) / norm(want) over the whole tensor; the absolute norm where `want` is all zeros. */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < want.length; i++) {
    difference += (got[i] - want[i]) ** 2;
    size += want[i] ** 2;
  }
  if (!Number.isFinite(difference)) return Infinity;
  return Math.sqrt(difference) / (size > 0 ? Math.sqrt(size) : 1);
}

/** The same memory as whole stored rows, so that the padding columns are read back too. */
export function storedRows(tensor: Tensor): Tensor {
  const { name, rows, stride, dtype, place, offset } = tensor;
  return new Tensor(`${name} as stored`, [rows, stride], dtype, place, offset);
}

/**
 * Whether every padding column of `stored`, read through {@linkcode storedRows}, is zero. A row that has a NaN among its values
 * may pad with NaN: that run is lost anyway, and is reported as such.
 */
export function paddingIsZero(tensor: Tensor, stored: Float32Array | Uint32Array): boolean {
  const { rows, columns, stride } = tensor;
  for (let r = 0; r < rows; r++) {
    const row = stored.subarray(r * stride, (r + 1) * stride);
    const padding = row.subarray(columns);
    if (padding.some((v) => v !== 0) && !row.subarray(0, columns).some(Number.isNaN)) return false;
  }
  return true;
}
