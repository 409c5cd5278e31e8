/**
 * Kernels whose bindings may hold float32 or float16.
 *
 * The arithmetic is float32 either way; only what is loaded and stored differs. So one text serves both: a binding is declared as
 * `array<$A>`, read as `vec4f(a[i])` and written as `a[i] = $A(value)`, and `$A` is `vec4f` or `vec4<f16>`.
 */
import { defineKernel, type Kernel } from "./kernel.ts";
import type { DType, Tensor } from "./tensor.ts";

/** WGSL of four elements. */
export const VEC4: Readonly<Record<DType, string>> = {
  f32: "vec4f",
  f16: "vec4<f16>",
  u32: "vec4u",
};

/** Chooses the kernel for the tensors that fill its `$NAME`s; each combination of types is made once. */
export type ElementKernel = (tensors: Readonly<Record<string, Tensor>>) => Kernel;

/** Defines a kernel with element types left open; `constants` fill the other `$NAME`s. */
export function elementKernel(
  name: string,
  source: string,
  constants: Readonly<Record<string, number | string>> = {},
): ElementKernel {
  const made = new Map<string, Kernel>();
  return (tensors) => {
    const types = Object.entries(tensors).map(([key, { dtype }]) => [key, VEC4[dtype]]);
    const key = types.join();
    let kernel = made.get(key);
    if (!kernel) {
      kernel = defineKernel(name, source, { ...constants, ...Object.fromEntries(types) });
      made.set(key, kernel);
    }
    return kernel;
  };
}
