/**
 * Matrix products in the three forms that a linear layer and its gradients need, with a fused epilogue.
 *
 *     NT  C = A B^T   y = x W^T           (W is stored [out, in])
 *     NN  C = A B     d_x = d_y W
 *     TN  C = A^T B   d_W = d_y^T x, and the column sums of d_y beside it: d_b
 *
 * One function, several ways to cut the work: `schedules.ts` has them, `fit.ts` the shapes, `split.ts` the cutting of long sums.
 */
import { ACTIVATIONS } from "../activation/activation.ts";
import type { MatmulSchedule } from "../gpu/device.ts";
import type { Kernel, Overrides } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import { dummyTensor, type Tensor } from "../gpu/tensor.ts";
import { checkFit, sizes } from "./fit.ts";
import type { MatmulForm, MatmulOptions } from "./options.ts";
import { type Cut, cutOf, inTexture, scheduleFor } from "./schedules.ts";
import { cutInto, type Slices, slicesOf, sumSlices } from "./split.ts";

export type { MatmulSchedule } from "../gpu/device.ts";
export type { MatmulForm, MatmulOptions } from "./options.ts";

/**
 * C = alpha op(A) op(B), then bias, activation, residual, accumulation. Returns C, [m, n]; records no backward.
 *
 * @example
 * ```ts
 * import { matmul, openGpu, persistent, readFloats, Tape, upload } from "@infant/toolkit/kernels";
 *
 * const gpu = await openGpu();
 * const a = persistent(gpu, "a", [2, 3]);
 * const b = persistent(gpu, "b", [2, 3]);
 * upload(gpu, a, Float32Array.of(1, 2, 3, 4, 5, 6));
 * upload(gpu, b, Float32Array.of(1, 0, 1, 0, 1, 0));
 *
 * const tape = new Tape(gpu, "product");
 * const c = tape.keep(matmul(tape, "nt", a, b)); // A B^T
 * tape.run();
 * console.log(await readFloats(gpu, c)); // Float32Array(4) [ 4, 2, 10, 5 ]
 * gpu.close();
 * ```
 * @throws {InputError} when the inner sizes differ, or something bound does not fit the product.
 */
export function matmul(
  tape: Tape,
  form: MatmulForm,
  a: Tensor,
  b: Tensor,
  options: MatmulOptions = {},
): Tensor {
  const { batch = 1 } = options;
  const { m, n, k } = sizes(form, a, b, batch, options);
  const out = options.out ??
    tape.tensor(options.name ?? `${a.name}*${b.name}`, [batch * m, n], options.dtype);
  checkFit(form, a, b, out, { m, n, k }, options);
  const schedule = scheduleFor(tape.gpu, [a, b], Math.min(m, n), options.schedule);
  const slices = slicesFor(cutOf(tape.gpu, schedule), form, { m, n, k }, out, options);
  if (slices.count === 1) {
    const [a_rows, b_rows] = [a.rows / batch, b.rows / batch];
    const extent = { m, n, k, k_last: k, a_rows, b_rows, count: batch };
    launch(tape, form, schedule, extent, a, b, out, options);
    return out;
  }
  // Slices are a batch whose matrices begin further down the same A and B.
  const { count } = slices;
  const { columnSums, accumulate = false, alpha, aColumn } = options;
  const partial = tape.tensor(`${out.name}.slices`, [count * m, n]);
  const sums = columnSums ? tape.tensor(`${columnSums.name}.slices`, [count, m]) : null;
  const rows = { a_rows: slices.k, b_rows: slices.k };
  const extent = { m, n, k: slices.k, k_last: slices.last, ...rows, count };
  launch(tape, form, schedule, extent, a, b, partial, { alpha, aColumn, columnSums: sums });
  sumSlices(tape, partial, count, out, accumulate);
  if (columnSums) sumSlices(tape, sums!, count, columnSums, true);
  return out;
}

