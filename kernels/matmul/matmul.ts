/**
 * Matrix products in the three forms that a linear layer and its gradients need, with a fused epilogue.
 *
 *     NT  C = A B^T   y = x W^T           (W is stored [out, in])
 *     NN  C = A B     d_x = d_y W
 *     TN  C = A^T B   d_W = d_y^T x, and the column sums of d_y beside it: d_b
 *
 * Two schedules behind one function. On software adapters a block of 8 x 16 results lives in the registers of one
 * invocation and operands come straight from buffers: 17-21 GFLOP/s on two lavapipe cores at policy shapes
 * (2026-11-21; 8x8 reaches 15-18 and compiles in 0.5 s, 16x16 reaches 18-25 but compiles in 5 s against 1.3 s, and a
 * workgroup-memory tile reaches 3). On GPUs a workgroup shares 64 x 64 tiles in workgroup memory.
 */
import { type Activation, ACTIVATION_FUNCTIONS, ACTIVATIONS } from "../activation/activation.ts";
import { InputError } from "../errors.ts";
import type { Gpu, MatmulSchedule } from "../gpu/device.ts";
import { type ElementKernel, elementKernel } from "../gpu/elements.ts";
import { expand } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import { type DType, dummyTensor, type Tensor } from "../gpu/tensor.ts";
import { readTextures } from "../gpu/texture.ts";
import { columnSum } from "../reduce/sum.ts";
import { rowsOf, rowWindows } from "../reduce/windows.ts";
import { passGrad } from "../residual/add.ts";
import block from "./block.wgsl" with { type: "text" };
import epilogue from "./epilogue.wgsl" with { type: "text" };
import nnCode from "./matmul_nn.wgsl" with { type: "text" };
import ntCode from "./matmul_nt.wgsl" with { type: "text" };
import tiledCode from "./matmul_tiled.wgsl" with { type: "text" };
import tnCode from "./matmul_tn.wgsl" with { type: "text" };

export type { MatmulSchedule } from "../gpu/device.ts";

/** Which operand is transposed. */
export type MatmulForm = "nn" | "nt" | "tn";

/**
 * Epilogue, and windows into wider matrices. A window that ends before its matrix does is a multiple of 4 columns wide:
 * its last vec4 would otherwise reach into the neighbouring columns.
 */
export interface MatmulOptions {
  /** Vector [n] added to every row. */
  readonly bias?: Tensor | null;
  /** Applied to the product plus bias, before the residual; default identity. */
  readonly activation?: Activation;
  /** Matrix of `out`'s shape added after the activation. */
  readonly residual?: Tensor | null;
  /** Factor on A B, before everything else. */
  readonly alpha?: number;
  /** Write into this tensor instead of a new one. */
  readonly out?: Tensor;
  /** Add to what `out` holds. */
  readonly accumulate?: boolean;
  /** First column of A that is read (NN, NT: of its k; TN: of its m), a multiple of 4. */
  readonly aColumn?: number;
  /** First column of `out` that is written, a multiple of 4. */
  readonly cColumn?: number;
  /** Rows of the product, where fewer than the tensors have; default, as for n and k: all. */
  readonly m?: number;
  /** Columns of the product, where fewer than the tensors have. */
  readonly n?: number;
  /** Inner size, where smaller than the tensors have. */
  readonly k?: number;
  /** TN only: vector [m] to which the column sums of A are added. */
  readonly columnSums?: Tensor | null;
  /** Number of equal matrices stored one after the other in A, B and C. */
  readonly batch?: number;
  /** Overrides the adapter's schedule. */
  readonly schedule?: MatmulSchedule;
  /** Element type of a new result; f32 where absent. Sums are float32 whatever A, B and C hold. */
  readonly dtype?: DType;
  /** Name of the result's tensor. */
  readonly name?: string;
}

