/**
 * How products are cut for an adapter, and which cut a product takes.
 *
 *     textures    a block of 16 x 16 results in the registers of one invocation, operands from textures; where a workgroup of eight is a
 *                 subgroup (`gpu/subgroups.ts`), 32 x 32 results in the registers of all eight: fewer loads, the same bits
 *     registers   a block of 8 x 16, operands from buffers
 *     tiled       64 x 64 tiles that a workgroup shares in its memory, 4 x 4 results per invocation
 *     tiled8      128 x 128 tiles, 8 x 8 results per invocation: half the loads from either memory per multiply-add
 *
 * The first two are for software adapters, where loads are dear, textures cheaper than buffers (see `gpu/texture.ts`), and workgroup
 * memory is a detour: on two lavapipe cores (2026-11-21, policy shapes) registers reach 17-21 GFLOP/s (8 x 8 blocks 15-18, compiled in
 * 0.5 s; 16 x 16 blocks 18-25, in 5 s against 1.3 s), textures 38-40 at 512^3, a workgroup's tiles 3. The last two are for GPUs. On which
 * GPU tiled8 wins is not known: none was at hand (2026-11-21), so `tiled` is the default there and `deno task bench --tune` measures both.
 *
 * Textures, subgroups against single invocations, on llvmpipe (2026-11-30, two AMD EPYC cores that others used as well; ratios of
 * processor time in 13 interleaved rounds with their middle halves; `tests/kernels/matmul/subgroup_test.ts` compares the bits):
 *
 *                              bands of 1          bands of 4
 *     NT 1024 x 1536 x 384     1.26 (1.15-1.27)  * 1.31 (1.24-1.38)       NT 1024 x 512 x 128    1.04     1.02
 *     NN 1024 x 384 x 1536     1.23 (1.13-1.32)  * 1.33 (1.25-1.37)       NN 1024 x 128 x 512    1.12     1.10
 *     TN 1536 x 384 x 1024   * 1.29 (1.20-1.41)    1.27 (1.22-1.43)       TN 512 x 128 x 1024    1.30     1.28      (* chosen)
 *
 * Compiling a pipeline cold takes 0.8-0.9 s of processor time instead of 2.0-2.6, and the first step of the 0.9M policy in a fresh process
 * without cached shaders 8.0 instead of 13.9. Tiles of 32 x 64, 16 x 64 and 64 x 32 were 1.01, 0.93 and 0.96 times as fast as 32 x 32 at
 * NT 512^3 (with a spread of a tenth) and took up to 2.5 times as long to compile.
 *
 * Row strides of an odd number of cache lines, against the conflicts of rows that lie a power of two apart, gained nothing that differs
 * from noise (same day, 31 rounds: NT 1024 x 1536 x 384 1.00, 1024 x 384 x 1536 1.06 with 1.03 between equals, 1024 x 8192 x 384 0.96,
 * NN and TN 512^3 1.01): rows keep their own length.
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
import subgroupCode from "./matmul_subgroup.wgsl" with { type: "text" };
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
  /** Long sums are cut into slices where there are few tiles, see `split.ts`. */
  readonly sliced: boolean;
  /** Blocks or tiles in a column that are neighbours, see `BAND`. */
  readonly band: Readonly<Record<MatmulForm, number>>;
  /** Its kernels; one does all forms where a workgroup shares a tile. */
  readonly kernels: Readonly<Record<MatmulForm, ElementKernel>>;
}

/**
 * Blocks in a column that neighbouring invocations take, so that they share rows of A as well as of B. GFLOP/s per core with textures for
 * bands of 1, 2 and 4, llvmpipe, 2026-11-21: NT 25, 26, 32 (1024 x 1536 x 384), 27, 37, 37 (512^3); NN 29, 29, 24 (1024 x 384 x 1536);
 * TN 28, 29, 30 (8192 x 384 x 1024).
 */
const BAND: Readonly<Record<MatmulForm, number>> = { nn: 1, nt: 4, tn: 1 };

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
  return { size: [TM, TN], shared: false, sliced: false, band: BAND, kernels };
}

function shared(tile: number, kernel: ElementKernel): Pick<Cut, "size" | "shared" | "kernels"> {
  return { size: [tile, tile], shared: true, kernels: { nn: kernel, nt: kernel, tn: kernel } };
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
  return { ...shared(TILE, kernel), sliced: true, band: { nn: 1, nt: 1, tn: 1 } };
}

function subgroupTiles(): Cut {
  const code = readTextures(subgroupCode.replace("$EPILOGUE", () => epilogue), [
    "a",
    "b",
    "residual",
  ]);
  const kernel = elementKernel("matmul_subgroup", code, { FUNCTIONS: ACTIVATION_FUNCTIONS });
  return { ...shared(32, kernel), sliced: false, band: { nn: 4, nt: 4, tn: 1 } };
}

/** The cuts by name. */
const CUTS: Readonly<Record<MatmulSchedule | "subgroups", Cut>> = {
  textures: blocks(16, 16, true),
  subgroups: subgroupTiles(),
  registers: blocks(8, 16, false),
  tiled: tiles("matmul_tiled", 1),
  tiled8: tiles("matmul_tiled8", 2),
};

/** How a schedule cuts products on an adapter. */
export function cutOf(gpu: Gpu, schedule: MatmulSchedule): Cut {
  return CUTS[schedule === "textures" && gpu.hasSubgroups ? "subgroups" : schedule];
}

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
