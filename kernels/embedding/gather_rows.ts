/**
 * Some rows of a matrix of activations, such as the last token of each sequence, which a reward head reads.
 *
 * Forward is the embedding's gather. Backward needs no sorted lists as an embedding does: the rows are distinct, so each gradient
 * row has one destination and a plain scatter meets no other.
 */
import { InputError } from "../errors.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { passGrad } from "../residual/add.ts";
import { embedding } from "./embedding.ts";
import scatterCode from "./gather_rows.wgsl" with { type: "text" };

const scatter = defineKernel("scatter_rows", scatterCode);

/**
 * y[i] = x[rows[i]], [count, columns], for x [any, columns] and u32 rows [count]. Rows must be below x's and, where x gets
 * a gradient, distinct: of two equal ones only one gradient would arrive.
 * @throws {InputError} when `rows` is no u32 vector, or longer than x has rows.
 */
export function gatherRows(tape: Tape, x: Tensor, rows: Tensor): Tensor {
  const count = rows.columns;
  if (rows.dtype !== "u32" || rows.shape.length !== 1 || count > x.rows) {
    throw new InputError(
      `gatherRows: ${rows.name} must be u32 [at most ${x.rows}] for ${x.name} [${x.shape}], ` +
        `found ${rows.dtype} [${rows.shape}]`,
    );
  }
  const y = tape.noGrad(() => embedding(tape, { table: x, indices: rows }, null));
  y.needsGrad = x.needsGrad;
  if (!x.needsGrad) return y;
  tape.onBackward(() => {
    const d_x = tape.tensor(`d_${x.name}`, x.shape);
    tape.clear(d_x);
    tape.dispatch({
      kernel: scatter,
      bindings: { rows, d_y: y.grad!, d_x },
      uniforms: { count, stride4: x.stride / 4 },
      groups: linearGroups(count * x.stride / 4, 64),
    });
    passGrad(tape, x, d_x);
  });
  return y;
}
