/**
 * Kernels that read textures where that is quicker than reading buffers; see `texture.ts`.
 *
 * On llvmpipe a load from a buffer puts one invocation's value after the other into a vector that lies in memory, and waits each time
 * until it can be read again: two fifths of all time of the default run on a Zen 3 core, in kernels that compute next to nothing
 * (2026-11-30). Reading from textures, copies included, the step of the 0.9M policy takes 0.68 of the GPU time.
 */
import type { Dispatch } from "./dispatch.ts";
import { elementKernel } from "./elements.ts";
import type { Tape } from "./tape.ts";
import type { Tensor } from "./tensor.ts";
import { readTextures } from "./texture.ts";

/**
 * Bytes of the largest tensor from which on a launch reads textures: a copy and the pass it begins cost about 0.1 ms, as much as reading
 * some thousand vec4s from buffers.
 */
const ENOUGH_BYTES = 2 ** 16;

/** A binding `x_before` is what `x`, which the kernel changes, held before the launch. */
const BEFORE = /@group\(0\)\s*@binding\(\d+\)\s*var<storage,\s*read>\s*(\w+)_before\s*:[^;]*;\s*/g;

/** What `Tape.dispatch` needs: the kernel for these tensors, and the tensors as it reads them. */
export type ReadingKernel = (
  tape: Tape,
  bindings: Readonly<Record<string, Tensor>>,
  types?: Readonly<Record<string, Tensor>>,
) => Pick<Dispatch, "kernel" | "bindings">;

/**
 * Defines a kernel that may read the bindings called `reads` as textures, with element types left open as in `elementKernel`. Every read
 * costs one copy per tensor, unless the tape has one that is up to date. A kernel that changes `x` in place reads `x_before`: the copy,
 * or `x` itself where it reads buffers.
 */
export function readingKernel(
  name: string,
  source: string,
  reads: readonly string[],
  constants: Readonly<Record<string, number | string>> = {},
): ReadingKernel {
  const fromBuffers = elementKernel(name, inPlace(source), constants);
  const fromTextures = elementKernel(name, readTextures(source, reads), constants);
  return (tape, bindings, types = {}) => {
    const read = reads.map((key): [string, Tensor] => [key, bindings[key.replace(/_before$/, "")]]);
    if (!worthwhile(tape, read.map(([, tensor]) => tensor))) {
      return { kernel: fromBuffers(types), bindings };
    }
    const mirrors = Object.fromEntries(read.map(([key, tensor]) => [key, tape.mirror(tensor)]));
    return { kernel: fromTextures(types), bindings: { ...bindings, ...mirrors } };
  };
}

function worthwhile({ gpu }: Tape, tensors: readonly Tensor[]): boolean {
  if (!gpu.fastTextures || tensors.some(({ dtype }) => dtype !== "f32")) return false;
  if (gpu.matmulEverywhere) return tensors.length > 0 && gpu.matmulSchedule === "textures";
  return Math.max(...tensors.map(({ bytes }) => bytes)) >= ENOUGH_BYTES;
}

function inPlace(source: string): string {
  const names = Array.from(source.matchAll(BEFORE), ([, name]) => name);
  return names.reduce(
    (code, name) => code.replaceAll(`${name}_before[`, `${name}[`),
    source.replace(BEFORE, ""),
  );
}