/** Rows and columns of the block or tile of C that an invocation, or a workgroup, owns. */
const SIZES: Readonly<Record<MatmulSchedule, readonly [number, number]>> = {
  textures: [16, 16],
  registers: [8, 16],
  tiled: [64, 64],
};
/** Blocks in a column that neighbouring invocations take; measured with textures at 512^3: NT 30 : 40 GFLOP/s for 1 : 2, NN 38 : 33. */
const BAND: Readonly<Record<MatmulForm, number>> = { nn: 1, nt: 2, tn: 1 };
const CODE: Readonly<Record<MatmulForm, string>> = { nn: nnCode, nt: ntCode, tn: tnCode };

/** The kernels of a schedule in which one invocation owns a block. */
function blockKernels(schedule: MatmulSchedule): Readonly<Record<MatmulForm, ElementKernel>> {
  const [TM, TN] = SIZES[schedule];
  const sizes = { TM, TN, TM4: TM / 4, TN4: TN / 4 };
  const constants = { FUNCTIONS: ACTIVATION_FUNCTIONS, ...sizes, BLOCK: expand(block, sizes) };
  const kernel = (form: MatmulForm) => {
    const code = CODE[form].replace("$EPILOGUE", () => epilogue);
    const read = schedule === "textures" ? readTextures(code, ["a", "b", "residual"]) : code;
    return elementKernel(`matmul_${form}`, read, constants);
  };
  return { nn: kernel("nn"), nt: kernel("nt"), tn: kernel("tn") };
}

const textures = blockKernels("textures");
const registers = blockKernels("registers");
const tiled = elementKernel("matmul_tiled", tiledCode, {
  FUNCTIONS: ACTIVATION_FUNCTIONS,
  EPILOGUE: epilogue,
});

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
  const { batch = 1, bias = null, columnSums = null } = options;
  let { residual = null, accumulate = false } = options;
  const { m, n, k } = sizes(form, a, b, batch, options);
  const out = options.out ??
    tape.tensor(options.name ?? `${a.name}*${b.name}`, [batch * m, n], options.dtype);
  checkFit(form, a, b, out, { m, n, k }, options);
  const schedule = scheduleOf(tape.gpu, [a, b], Math.min(m, n), options);
  const [tileM, tileN] = SIZES[schedule];
  const tilesN = Math.ceil(n / tileN);
  const tilesM = Math.ceil(m / tileM);
  const band = schedule === "tiled" ? 1 : BAND[form];
  const tiles = Math.ceil(tilesM / band) * band * tilesN;
  const uniforms = {
    m,
    n,
    k,
    a_stride4: a.stride / 4,
    b_stride4: b.stride / 4,
    c_stride4: out.stride / 4,
    a_start4: (options.aColumn ?? 0) / 4,
    b_start4: 0,
    c_start4: (options.cColumn ?? 0) / 4,
    a_batch4: a.rows / batch * a.stride / 4,
    b_batch4: b.rows / batch * b.stride / 4,
    c_batch4: m * out.stride / 4,
    tiles_n: tilesN,
    tiles,
    band,
    alpha: options.alpha ?? 1,
  };
  if (schedule === "textures" && accumulate && !residual) {
    // What C holds is then read as a texture, too, which compiles faster than 64 loads from a buffer.
    residual = out;
    accumulate = false;
  }
  const overrides: Record<string, number> = {
    HAS_BIAS: Number(bias !== null),
    HAS_RESIDUAL: Number(residual !== null),
    ACCUMULATE: Number(accumulate),
    ACTIVATION: ACTIVATIONS[options.activation ?? "identity"],
  };
  const { gpu } = tape;
  const absent = dummyTensor(gpu, "read");
  const sums = columnSums ?? dummyTensor(gpu);
  const bindings = { a, b, bias: bias ?? absent, residual: residual ?? absent, c: out };
  const types = { A: a, B: b, C: out };
  const common = { uniforms, flops: 2 * batch * m * n * k };
  if (schedule === "tiled") {
    const [x, y] = linearGroups(tiles, 1);
    overrides.TRANSPOSE_A = Number(form === "tn");
    overrides.TRANSPOSE_B = Number(form === "nt");
    overrides.COLUMN_SUMS = Number(columnSums !== null);
    tape.dispatch({
      ...common,
      kernel: tiled(types),
      overrides,
      bindings: { ...bindings, sums },
      groups: [x, y, batch],
      loops: 5 * Math.ceil(k / 16),
    });
    return out;
  }
  if (form === "tn") {
    overrides.COLUMN_SUMS = Number(columnSums !== null);
    overrides.RAGGED = Number(k % 4 !== 0);
  }
  const inTextures = schedule === "textures";
  if (inTextures) {
    bindings.a = inTexture(tape, a);
    bindings.b = inTexture(tape, b);
    bindings.residual = residual ? inTexture(tape, residual) : bindings.a;
  }
  const [x, y] = linearGroups(tiles, 8);
  tape.dispatch({
    ...common,
    kernel: (inTextures ? textures : registers)[form](types),
    overrides,
    bindings: { ...bindings, ...(form === "tn" ? { sums } : {}) },
    groups: [x, y, batch],
    loops: Math.ceil(k / 4),
  });
  return out;
}

