/**
 * How products are cut for an adapter, and which cut a product takes.
 *
 *     textures    a block of 16 x 16 results in the registers of one invocation, operands from textures
 *     registers   a block of 8 x 16, operands from buffers
 *     tiled       64 x 64 tiles that a workgroup shares in its memory, 4 x 4 results per invocation
 *     tiled8      128 x 128 tiles, 8 x 8 results per invocation: half the loads from either memory per multiply-add
 *
 * The first two are for software adapters, where loads are dear, textures cheaper than buffers (see `gpu/texture.ts`), and workgroup
 * memory is a detour: on two lavapipe cores (2026-11-21, policy shapes) registers reach 17-21 GFLOP/s (8 x 8 blocks 15-18, compiled in
 * 0.5 s; 16 x 16 blocks 18-25, in 5 s against 1.3 s), textures 38-40 at 512^3, a workgroup's tiles 3. The last two are for GPUs. On which GPU tiled8 wins is not known: none was at hand (2026-11-21), so `tiled`
 * is the default there and `deno task bench --tune` measures both.
 *
 * Subgroup operations are not used. Deno 2.9.6 grants the feature on llvmpipe though the adapter does not list it, and its compiler
 * (naga) takes `subgroupAdd` only in a shader without `enable subgroups;`, which Chrome's demands: no text suits both.
 */
import { ACTIVATION_FUNCTIONS } from "../activation/activation.ts";
import type { Gpu, MatmulSchedule } from "../gpu/device.ts";
import { type ElementKernel, elementKernel } from "../gpu/elements.ts";
import { expand } from "../gpu/kernel.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { readTextures } from "../gpu/texture.ts";
import block from "./block.wgsl" with { type: "text" };
import epilogue from "./epilogue.wgsl" with { type: "text" };
import type { MatmulForm } from "./options.ts";
import nnCode from "./matmul_nn.wgsl" with { type: "text" };
import ntCode from "./matmul_nt.wgsl" with { type: "text" };
import tiledCode from "./matmul_tiled.wgsl" with { type: "text" };
import tnCode from "./matmul_tn.wgsl" with { type: "text" };

/** A schedule's sizes and kernels. */
export interface Cut {
  /** Rows and columns of the block or tile of C that an invocation, or a workgroup, owns. */
  readonly size: readonly [number, number];
  /** A workgroup shares a tile. */
  readonly shared: boolean;
  /** Its kernels; one does all forms where a workgroup shares a tile. */
  readonly kernels: Readonly<Record<MatmulForm, ElementKernel>>;
}

/**
 * Blocks in a column that neighbouring invocations take, so that they share rows of A as well as of B. GFLOP/s per core with textures for
 * bands of 1, 2 and 4, llvmpipe, 2026-11-21: NT 25, 26, 32 (1024 x 1536 x 384), 27, 37, 37 (512^3); NN 29, 29, 24 (1024 x 384 x 1536);
 * TN 28, 29, 30 (8192 x 384 x 1024).
 */
export const BAND: Readonly<Record<MatmulForm, number>> = { nn: 1, nt: 4, tn: 1 };

const CODE: Readonly<Record<MatmulForm, string>> = { nn: nnCode, nt: ntCode, tn: tnCode };

function blocks(TM: number, TN: number, textures: boolean): Cut {
  const sizes = { TM, TN, TM4: TM / 4, TN4: TN / 4 };
  const constants = { FUNCTIONS: ACTIVATION_FUNCTIONS, ...sizes, BLOCK: expand(block, sizes) };
  const kernel = (form: MatmulForm) => {
    const code = CODE[form].replace("$EPILOGUE", () => epilogue);
    const read = textures ? readTextures(code, ["a", "b", "residual"]) : code;
    return elementKernel(`matmul_${form}`, read, constants);
  };
  const kernels = { nn: kernel("nn"), nt: kernel("nt"), tn: kernel("tn") };
  return { size: [TM, TN], shared: false, kernels };
}

function tiles(name: string, squares: number): Cut {
  const TILE = 64 * squares;
  const kernel = elementKernel(name, tiledCode, {
    FUNCTIONS: ACTIVATION_FUNCTIONS,
    EPILOGUE: epilogue,
    Q: squares,
    TILE,
    TILE_SIZE: 16 * TILE,
  });
  return { size: [TILE, TILE], shared: true, kernels: { nn: kernel, nt: kernel, tn: kernel } };
}

/** The cuts by name. */
export const CUTS: Readonly<Record<MatmulSchedule, Cut>> = {
  textures: blocks(16, 16, true),
  registers: blocks(8, 16, false),
  tiled: tiles("matmul_tiled", 1),
  tiled8: tiles("matmul_tiled8", 2),
};

/** Products with fewer rows or columns than a block read buffers: making textures would cost more than it saves. */
const FEW = 16;

/**
 * The schedule of a product whose C has `smallest` rows or columns, whichever is fewer: the one asked for, or the adapter's where it
 * suits operands and size. Operands in float16 lie in buffers.
 */
export function scheduleFor(
  gpu: Gpu,
  operands: readonly Tensor[],
  smallest: number,
  asked?: MatmulSchedule,
): MatmulSchedule {
  const wanted = asked ?? gpu.matmulSchedule;
  const suits = (least: number) => asked || gpu.matmulEverywhere || smallest >= least;
  if (wanted === "textures") {
    const halves = operands.some(({ dtype }) => dtype === "f16");
    return !halves && suits(FEW) ? wanted : "registers";
  }
  // A tile that C does not fill is work thrown away.
  return wanted !== "tiled8" || suits(CUTS.tiled8.size[0]) ? wanted : "tiled";
}

/** The tensor as a texture: itself where it is one. */
export function inTexture(tape: Tape, tensor: Tensor): Tensor {
  return tensor.inTexture ? tensor : tape.mirror(tensor);
}
