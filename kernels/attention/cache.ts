/**
 * Attention over cached keys and values, for generating text token by token.
 *
 * Where the next token goes is read from a `cursor` on the GPU, so one recorded tape serves every step of a generation:
 * nothing is recorded, bound or read back between tokens.
 */
import { InputError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { defineKernel } from "../gpu/kernel.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import { persistent, Tensor } from "../gpu/tensor.ts";
import { createImage, writeTexture } from "../gpu/texture.ts";
import type { PolicyConfig } from "../policy/config.ts";
import { attentionKernels, type AttentionSchedule } from "./kernels.ts";
import appendCode from "./cache_append.wgsl" with { type: "text" };
import appendRotatedCode from "./cache_append_rotated.wgsl" with { type: "text" };
import { type BatchShape, checkFused, checkIndices, checkShape, headSizes } from "./layout.ts";

/** Into a cache that is a buffer, and into one that is a texture. */
const intoBuffer = {
  append: defineKernel("cache_append", appendCode),
  appendRotated: defineKernel("cache_append_rotated", appendRotatedCode),
};
const intoTexture = {
  append: defineKernel("cache_append", writeTexture(appendCode, "cache")),
  appendRotated: defineKernel("cache_append_rotated", writeTexture(appendRotatedCode, "cache")),
};

/** Whether queries and keys can be rotated on their way into the cache: halves of the rotated part are whole vec4s. */
export function rotatesOnAppend({ positions, ropeDims }: PolicyConfig): boolean {
  return positions === "rope" && ropeDims % 8 === 0;
}

/** Rotary positions, for queries and keys that are not rotated yet; see {@linkcode rotatesOnAppend}. */
export interface Rotation {
  /** u32 [rows * length], each below the policy's context. */
  readonly positions: Tensor;
  /** See `ropeTable`. */
  readonly table: Tensor;
}

/** Keys (already rotated) and values of the tokens so far. */
export interface KvCache {
  /** Per layer [batch * capacity, 2 kvHeads * headStride], rows k | v; row b * capacity + i is token i of row b. */
  readonly layers: readonly Tensor[];
  /** Most tokens of one row. */
  readonly capacity: number;
  /** Rows. */
  readonly batch: number;
}

/** Bytes of a layer's cache up to which it may be a texture. */
const LARGEST_IMAGE = 2 ** 29;

/**
 * An empty cache for `batch` rows of at most `capacity` tokens. Free it with {@linkcode destroyKvCache}.
 * @param textures whether it lies in textures, see `texture.ts`; by default where reading those is cheaper. On llvmpipe the attention of
 * 64 rows of about 30 tokens takes 0.8 ms instead of 3.5 (4 heads of 24, two layers, 2026-11-30).
 */
export function createKvCache(
  gpu: Gpu,
  config: PolicyConfig,
  headStride: number,
  batch: number,
  capacity: number,
  textures: boolean = gpu.fastTextures,
): KvCache {
  const shape = [batch * capacity, 2 * config.kvHeads * headStride];
  const layers = Array.from({ length: config.layers }, (_, i) => {
    const name = `layers.${i}.cache`;
    const { bytes } = new Tensor(name, shape);
    if (!textures || bytes > LARGEST_IMAGE) return persistent(gpu, name, shape);
    return new Tensor(name, shape, "f32", {
      buffer: null,
      image: createImage(gpu, name, bytes),
      bytes,
    });
  });
  return { layers, capacity, batch };
}

/** Frees a cache's memory. */
export function destroyKvCache(cache: KvCache): void {
  for (const { place } of cache.layers) (place.image?.texture ?? place.buffer!).destroy();
}

/**
 * Appends the new tokens' keys and values to the cache and attends each new token t, whose index is cursor[0] + t,
 * to the cached keys starts[b] .. cursor[0] + t of its row. Inference only: no backward.
 *
 * The caller keeps cursor[0] + length within the capacity (the GPU cannot report it: tokens beyond are dropped).
 * @param qkv fused rows of the new tokens, [rows * length, (heads + 2 kvHeads) * headStride], already rotated
 * unless `rotation` is given; then nothing else may read them.
 * @param starts u32 [rows], first key of each row (the number of padding tokens on the left).
 * @param cursor u32 [4], persistent; [0] is the index of the first new token, the same for all rows.
 * @param schedule only for tests and benchmarks; by default the adapter's.
 * @returns [rows * length, heads * headStride].
 * @throws {InputError} when a shape does not fit the policy or the cache.
 */
export function attentionCached(
  tape: Tape,
  qkv: Tensor,
  cache: KvCache,
  layer: number,
  starts: Tensor,
  cursor: Tensor,
  shape: BatchShape,
  config: PolicyConfig,
  headStride: number,
  rotation: Rotation | null = null,
  schedule?: AttentionSchedule,
): Tensor {
  const { rows, length } = shape;
  const { capacity } = cache;
  const keys = cache.layers[layer];
  const tokens = rows * length;
  checkFused(qkv, tokens, config, headStride);
  checkIndices(starts, rows);
  checkIndices(cursor, 4);
  if (rows !== cache.batch || length > capacity) {
    throw new InputError(
      `${keys.name} holds ${cache.batch} rows of at most ${capacity} tokens, ` +
        `got ${rows} rows of ${length} new ones: make a larger cache`,
    );
  }
  checkShape(keys, [rows * capacity, 2 * config.kvHeads * headStride]);
  const queries = appendToCache(
    tape,
    qkv,
    cache,
    keys,
    cursor,
    length,
    config,
    headStride,
    rotation,
  );
  const { k_at: _, ...heads } = headSizes(config, headStride);
  const columns4 = keys.stride / 4;
  const kernels = attentionKernels(tape.gpu, config.headDim, headStride, schedule);
  const { size, sameHead, forward, lanes, alone } = kernels.schedule;
  const over = keys.inTexture ? kernels.overTexture : kernels.overBuffer;
  const pairs = rows * config.heads;
  const out = tape.tensor(`${qkv.name}.attention`, [tokens, config.heads * headStride]);
  const sizes = {
    ...heads,
    rows,
    length,
    capacity,
    q_stride4: queries.stride / 4,
    kv_stride4: columns4,
    v_at: columns4 / 2,
  };
  if (length === 1 && pairs < alone) {
    tape.dispatch({
      kernel: over.decodeShared,
      bindings: { queries, keys, starts, cursor, out },
      uniforms: sizes,
      groups: linearGroups(pairs, 1),
      loops: Math.ceil(capacity / lanes) + lanes * (2 + Math.ceil(headStride / 4 / lanes)),
    });
    return out;
  }
  const block = length === 1 ? 1 : forward;
  const stats = tape.tensor(`${qkv.name}.stats`, [tokens, config.heads * 4]);
  tape.dispatch({
    kernel: (length === 1 ? over.decodeAlone : over.cached)({ OUT: out }),
    bindings: { queries, keys, starts, cursor, out, stats },
    uniforms: { ...sizes, k_at: 0, cached: 1 },
    overrides: { SAME_HEAD: Number(sameHead) },
    groups: linearGroups(pairs * Math.ceil(length / block), size),
    loops: capacity,
  });
  return out;
}

/** Appends keys and values, rotates what is to be rotated, and returns the matrix that begins with the queries. */
function appendToCache(
  tape: Tape,
  qkv: Tensor,
  { capacity }: KvCache,
  keys: Tensor,
  cursor: Tensor,
  length: number,
  config: PolicyConfig,
  headStride: number,
  rotation: Rotation | null,
): Tensor {
  const { heads, kvHeads, ropeDims } = config;
  const tokens = qkv.rows;
  const places = { tokens, length, capacity };
  const { append, appendRotated } = keys.inTexture ? intoTexture : intoBuffer;
  if (rotation) {
    if (!rotatesOnAppend(config)) {
      throw new InputError(
        `${qkv.name}: ${ropeDims} rotated dimensions are no multiple of 8, call rotate() before`,
      );
    }
    const { positions, table } = rotation;
    checkIndices(positions, tokens);
    checkShape(table, [config.context, ropeDims]);
    const queries = tape.tensor(`${qkv.name}.queries`, [tokens, heads * headStride]);
    tape.dispatch({
      kernel: appendRotated,
      bindings: { qkv, positions, table, cursor, queries, cache: keys },
      uniforms: { ...places, heads, kv_heads: kvHeads, head4: headStride / 4, half4: ropeDims / 8 },
      groups: linearGroups(tokens * qkv.stride / 4, 64),
    });
    return queries;
  }
  const columns4 = keys.stride / 4;
  tape.dispatch({
    kernel: append,
    bindings: { qkv, cursor, cache: keys },
    uniforms: { ...places, stride4: qkv.stride / 4, k_at: heads * headStride / 4, columns4 },
    groups: linearGroups(tokens * columns4, 64),
  });
  return qkv;
}
