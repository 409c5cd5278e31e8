/**
 * Products to check: shapes that cover every awkward size on every axis, and the float64 answer with its epilogue.
 */
import type { MatmulForm } from "../../../kernels/matmul/matmul.ts";
import { activate, type Activation } from "../../reference/activation.ts";
import { batchedMatmul, type Layout, type MatmulShape } from "../../reference/matmul.ts";
import { randomIntegers } from "../../reference/random.ts";
import { AWKWARD } from "../harness.ts";

/** The reference's name of a form. */
export const LAYOUTS: Readonly<Record<MatmulForm, Layout>> = { nn: "NN", nt: "NT", tn: "TN" };

/**
 * All awkward sizes on each axis (each of `squares` Latin squares has them once), and `extra` random combinations.
 * @param squares 1 to 3.
 */
export function shapes(extra: number, seed: number, squares = 3): MatmulShape[] {
  const size = (i: number) => AWKWARD[i % AWKWARD.length];
  const covering = AWKWARD.flatMap((m, i) =>
    [
      { m, n: size(3 * i + 1), k: size(5 * i + 2) },
      { m, n: size(5 * i + 4), k: size(3 * i + 7) },
      { m: size(3 * i), n: m, k: size(7 * i + 3) },
    ].slice(0, squares)
  );
  const random = Array.from({ length: extra }, (_, i) => {
    const [m, n, k] = Array.from(randomIntegers(3, AWKWARD.length, seed, i), size);
    return { m, n, k };
  });
  return [{ m: 1, n: 1, k: 1 }, { m: 257, n: 257, k: 257 }, ...covering, ...random];
}

/** Stored shapes of A and B. */
export function operandShapes(
  form: MatmulForm,
  { m, n, k }: MatmulShape,
): { a: [number, number]; b: [number, number] } {
  return { a: form === "tn" ? [k, m] : [m, k], b: form === "nt" ? [n, k] : [k, n] };
}

/** What surrounds a product. */
export interface Epilogue {
  readonly alpha?: number;
  readonly bias?: Float64Array;
  readonly activation?: Activation;
  readonly residual?: Float64Array;
  readonly before?: Float64Array;
}

/** before + activation(alpha A B + bias) + residual, [batch m, n]. */
export function expected(
  form: MatmulForm,
  a: Float64Array,
  b: Float64Array,
  shape: MatmulShape,
  epilogue: Epilogue = {},
  batch = 1,
): Float64Array {
  const { alpha = 1, bias, activation = "none", residual, before } = epilogue;
  const product = batchedMatmul(a, b, shape, LAYOUTS[form], batch);
  const sum = product.map((v, i) => alpha * v + (bias?.[i % shape.n] ?? 0));
  const y = activate(activation, sum);
  return y.map((v, i) => v + (residual?.[i] ?? 0) + (before?.[i] ?? 0));
}
