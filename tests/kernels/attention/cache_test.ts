import { assert, assertEquals, assertThrows } from "../../assert.ts";
import {
  attentionCached,
  createKvCache,
  destroyKvCache,
  type KvCache,
} from "../../../kernels/attention/cache.ts";
import { type AttentionSchedule, attentionSchedule } from "../../../kernels/attention/kernels.ts";
import { headStrideOf } from "../../../kernels/attention/layout.ts";
import { InputError } from "../../../kernels/errors.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { ropeTable, rotate } from "../../../kernels/rope/rope.ts";
import { attention, type AttentionShape, splitQkv } from "../../reference/attention.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";
import { fusedCount, padHeads, policyOf } from "./cases.ts";

// Measured on lavapipe: 2.2e-7 at worst.
const TOLERANCE = 1e-6;

/** A cached layer fed in pieces of fixed length, each length recorded once. */
class Generation {
  readonly #gpu: Gpu;
  readonly #cache: KvCache;
  readonly #cursor: Tensor;
  readonly #starts: Tensor;
  readonly #shape: AttentionShape;
  readonly #schedule: AttentionSchedule | undefined;
  readonly #tapes = new Map<number, { tape: Tape; qkv: Tensor; out: Tensor }>();
  #done = 0;

  constructor(
    gpu: Gpu,
    shape: AttentionShape,
    capacity: number,
    starts: readonly number[],
    schedule?: AttentionSchedule,
    textures = gpu.fastTextures,
  ) {
    const config = policyOf(shape);
    this.#gpu = gpu;
    this.#shape = shape;
    this.#schedule = schedule;
    const stride = headStrideOf(config);
    this.#cache = createKvCache(gpu, config, stride, shape.rows, capacity, textures);
    // What lies behind the cursor must never count, whatever it is.
    const [layer] = this.#cache.layers;
    fill(gpu, layer, NaN);
    this.#cursor = persistent(gpu, "cursor", [4], "u32");
    this.#starts = tensorOf(gpu, "starts", [shape.rows], starts, "u32");
  }

