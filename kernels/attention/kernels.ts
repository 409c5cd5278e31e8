/**
 * The attention kernels, unrolled for a head size and an adapter.
 */
import type { Gpu } from "../gpu/device.ts";
import { defineKernel, type Kernel } from "../gpu/kernel.ts";
import attentionCode from "./attention.wgsl" with { type: "text" };
import keysCode from "./attention_backward_keys.wgsl" with { type: "text" };
import queriesCode from "./attention_backward_queries.wgsl" with { type: "text" };
import common from "./common.wgsl" with { type: "text" };

/** Rows that one invocation owns in each kernel. */
export interface Blocks {
  readonly forward: number;
  readonly queries: number;
  readonly keys: number;
}

/** Kernels for one head size, and the constants their host code must know. */
export interface AttentionKernels {
  readonly blocks: Blocks;
  readonly size: number;
  readonly sameHead: number;
  readonly forward: Kernel;
  readonly backwardQueries: Kernel;
  readonly backwardKeys: Kernel;
}

/** Blocks by head size. */
export function blocksFor(software: boolean, headStride: number): Blocks {
  if (!software) return { forward: 1, queries: 1, keys: 1 };
  const rows = (vectors: number) =>
    Math.min(8, 2 ** Math.floor(Math.log2(4 * vectors / headStride)));
  return {
    forward: Math.max(1, rows(64)),
    queries: Math.max(1, rows(32)),
    keys: Math.max(1, rows(32)),
  };
}

const made = new Map<string, AttentionKernels>();

/** The kernels for heads of `headDim` values; the text is expanded once per size. */
export function attentionKernels(
  gpu: Gpu,
  headDim: number,
  headStride: number,
  blocks: Blocks = blocksFor(gpu.info.software, headStride),
): AttentionKernels {
  const { software } = gpu.info;
  const key = JSON.stringify([software, headDim, blocks]);
  const found = made.get(key);
  if (found) return found;
  const size = software ? 8 : 64;
  const hd4 = headStride / 4;
  const tail = [0, 1, 2, 3].map((lane) => headStride - 4 + lane < headDim ? 1 : 0).join(", ");
  const constants = { COMMON: common, SIZE: size, HD4: hd4 };
  const queryBlock = (rows: number) => ({ ...constants, QB: rows, QB_LAST: rows - 1 });
  const kernels: AttentionKernels = {
    blocks,
    size,
    sameHead: software ? 0 : 1,
    forward: defineKernel("attention", attentionCode, queryBlock(blocks.forward)),
    backwardQueries: defineKernel(
      "attention_backward_queries",
      queriesCode,
      queryBlock(blocks.queries),
    ),
    backwardKeys: defineKernel("attention_backward_keys", keysCode, {
      ...constants,
      KN: blocks.keys,
      HD4_LAST: hd4 - 1,
      TAIL: tail,
    }),
  };
  made.set(key, kernels);
  return kernels;
}
