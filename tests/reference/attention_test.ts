import { assert, assertEquals } from "../assert.ts";
import fc from "fast-check";
import {
  attention,
  attentionBackward,
  type AttentionShape,
  joinQkv,
  splitQkv,
} from "./attention.ts";
import { assertGradient, functional } from "./differences.ts";
import { relativeError } from "./numbers.ts";
import { randomNormals, randomUniform } from "./random.ts";

/** Queries, keys and values of a shape, and starts that cut each row into sequences at random. */
function inputs(shape: AttentionShape, seed: number) {
  const tokens = shape.rows * shape.length;
  const starts = new Uint32Array(tokens);
  for (let t = 0; t < tokens; t++) {
    const i = t % shape.length;
    const begins = i === 0 || randomUniform(seed, 9, t) < 0.3;
    starts[t] = begins ? i : starts[t - 1];
  }
  const q = randomNormals(tokens * shape.heads * shape.headDim, seed, 1);
  const k = randomNormals(tokens * shape.kvHeads * shape.headDim, seed, 2);
  const v = randomNormals(tokens * shape.kvHeads * shape.headDim, seed, 3);
  return { q, k, v, starts };
}

const shapes: AttentionShape[] = [
  { rows: 1, length: 1, heads: 1, kvHeads: 1, headDim: 1 },
  { rows: 2, length: 3, heads: 2, kvHeads: 2, headDim: 3 },
  { rows: 1, length: 7, heads: 4, kvHeads: 2, headDim: 5 },
  { rows: 3, length: 5, heads: 3, kvHeads: 1, headDim: 2 },
];

Deno.test("attention: two keys by hand", () => {
  const shape = { rows: 1, length: 2, heads: 1, kvHeads: 1, headDim: 1 };
  // Token 1 scores 0 and ln 3: weights 1/4 and 3/4.
  const q = Float64Array.of(5, 1);
  const k = Float64Array.of(0, Math.log(3));
  const { out, lse } = attention(q, k, Float64Array.of(4, 8), [0, 0], shape);
  assert(relativeError(out, [4, 7]) < 1e-15);
  assert(relativeError(lse, [0, Math.log(4)]) < 1e-15);
});

Deno.test("attention: gradients over grouped heads and packed rows", () => {
  for (const shape of shapes) {
    const { q, k, v, starts } = inputs(shape, 11);
    const { d_y, of } = functional(q.length, 12);
    const f = () => of(attention(q, k, v, starts, shape).out);
    const { d_q, d_k, d_v } = attentionBackward(q, k, v, starts, d_y, shape);
    assertGradient("d_q", f, q, d_q);
    assertGradient("d_k", f, k, d_k);
    assertGradient("d_v", f, v, d_v);
  }
});

Deno.test("attention: a packed row equals its sequences alone", () => {
  const shape = { rows: 1, length: 6, heads: 2, kvHeads: 1, headDim: 3 };
  const { q, k, v } = inputs(shape, 5);
  const packed = attention(q, k, v, [0, 0, 2, 2, 2, 2], shape).out;
  const alone = (from: number, to: number) => {
    const part = { ...shape, length: to - from };
    const [a, b, c] = [[q, 6], [k, 3], [v, 3]] as const;
    const cut = ([x, width]: readonly [Float64Array, number]) => x.slice(from * width, to * width);
    return attention(cut(a), cut(b), cut(c), new Uint32Array(to - from), part).out;
  };
  assertEquals([...packed], [...alone(0, 2), ...alone(2, 6)]);
});

Deno.test("attention: padding sees nothing, gives zeros and gets no gradient", () => {
  const shape = { rows: 1, length: 3, heads: 2, kvHeads: 1, headDim: 2 };
  const { q, k, v } = inputs(shape, 7);
  const { out, lse } = attention(q, k, v, [0, 0, 3], shape);
  assertEquals([...out.subarray(8), ...lse.subarray(4)], [0, 0, 0, 0, -Infinity, -Infinity]);
  const { d_y } = functional(q.length, 8);
  const { d_q, d_k, d_v } = attentionBackward(q, k, v, [0, 0, 3], d_y, shape);
  assertEquals([...d_q.subarray(8), ...d_k.subarray(4), ...d_v.subarray(4)], new Array(8).fill(0));
});

Deno.test("attention: grouped heads equal full heads with the keys and values repeated", () => {
  const shape = { rows: 2, length: 4, heads: 4, kvHeads: 2, headDim: 3 };
  const { q, k, v, starts } = inputs(shape, 6);
  const repeat = (x: Float64Array) => {
    const full = new Float64Array(x.length * 2);
    for (let i = 0; i < full.length; i++) {
      const [token, head, d] = [Math.floor(i / 12), Math.floor(i / 3) % 4, i % 3];
      full[i] = x[token * 6 + Math.floor(head / 2) * 3 + d];
    }
    return full;
  };
  const full = attention(q, repeat(k), repeat(v), starts, { ...shape, kvHeads: 4 });
  assertEquals(attention(q, k, v, starts, shape).out, full.out);
});

Deno.test("attention: fused rows split and join", () => {
  const shape = { rows: 1, length: 2, heads: 2, kvHeads: 1, headDim: 1 };
  const qkv = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const { q, k, v } = splitQkv(qkv, shape);
  assertEquals([[...q], [...k], [...v]], [[1, 2, 5, 6], [3, 7], [4, 8]]);
  assertEquals(joinQkv(q, k, v, shape), qkv);
});

Deno.test("attention: every output is a convex combination of visible values, blind to the future", () => {
  const shape = { rows: 2, length: 6, heads: 2, kvHeads: 1, headDim: 4 };
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0, max: 100, noNaN: true }), (seed, sharpness) => {
      const { q, k, v, starts } = inputs(shape, seed);
      const queries = q.map((x) => x * sharpness);
      const { out } = attention(queries, k, v, starts, shape);
      out.forEach((value, i) => {
        const [token, d] = [Math.floor(i / 8), i % 4];
        const row = Math.floor(token / 6) * 6;
        const seen: number[] = [];
        for (let key = row + starts[token]; key <= token; key++) seen.push(v[key * 4 + d]);
        assert(value >= Math.min(...seen) - 1e-12 && value <= Math.max(...seen) + 1e-12);
      });
      v[5 * 4] += 1e6;
      const changed = attention(queries, k, v, starts, shape).out;
      assertEquals(changed.subarray(0, 5 * 8), out.subarray(0, 5 * 8));
    }),
    { numRuns: 30 },
  );
});