/** Products with fewer rows or columns than a block read buffers: making textures would cost more than it saves. */
const FEW = 16;

/** The schedule asked for, or the adapter's where it suits operands and size; operands in float16 lie in buffers. */
function scheduleOf(
  gpu: Gpu,
  operands: readonly Tensor[],
  smallest: number,
  { schedule }: Pick<MatmulOptions, "schedule"> = {},
): MatmulSchedule {
  const wanted = schedule ?? gpu.matmulSchedule;
  if (wanted !== "textures") return wanted;
  const halves = operands.some(({ dtype }) => dtype === "f16");
  return halves || (!schedule && smallest < FEW) ? "registers" : wanted;
}

/** The tensor as a texture: itself where it is one. */
function inTexture(tape: Tape, tensor: Tensor): Tensor {
  return tensor.inTexture ? tensor : tape.mirror(tensor);
}

function sizes(
  form: MatmulForm,
  a: Tensor,
  b: Tensor,
  batch: number,
  options: MatmulOptions,
): { m: number; n: number; k: number } {
  const aRows = a.rows / batch;
  const bRows = b.rows / batch;
  const m = options.m ?? (form === "tn" ? a.columns : aRows);
  const n = options.n ?? (form === "nt" ? bRows : b.columns);
  const k = options.k ?? (form === "tn" ? aRows : a.columns);
  const inner = form === "nt" ? b.columns : bRows;
  if (k !== inner) {
    throw new InputError(
      `matmul ${form}: ${a.name} [${a.shape}] and ${b.name} [${b.shape}] differ in the inner size: ${k} and ${inner}`,
    );
  }
  return { m, n, k };
}

/** Refuses what would silently read or write beside its window, or another vector than the one meant. */
function checkFit(
  form: MatmulForm,
  a: Tensor,
  b: Tensor,
  out: Tensor,
  { m, n, k }: { m: number; n: number; k: number },
  options: MatmulOptions,
): void {
  const { batch = 1, aColumn = 0, cColumn = 0, bias, residual, columnSums } = options;
  const [aRows, aWindow] = form === "tn" ? [k, m] : [m, k];
  const inWindow = (t: Tensor, start: number, width: number) =>
    start % 4 === 0 && start >= 0 &&
    (start + width === t.columns || (start + width < t.columns && width % 4 === 0));
  const wrong = (tensor: Tensor, expected: string) => {
    const { name, shape } = tensor;
    return new InputError(
      `matmul ${form} [${m}, ${n}]: ${name} must be ${expected}, is [${shape}]`,
    );
  };
  if (a.rows % batch !== 0 || a.rows !== batch * aRows || !inWindow(a, aColumn, aWindow)) {
    throw wrong(a, `[${batch * aRows}, ${aWindow}] or wider by fours (from column ${aColumn})`);
  }
  if (b.rows % batch !== 0 || n > (form === "nt" ? b.rows / batch : b.columns)) {
    throw wrong(b, `${batch} matrices with ${n} ${form === "nt" ? "rows" : "columns"}`);
  }
  if (out.rows < batch * m || !inWindow(out, cColumn, n)) {
    throw wrong(out, `[${batch * m}, ${n}] or wider by fours (from column ${cColumn})`);
  }
  if (bias && bias.columns !== n) throw wrong(bias, `a vector [${n}]`);
  if (residual && (residual.rows !== out.rows || residual.columns !== out.columns)) {
    throw wrong(residual, `[${out.shape}]`);
  }
  if (columnSums && (columnSums.columns !== m || batch > 1)) {
    throw wrong(columnSums, `a vector [${m}], without batch`);
  }
  if (options.activation === "swiglu") {
    throw new InputError("matmul: swiglu joins two columns and cannot be fused, use activation()");
  }
}

