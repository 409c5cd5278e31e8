/**
 * One workgroup per row: how many invocations share a row, and the WGSL with which they reduce it.
 */
import type { Gpu } from "../gpu/device.ts";
import { linearGroups } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import functions from "./row.wgsl" with { type: "text" };

/** WGSL of `row_sum`, `row_max`, `sum4`, `max4` and the override `LANES`. */
export const ROW_FUNCTIONS: string = functions;

/** How a kernel with one workgroup per row is launched. */
export interface RowLaunch {
  /** Invocations per row. */
  readonly overrides: { readonly LANES: number };
  /** One workgroup per row, folded over x and y: row = group.x + group.y * groups.x. */
  readonly groups: readonly [number, number];
  /** vec4 values of a row that each invocation visits at most. */
  readonly loops: number;
}

/**
 * Launch over the rows of `x`. A software adapter computes 8 lanes at a time and pays for every further barrier;
 * a GPU wants at least a wavefront, and more of them where rows are long.
 */
export function rowLaunch(gpu: Gpu, x: Tensor): RowLaunch {
  const columns4 = x.stride / 4;
  const LANES = gpu.info.software ? 8 : columns4 > 1024 ? 256 : 64;
  return {
    overrides: { LANES },
    groups: linearGroups(x.rows, 1),
    loops: Math.ceil(columns4 / LANES),
  };
}
