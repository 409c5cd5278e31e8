/**
 * Sums of a vector and of a matrix's columns.
 *
 * Long sums are taken in two stages of fixed shape, because floating-point atomics would make the order, and so the last
 * bits, a matter of chance; and because one invocation may only loop so often.
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { checkSlot, checkVector } from "./checks.ts";
import columnCode from "./column_sum.wgsl" with { type: "text" };
import { flatLaunch } from "./flat.ts";
import { ROW_FUNCTIONS } from "./rows.ts";
import sumCode from "./sum.wgsl" with { type: "text" };

const sumKernel = defineKernel("sum", sumCode, { ROW_FUNCTIONS });
const columnKernel = defineKernel("column_sum", columnCode);

/** Workgroups of the first stage; enough for a GPU, and the second stage stays one workgroup. */
const PARTIAL_SUMS = 256;
/** Below this many floats one workgroup is faster than a second dispatch (measured: 30-40 us each on lavapipe). */
const ONE_STAGE = 16_384;

/** What happens to the sum. */
export interface SumOptions {
  /** Factor of the sum; 1 where absent. */
  readonly scale?: number;
  /** Add to what is there instead of replacing it. */
  readonly accumulate?: boolean;
}

/**
 * out[index] (+)= scale * sum(x), for a vector x [length].
 * @throws {InputError} when x is no float vector or `index` lies outside `out`.
 */
export function sumInto(
  tape: Tape,
  x: Tensor,
  out: Tensor,
  index: number,
  options: SumOptions = {},
): void {
  checkVector("sumInto", x);
  checkSlot("sumInto", out, index, 1);
  const { scale = 1, accumulate = false } = options;
  const length = x.columns;
  if (length <= ONE_STAGE) {
    sumStage(tape, x, length, out, { index, groups: 1, scale, accumulate });
    return;
  }
  const partial = tape.tensor(`${x.name}.partial_sums`, [PARTIAL_SUMS]);
  const first = { index: 0, groups: PARTIAL_SUMS, scale: 1, accumulate: false };
  sumStage(tape, x, length, partial, first);
  sumStage(tape, partial, PARTIAL_SUMS, out, { index, groups: 1, scale, accumulate });
}

interface Stage extends Required<SumOptions> {
  readonly index: number;
  readonly groups: number;
}

function sumStage(tape: Tape, x: Tensor, length: number, out: Tensor, stage: Stage): void {
  const { index, scale, accumulate } = stage;
  const { chunk4, ...launch } = flatLaunch(tape.gpu, Math.ceil(length / 4), stage.groups);
  tape.dispatch({
    kernel: sumKernel,
    bindings: { x, out },
    uniforms: { length, chunk4, index, scale, accumulate: Number(accumulate) },
    ...launch,
    loops: launch.loops + 8,
    flops: length,
  });
}

/**
 * out[column] (+)= sum over rows of x[row, column], for x [rows, columns] and out [columns].
 * @throws {InputError} when the shapes do not belong together.
 */
export function columnSum(
  tape: Tape,
  x: Tensor,
  out: Tensor,
  options: { readonly accumulate?: boolean } = {},
): void {
  if (out.shape.length !== 1 || out.columns !== x.columns || x.shape.length < 2) {
    throw new InputError(
      `columnSum of ${x.name} [${x.shape}] into ${out.name} [${out.shape}]: ` +
        `expected [rows, columns] into [columns]`,
    );
  }
  const accumulate = options.accumulate ?? false;
  const { rows } = x;
  const columns4 = x.stride / 4;
  // About the square root of the rows balances the two stages; narrow matrices need more chunks to fill the machine.
  const chunks = Math.min(rows, Math.max(Math.ceil(Math.sqrt(rows)), Math.ceil(1024 / columns4)));
  if (rows < 32) {
    columnStage(tape, x, rows, out, 1, accumulate);
    return;
  }
  const partial = tape.tensor(`${x.name}.partial_sums`, [chunks, x.columns]);
  columnStage(tape, x, rows, partial, chunks, false);
  columnStage(tape, partial, chunks, out, 1, accumulate);
}

function columnStage(
  tape: Tape,
  x: Tensor,
  rows: number,
  out: Tensor,
  chunks: number,
  accumulate: boolean,
): void {
  const columns4 = x.stride / 4;
  const rows_per_chunk = Math.ceil(rows / chunks);
  tape.dispatch({
    kernel: columnKernel,
    bindings: { x, out },
    uniforms: { rows, columns4, rows_per_chunk, chunks, accumulate: Number(accumulate) },
    groups: linearGroups(chunks * columns4, 64),
    loops: rows_per_chunk,
    flops: rows * x.columns,
  });
}