/** What a linear layer may add to its product. */
export interface LinearOptions {
  /** Vector [out]. */
  readonly bias?: Tensor | null;
  /** Added to the result; its gradient is the result's. */
  readonly residual?: Tensor | null;
  /** Element type of the result; f32 where absent. */
  readonly dtype?: DType;
  /** Name of the result's tensor. */
  readonly name?: string;
  /** Where the gradient of x goes, instead of a new tensor; x must not have one yet. */
  readonly d_x?: Tensor;
}

/**
 * y = x W^T + bias + residual. x is [rows, in], W is [out, in], y is [rows, out].
 * A weight that is too large for one binding (a vocabulary of 50,000 at width 768) is read in windows of rows.
 */
export function linear(tape: Tape, x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const { bias = null, residual = null, dtype, name } = options;
  const y = tape.tensor(name ?? `${x.name}*${weight.name}`, [x.rows, weight.rows], dtype);
  for (const { start, tensor } of rowWindows(tape.gpu, weight)) {
    matmul(tape, "nt", x, tensor, {
      bias: bias && rowsOf(bias, start, tensor.rows),
      residual,
      out: y,
      cColumn: start,
      n: tensor.rows,
    });
  }
  y.needsGrad = [x, weight, bias, residual].some((t) => t?.needsGrad);
  if (y.needsGrad) tape.onBackward(() => linearBackward(tape, x, weight, options, y.grad!));
  return y;
}

function linearBackward(
  tape: Tape,
  x: Tensor,
  weight: Tensor,
  { bias = null, residual = null, d_x }: LinearOptions,
  d_y: Tensor,
): void {
  if (residual?.needsGrad) passGrad(tape, residual, d_y);
  if (bias?.needsGrad && !weight.needsGrad) columnSum(tape, d_y, bias.grad!, { accumulate: true });
  const windows = rowWindows(tape.gpu, weight);
  const used = [
    d_y,
    ...(weight.needsGrad ? [x] : []),
    ...(x.needsGrad ? windows.map(({ tensor }) => tensor) : []),
  ];
  const operand = mirrored(tape, used, Math.min(x.rows, x.columns, weight.rows));
  let sum: Tensor | null = null;
  for (const { start, tensor } of windows) {
    if (weight.needsGrad) {
      const sums = bias?.needsGrad ? rowsOf(bias.grad!, start, tensor.rows) : null;
      matmul(tape, "tn", operand(d_y), operand(x), {
        aColumn: start,
        m: tensor.rows,
        out: tensor.grad!,
        accumulate: true,
        columnSums: sums,
      });
    }
    if (x.needsGrad) {
      sum = matmul(tape, "nn", operand(d_y), operand(tensor), {
        aColumn: start,
        k: tensor.rows,
        ...(sum ? { out: sum, accumulate: true } : { residual: x.grad, out: d_x }),
        name: `d_${x.name}`,
      });
    }
  }
  if (sum) x.grad = sum;
}

/** Copies what several products read into textures at once, where products of this size read textures. */
function mirrored(
  tape: Tape,
  tensors: readonly Tensor[],
  smallest: number,
): (tensor: Tensor) => Tensor {
  if (scheduleOf(tape.gpu, tensors, smallest) !== "textures") return (tensor) => tensor;
  const mirrors = new Map(tensors.map((tensor) => [tensor, inTexture(tape, tensor)]));
  return (tensor) => mirrors.get(tensor)!;
}