  /** Feeds `fused` rows [rows * length, ...] of the next `length` tokens. */
  async feed(fused: Float64Array, length: number): Promise<Float32Array> {
    const { tape, qkv, out } = this.#record(length);
    const { headDim } = this.#shape;
    upload(this.#gpu, qkv, Float32Array.from(padHeads(fused, headDim, Math.ceil(headDim / 4) * 4)));
    upload(this.#gpu, this.#cursor, Uint32Array.of(this.#done, 0, 0, 0));
    tape.poison();
    tape.run();
    this.#done += length;
    return await readFloats(this.#gpu, out);
  }

  #record(length: number): { tape: Tape; qkv: Tensor; out: Tensor } {
    const found = this.#tapes.get(length);
    if (found) return found;
    const config = policyOf(this.#shape);
    const stride = headStrideOf(config);
    const { rows, heads, kvHeads } = this.#shape;
    const tape = new Tape(this.#gpu, `decode ${length}`);
    const qkv = persistent(this.#gpu, "qkv", [rows * length, (heads + 2 * kvHeads) * stride]);
    const out = tape.keep(attentionCached(
      tape,
      qkv,
      this.#cache,
      0,
      this.#starts,
      this.#cursor,
      { rows, length },
      config,
      stride,
      null,
      this.#schedule,
    ));
    const made = { tape, qkv, out };
    this.#tapes.set(length, made);
    return made;
  }

  free(): void {
    destroyKvCache(this.#cache);
    for (const { tape } of this.#tapes.values()) tape.destroy();
  }
}

/** Writes `value` everywhere, into a texture as well. */
function fill(gpu: Gpu, tensor: Tensor, value: number): void {
  const image = tensor.place.image;
  if (!image) {
    return upload(gpu, tensor, new Float32Array(tensor.rows * tensor.columns).fill(value));
  }
  const { width, height } = image.texture;
  const texels = new Float32Array(4 * width * height).fill(value);
  const { queue } = gpu.device;
  queue.writeTexture({ texture: image.texture }, texels, { bytesPerRow: 16 * width }, [
    width,
    height,
  ]);
}

/** Tokens from .. to of every row of [rows, length, width]. */
function slice(values: Float64Array, shape: AttentionShape, from: number, to: number) {
  const width = values.length / (shape.rows * shape.length);
  const parts = Array.from(
    { length: shape.rows },
    (_, row) =>
      values.subarray((row * shape.length + from) * width, (row * shape.length + to) * width),
  );
  return Float64Array.from(parts.flatMap((part) => [...part]));
}

/** The reference's output for rows that are padded on the left by `starts`. */
function expected(fused: Float64Array, shape: AttentionShape, starts: readonly number[]) {
  const perToken = starts.flatMap((start) => Array<number>(shape.length).fill(start));
  const { q, k, v } = splitQkv(fused, shape);
  const stride = Math.ceil(shape.headDim / 4) * 4;
  return padHeads(attention(q, k, v, perToken, shape).out, shape.headDim, stride);
}

const PIECES: readonly {
  name: string;
  shape: AttentionShape;
  starts: readonly number[];
  pieces: readonly number[];
}[] = [
  {
    name: "one prompt, then token by token",
    shape: { rows: 3, length: 23, heads: 4, kvHeads: 2, headDim: 8 },
    starts: [0, 4, 16],
    pieces: [17, 1, 1, 1, 1, 1, 1],
  },
  {
    name: "many rows, each pair's keys walked alone",
    shape: { rows: 8, length: 9, heads: 6, kvHeads: 3, headDim: 8 },
    starts: [0, 1, 2, 3, 4, 4, 4, 0],
    pieces: [5, 1, 1, 1, 1],
  },
  {
    name: "token by token from nothing",
    shape: { rows: 1, length: 19, heads: 8, kvHeads: 1, headDim: 5 },
    starts: [0],
    pieces: Array<number>(19).fill(1),
  },
  {
    name: "a prompt in unequal pieces",
    shape: { rows: 2, length: 65, heads: 6, kvHeads: 3, headDim: 24 },
    starts: [0, 9],
    pieces: [7, 31, 1, 25, 1],
  },
];

for (const { name, shape, starts, pieces } of PIECES) {
  for (const [software, textures] of [[true, true], [true, false], [false, true], [false, false]]) {
    const kind = software ? "software" : "GPU";
    const where = textures ? "a texture" : "a buffer";
    Deno.test(`cached attention: ${name}, ${kind} schedule, cache in ${where}`, async () => {
      const gpu = await testGpu();
      const schedule = attentionSchedule(software, Math.ceil(shape.headDim / 4) * 4);
      const fused = randomValues(fusedCount(shape), 11, 2);
      const want = expected(fused, shape, starts);
      const generation = new Generation(gpu, shape, shape.length + 3, starts, schedule, textures);
      let from = 0;
      for (const length of pieces) {
        const got = await generation.feed(slice(fused, shape, from, from + length), length);
        const error = relativeError(got, slice(want, shape, from, from + length));
        assert(error < TOLERANCE, `tokens ${from} to ${from + length}: error ${error}`);
        from += length;
      }
      assertEquals(from, shape.length);
      generation.free();
    });
  }
}

Deno.test("cached attention: tokens beyond the capacity are dropped, not written elsewhere", async () => {
  const gpu = await testGpu();
  const shape = { rows: 2, length: 3, heads: 1, kvHeads: 1, headDim: 4 };
  const config = policyOf(shape);
  const cache = createKvCache(gpu, config, 4, 2, 4, false);
  const [layer] = cache.layers;
  upload(gpu, layer, new Float32Array(8 * 8).fill(7));
  const fused = randomValues(fusedCount(shape), 5);
  const qkv = tensorOf(gpu, "qkv", [6, 12], fused);
  const cursor = tensorOf(gpu, "cursor", [4], [2, 0, 0, 0], "u32");
  const starts = tensorOf(gpu, "starts", [2], [0, 0], "u32");
  const tape = new Tape(gpu, "overfull");
  attentionCached(tape, qkv, cache, 0, starts, cursor, shape, config, 4);
  tape.run();
  const kept = Array.from({ length: 8 }, (_, at) => {
    const t = at % 4 - 2;
    const token = Math.floor(at / 4) * 3 + t;
    return t < 0 ? Array<number>(8).fill(7) : [...fused.subarray(token * 12 + 4, token * 12 + 12)];
  });
  assertEquals([...await readFloats(gpu, layer)], kept.flat());
  tape.destroy();
  destroyKvCache(cache);
});

Deno.test("cached attention: a cache that is too small is refused with the reason", async () => {
  const gpu = await testGpu();
  const config = policyOf({ heads: 1, kvHeads: 1, headDim: 4 });
  const cache = createKvCache(gpu, config, 4, 2, 4);
  const tape = new Tape(gpu, "refused");
  const indices = (n: number) => tape.tensor("indices", [n], "u32");
  const call = (rows: number, length: number) => () =>
    attentionCached(
      tape,
      tape.tensor("qkv", [rows * length, 12]),
      cache,
      0,
      indices(rows),
      indices(4),
      { rows, length },
      config,
      4,
    );
  assertThrows(call(2, 5), InputError, "holds 2 rows of at most 4 tokens, got 2 rows of 5");
  assertThrows(call(3, 1), InputError, "holds 2 rows of at most 4 tokens, got 3 rows of 1");
  destroyKvCache(cache);
});

/** headDim and rotated dimensions: part of a head, all of it, and all but what pads it. */
for (const [headDim, ropeDims] of [[16, 8], [8, 8], [10, 8]] as const) {
  Deno.test(`cached attention: ${ropeDims} of ${headDim} dimensions rotated on the way, the same bits as before it`, async () => {
    const gpu = await testGpu();
    const [rows, length, heads, kvHeads] = [3, 5, 4, 2];
    const config = policyOf({ heads, kvHeads, headDim }, { ropeDims, context: 64 });
    const stride = headStrideOf(config);
    const tokens = rows * length;
    const values = padHeads(
      randomValues(tokens * (heads + 2 * kvHeads) * headDim, 3),
      headDim,
      stride,
    );
    const table = ropeTable(gpu, config);
    const at = Uint32Array.from({ length: tokens }, (_, i) => i * 37 % 64);
    const run = async (before: boolean) => {
      const cache = createKvCache(gpu, config, stride, rows, 8, false);
      const qkv = tensorOf(gpu, "qkv", [tokens, (heads + 2 * kvHeads) * stride], values);
      const positions = tensorOf(gpu, "positions", [tokens], at, "u32");
      const starts = tensorOf(gpu, "starts", [rows], [0, 1, 2], "u32");
      const cursor = tensorOf(gpu, "cursor", [4], [2, 0, 0, 0], "u32");
      const [out] = await runTape(gpu, (tape) => {
        if (before) rotate(tape, qkv, positions, table, config, stride);
        const rotation = before ? null : { positions, table };
        const shape = { rows, length };
        return [
          attentionCached(tape, qkv, cache, 0, starts, cursor, shape, config, stride, rotation),
        ];
      });
      const kept = await readFloats(gpu, cache.layers[0]);
      destroyKvCache(cache);
      return [out, kept];
    };
    assertEquals(await run(false), await run(true));
  });
}

Deno.test("cached attention: halves that are no whole vec4s are to be rotated before", async () => {
  const gpu = await testGpu();
  const config = policyOf({ heads: 1, kvHeads: 1, headDim: 6 }, { ropeDims: 4, context: 64 });
  const cache = createKvCache(gpu, config, 8, 1, 4);
  const tape = new Tape(gpu, "refused");
  const indices = (n: number) => tape.tensor("indices", [n], "u32");
  const qkv = tape.tensor("qkv", [1, 24]);
  const rotation = { positions: indices(1), table: tape.tensor("table", [64, 4]) };
  const shape = { rows: 1, length: 1 };
  assertThrows(
    () => attentionCached(tape, qkv, cache, 0, indices(1), indices(4), shape, config, 8, rotation),
    InputError,
    "no multiple of 8",
  );
  destroyKvCache(cache);
});
