/**
 * The attention kernels, unrolled for a head size and an adapter.
 *
 * An invocation owns a few rows of one head in registers and walks the other side's rows one by one. More owned rows
 * mean fewer loads per product, and more code to compile: the blocks are as large as compiles in about a second.
 *
 * Measured 2026-11-21 on llvmpipe (LLVM 15, 256 bits, 2 shared cores): batch 8, 4 heads, 128 tokens, interleaved
 * medians. Blocks are forward, queries, keys; ms of the three kernels; CPU seconds to compile them cold:
 *
 *     headDim 24   8,8,8   2.2  2.5  3.2   0.6 1.7 1.6      headDim 64   8,4,4    6.7 10.9 12.7   3.1 3.5 3.3
 *                * 8,5,5   2.3  3.2  3.9   0.8 1.0 0.9                 * 4,2,2    9.0 15.5 18.9   1.1 1.1 1.1
 *                  8,4,4   2.2  3.5  4.4   0.6 0.6 0.5                   2,1,1   14.1 29.4 31.3   0.4 0.5 0.5
 *     headDim 32   8,8,8   3.0  3.7  4.6   1.0 3.2 2.9      headDim 128
 *                * 8,4,4   3.0  5.1  5.8   1.0 1.0 0.9                 * 2,1,1                    1.4 1.6 1.6
 *                  4,2,2   4.4  7.7  9.0   0.5 0.5 0.4      headDim 256
 *                                               (* chosen)             * 1,1,1                    2.6 6.5 7.0
 *
 * Those are buffers. With textures loads are cheap enough for blocks of 4,2,2 at headDim 32: the step of the 0.9M GPT-2 takes the same
 * processor time (within noise of a tenth) as with 8,4,4, and its three kernels compile in 1.3 s instead of 2.9 s on a busy machine.
 *
 * Walking the other side four rows at a time was no faster and took twice as long to compile. Decoding one token at
 * context 100, headDim 32: shared by 8 lanes against alone 106 : 124 us with 4 (row, head) pairs, 252 : 197 with 32 and
 * 1774 : 1260 with 256; 16 and 32 lanes were slower than 8 throughout.
 */
import type { Gpu } from "../gpu/device.ts";
import { type ElementKernel, elementKernel } from "../gpu/elements.ts";
import { defineKernel, type Kernel } from "../gpu/kernel.ts";
import { readTextures } from "../gpu/texture.ts";
import attentionCode from "./attention.wgsl" with { type: "text" };
import keysCode from "./attention_backward_keys.wgsl" with { type: "text" };
import queriesCode from "./attention_backward_queries.wgsl" with { type: "text" };
import decodeCode from "./attention_decode.wgsl" with { type: "text" };
import common from "./common.wgsl" with { type: "text" };

/** How the kernels are cut for an adapter. */
export interface AttentionSchedule {
  /** Workgroup size of the kernels in which an invocation works alone. */
  readonly size: number;
  /** Neighbouring invocations take the blocks of one head (GPUs), not the same block of different heads. */
  readonly sameHead: boolean;
  /** Rows of other tokens are read from textures. */
  readonly textures: boolean;
  /** Query rows per invocation, forward. */
  readonly forward: number;
  /** Query rows per invocation, gradient of the queries. */
  readonly queries: number;
  /** Key rows per invocation, gradient of keys and values. */
  readonly keys: number;
  /** Invocations that share the keys of one query when decoding. */
  readonly lanes: number;
  /** (row, head) pairs from which on each decoding invocation walks all keys of its pair alone. */
  readonly alone: number;
}

/** Kernels for one head size, and the constants their host code must know. */
export interface AttentionKernels {
  readonly schedule: AttentionSchedule;
  readonly forward: ElementKernel;
  readonly backwardQueries: ElementKernel;
  readonly backwardKeys: Kernel;
  /** Over a cache that is a buffer. */
  readonly overBuffer: CachedKernels;
  /** Over a cache that is a texture. */
  readonly overTexture: CachedKernels;
}