/** How k is cut: for gradients of weights only, and only where the result is all of C. */
function slicesFor(
  { size, sliced }: Cut,
  form: MatmulForm,
  { m, n, k }: { m: number; n: number; k: number },
  out: Tensor,
  { batch = 1, bias, residual, activation = "identity", slices }: MatmulOptions,
): Slices {
  const plain = batch === 1 && !bias && !residual && activation === "identity";
  const whole = out.rows === m && out.columns === n && out.dtype === "f32";
  if (form !== "tn" || !plain || !whole) return cutInto(1, k);
  if (slices !== undefined || !sliced) return cutInto(slices ?? 1, k);
  return slicesOf(Math.ceil(m / size[0]) * Math.ceil(n / size[1]), k);
}

/** The products of one dispatch, side by side along z. */
interface Extent {
  readonly m: number;
  readonly n: number;
  /** Inner size of each. */
  readonly k: number;
  /** Inner size of the last. */
  readonly k_last: number;
  /** Rows from one product's A to the next one's. */
  readonly a_rows: number;
  /** Rows from one product's B to the next one's. */
  readonly b_rows: number;
  /** Number of products. */
  readonly count: number;
}

/** Appends one dispatch. */
function launch(
  tape: Tape,
  form: MatmulForm,
  schedule: MatmulSchedule,
  { m, n, k, k_last, a_rows, b_rows, count }: Extent,
  a: Tensor,
  b: Tensor,
  out: Tensor,
  options: MatmulOptions,
): void {
  const { bias = null, columnSums = null } = options;
  let { residual = null, accumulate = false } = options;
  const { size: [tileM, tileN], shared, band: bands, kernels } = cutOf(tape.gpu, schedule);
  const tilesN = Math.ceil(n / tileN);
  const band = bands[form];
  const tiles = Math.ceil(Math.ceil(m / tileM) / band) * band * tilesN;
  const sliced = columnSums !== null && columnSums.rows === count && columnSums.shape.length > 1;
  const uniforms = {
    m,
    n,
    k,
    k_last,
    a_stride4: a.stride / 4,
    b_stride4: b.stride / 4,
    c_stride4: out.stride / 4,
    a_start4: (options.aColumn ?? 0) / 4,
    b_start4: 0,
    c_start4: (options.cColumn ?? 0) / 4,
    a_batch4: a_rows * a.stride / 4,
    b_batch4: b_rows * b.stride / 4,
    c_batch4: m * out.stride / 4,
    tiles_n: tilesN,
    tiles,
    band,
    sums_slice4: sliced ? columnSums.stride / 4 : 0,
    alpha: options.alpha ?? 1,
  };
  const textures = schedule === "textures";
  if (textures && accumulate && !residual) {
    // What C holds is then read as a texture, too, which compiles faster than 64 loads from a buffer.
    residual = out;
    accumulate = false;
  }
  const kernel = kernels[form]({ A: a, B: b, C: out });
  const overrides = declared(kernel, {
    WHOLE: Number(m % tileM === 0 && n % tileN === 0),
    HAS_BIAS: Number(bias !== null),
    HAS_RESIDUAL: Number(residual !== null),
    ACCUMULATE: Number(accumulate),
    ACTIVATION: ACTIVATIONS[options.activation ?? "identity"],
    COLUMN_SUMS: columnSums === null ? 0 : sliced ? 2 : 1,
    TRANSPOSE_A: Number(form === "tn"),
    TRANSPOSE_B: Number(form === "nt"),
    RAGGED: Number(form === "tn" && (k % 4 !== 0 || k_last % 4 !== 0)),
  });
  const absent = dummyTensor(tape.gpu, "read");
  const operand = (tensor: Tensor) => textures ? inTexture(tape, tensor) : tensor;
  const [readA, readB] = [operand(a), operand(b)];
  tape.dispatch({
    kernel,
    bindings: {
      a: readA,
      b: readB,
      bias: bias ?? absent,
      residual: residual ? operand(residual) : textures ? readA : absent,
      c: out,
      sums: columnSums ?? dummyTensor(tape.gpu),
    },
    uniforms,
    overrides,
    groups: [...linearGroups(tiles, shared ? 1 : 8), count],
    loops: shared && !textures ? 5 * Math.ceil(k / 16) : Math.ceil(k / 4),
    flops: 2 * m * n * (k * (count - 1) + k_last),
  });
}

/** Of these overrides those that the kernel has. */
function declared({ code }: Kernel, values: Readonly<Record<string, number>>): Overrides {
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => code.includes(`override ${name}:`)),
  );
}
