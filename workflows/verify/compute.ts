/**
 * One use of a few kernels on host values: record, run once, read.
 */
import type { Gpu } from "../../kernels/gpu/device.ts";
import { readTensors } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../kernels/gpu/tensor.ts";

/** Makes the tensors of a computation. */
export interface Workbench {
  readonly gpu: Gpu;
  readonly tape: Tape;
  /** A float tensor that holds `values`. */
  floats(name: string, shape: readonly number[], values: ArrayLike<number>): Tensor;
  /** A vector of unsigned integers. */
  integers(name: string, values: ArrayLike<number>): Tensor;
}

/** Runs what `record` records and reads the tensors it returns; frees everything. */
export async function compute(
  gpu: Gpu,
  record: (bench: Workbench) => readonly Tensor[],
): Promise<Float32Array[]> {
  const made: Tensor[] = [];
  const tape = new Tape(gpu, "computation");
  const keep = (tensor: Tensor, values: Float32Array | Uint32Array): Tensor => {
    made.push(tensor);
    upload(gpu, tensor, values);
    return tensor;
  };
  try {
    const outputs = record({
      gpu,
      tape,
      floats: (name, shape, values) =>
        keep(persistent(gpu, name, shape), Float32Array.from(values)),
      integers: (name, values) =>
        keep(persistent(gpu, name, [values.length], "u32"), Uint32Array.from(values)),
    });
    for (const tensor of outputs) tape.keep(tensor);
    tape.run();
    return await readTensors(gpu, outputs) as Float32Array[];
  } finally {
    tape.destroy();
    for (const tensor of made) tensor.place.buffer!.destroy();
  }
}
