/**
 * The attention kernels, unrolled for a head size and an adapter.
 *
 * An invocation owns a few rows of one head in registers and walks the other side's rows one by one. More owned rows
 * mean fewer loads per product, and more code to compile: the blocks are as large as compiles in about a second.
 */
import type { Gpu } from "../gpu/device.ts";
import { defineKernel, type Kernel } from "../gpu/kernel.ts";
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
  /** Query rows per invocation, forward. */
  readonly forward: number;
  /** Query rows per invocation, gradient of the queries. */
  readonly queries: number;
  /** Key rows per invocation, gradient of keys and values. */
  readonly keys: number;
  /** Invocations that share the keys of one query when decoding. */
  readonly lanes: number;
}

/** Kernels for one head size, and the constants their host code must know. */
export interface AttentionKernels {
  readonly schedule: AttentionSchedule;
  readonly forward: Kernel;
  readonly backwardQueries: Kernel;
  readonly backwardKeys: Kernel;
  readonly decode: Kernel;
}

/** WebGPU's guaranteed workgroup memory. */
const WORKGROUP_BYTES = 16_384;

/** The schedule for heads of `headStride` floats. */
export function attentionSchedule(software: boolean, headStride: number): AttentionSchedule {
  const fit = (vectors: number, most: number) => {
    const rows = Math.floor(Math.log2(4 * vectors / headStride));
    return Math.min(most, 2 ** Math.max(0, rows));
  };
  if (software) {
    const [forward, queries, keys] = [fit(64, 8), fit(32, 8), fit(32, 8)];
    return { size: 8, sameHead: false, forward, queries, keys, lanes: 8 };
  }
  // Not measured: chosen for registers (255 per thread) and for 64 lanes' sums in workgroup memory.
  const lanes = 2 ** Math.floor(Math.log2(WORKGROUP_BYTES / (4 * headStride + 8)));
  return {
    size: 64,
    sameHead: true,
    forward: 1,
    queries: 1,
    keys: 1,
    lanes: Math.max(1, Math.min(64, lanes)),
  };
}

const made = new Map<string, AttentionKernels>();

/** The kernels for heads of `headDim` values; the text is expanded once per size. */
export function attentionKernels(
  gpu: Gpu,
  headDim: number,
  headStride: number,
  schedule: AttentionSchedule = attentionSchedule(gpu.info.software, headStride),
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
  const kernels: AttentionKernels = {
    schedule,
    forward: defineKernel("attention", attentionCode, queryBlock(schedule.forward)),
    backwardQueries: defineKernel(
      "attention_backward_queries",
      queriesCode,
      queryBlock(schedule.queries),
    ),
    backwardKeys: defineKernel("attention_backward_keys", keysCode, keyBlock),
    decode: defineKernel("attention_decode", decodeCode, { LANES: lanes, HD4, PARTS: lanes * HD4 }),
  };
  made.set(key, kernels);
  return kernels;
}
