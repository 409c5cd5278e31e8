/**
 * Rotary position embedding (Su et al., arXiv:2104.09864) in the rotate-half form of GPT-NeoX and Llama.
 *
 * Pair i of a head, (x_i, x_(i + ropeDims/2)), turns by the angle position * theta^(-2i / ropeDims). The angles
 * are computed once on the host in float64: in float32 the product loses the digits that matter far into a
 * long context.
 */
import { checkFused, checkIndices, checkShape } from "../attention/layout.ts";
import { InputError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { readingKernel } from "../gpu/reading.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import { persistent, type Tensor, upload } from "../gpu/tensor.ts";
import type { PolicyConfig } from "../policy/config.ts";
import code from "./rope.wgsl" with { type: "text" };

const byVectors = readingKernel("rope", code, ["table", "qkv_before"], { UNIT: "vec4f" });
const byPairs = readingKernel("rope", code, [], { UNIT: "f32" });

/**
 * The table of angles as a persistent tensor [context, ropeDims]: ropeDims/2 cosines, then as many sines.
 * @throws {InputError} when the policy has no rotary positions.
 */
export function ropeTable(gpu: Gpu, config: PolicyConfig): Tensor {
  checkRotary(config);
  const { context, ropeDims, ropeTheta } = config;
  const half = ropeDims / 2;
  const values = new Float32Array(context * ropeDims);
  for (let position = 0; position < context; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * ropeTheta ** (-2 * i / ropeDims);
      values[position * ropeDims + i] = Math.cos(angle);
      values[position * ropeDims + half + i] = Math.sin(angle);
    }
  }
  const table = persistent(gpu, "rope table", [context, ropeDims]);
  upload(gpu, table, values);
  return table;
}

/**
 * Rotates the queries and keys of `qkv` [rows, (heads + 2 kvHeads) * headStride] to `positions` [rows] in place,
 * and in backward rotates `qkv.grad` back in place: nothing but the projection that made `qkv` may read it.
 * Values, dimensions from ropeDims on and the zeros that pad a head are left alone.
 * @param positions u32, each below `config.context`; the data code guarantees it, the GPU cannot report it.
 * @throws {InputError} when a shape does not fit the policy.
 */
export function rotate(
  tape: Tape,
  qkv: Tensor,
  positions: Tensor,
  table: Tensor,
  config: PolicyConfig,
  headStride: number,
): void {
  checkRotary(config);
  checkFused(qkv, qkv.rows, config, headStride);
  checkIndices(positions, qkv.rows);
  checkShape(table, [config.context, config.ropeDims]);
  const half = config.ropeDims / 2;
  const unit = half % 4 === 0 ? 4 : 1;
  const shape = {
    tokens: qkv.rows,
    heads: config.heads + config.kvHeads,
    half: half / unit,
    head_stride: headStride / unit,
    row_stride: qkv.stride / unit,
    table_stride: table.stride / unit,
  };
  const turn = (x: Tensor, direction: 1 | -1) =>
    tape.dispatch({
      ...(unit === 4 ? byVectors : byPairs)(tape, { positions, table, qkv: x }),
      uniforms: { ...shape, direction },
      groups: linearGroups(shape.tokens * shape.heads * shape.half, 64),
    });
  turn(qkv, 1);
  if (!qkv.needsGrad) return;
  tape.onBackward(() => turn(qkv.grad!, -1));
}

function checkRotary(config: PolicyConfig): void {
  if (config.positions !== "rope" || config.ropeDims < 2 || config.ropeDims % 2 !== 0) {
    throw new InputError(
      `rotary positions need positions "rope" and an even ropeDims of at least 2, found ` +
        `"${config.positions}" and ${config.ropeDims}`,
    );
  }
}