/** Kernels over a cache of keys and values. */
export interface CachedKernels {
  /** `forward`. */
  readonly cached: ElementKernel;
  /** `cached` with blocks of one query. */
  readonly decodeAlone: ElementKernel;
  /** One query, whose keys a workgroup shares. */
  readonly decodeShared: Kernel;
}

/** WebGPU's guaranteed workgroup memory. */
const WORKGROUP_BYTES = 16_384;

/** The schedule for heads of `headStride` floats. */
export function attentionSchedule(
  software: boolean,
  headStride: number,
  textures: boolean = software,
): AttentionSchedule {
  if (software) {
    const fit = (vectors: number) => Math.max(1, Math.min(8, Math.floor(4 * vectors / headStride)));
    return {
      size: 8,
      sameHead: false,
      textures,
      forward: Math.min(textures ? 4 : 8, fit(64)),
      queries: Math.min(textures ? 2 : 8, fit(32)),
      keys: Math.min(textures ? 2 : 8, fit(32)),
      lanes: 8,
      alone: 32,
    };
  }
  // Not measured: chosen for registers (255 per thread) and for 64 lanes' sums in workgroup memory.
  const lanes = 2 ** Math.floor(Math.log2(WORKGROUP_BYTES / (4 * headStride + 8)));
  return {
    size: 64,
    sameHead: true,
    textures,
    forward: 1,
    queries: 1,
    keys: 1,
    lanes: Math.max(1, Math.min(64, lanes)),
    alone: Infinity,
  };
}

const made = new Map<string, AttentionKernels>();

/** The kernels for heads of `headDim` values; the text is expanded once per size. */
export function attentionKernels(
  gpu: Gpu,
  headDim: number,
  headStride: number,
  schedule: AttentionSchedule = attentionSchedule(
    gpu.info.software,
    headStride,
    gpu.fastTextures,
  ),
): AttentionKernels {
  const key = JSON.stringify([headDim, schedule]);
  const found = made.get(key);
  if (found) return found;
  const { size, lanes } = schedule;
  const HD4 = headStride / 4;
  const unrolled = { COMMON: common, SIZE: size, HD4 };
  const queryBlock = (rows: number) => ({ ...unrolled, QB: rows, QB_LAST: rows - 1 });
  const tail = [0, 1, 2, 3].map((lane) => headStride - 4 + lane < headDim ? 1 : 0).join(", ");
  const keyBlock = { ...unrolled, KN: schedule.keys, HD4_LAST: HD4 - 1, TAIL: tail };
  const reading = (code: string, names: readonly string[]) =>
    schedule.textures ? readTextures(code, names) : code;
  const over = (read: (code: string) => string): CachedKernels => ({
    cached: elementKernel("attention", read(attentionCode), queryBlock(schedule.forward)),
    decodeAlone: elementKernel("attention", read(attentionCode), queryBlock(1)),
    decodeShared: defineKernel("attention_decode", read(decodeCode), {
      LANES: lanes,
      HD4,
      PARTS: lanes * HD4,
    }),
  });
  const kernels: AttentionKernels = {
    schedule,
    forward: elementKernel(
      "attention",
      reading(attentionCode, ["queries", "keys"]),
      queryBlock(schedule.forward),
    ),
    backwardQueries: elementKernel(
      "attention_backward_queries",
      reading(queriesCode, ["qkv", "d_out"]),
      queryBlock(schedule.queries),
    ),
    backwardKeys: defineKernel(
      "attention_backward_keys",
      reading(keysCode, ["qkv", "d_out", "stats"]),
      keyBlock,
    ),
    overBuffer: over((code) => code),
    overTexture: over((code) => readTextures(code, ["keys"])),
  };
  made.set(key, kernels);
  return kernels;
}
