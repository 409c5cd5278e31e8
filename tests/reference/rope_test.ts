import { assert, assertEquals } from "../assert.ts";
import fc from "fast-check";
import { assertGradient, functional } from "./differences.ts";
import { dot, relativeError } from "./numbers.ts";
import { randomNormals } from "./random.ts";
import { rope, ropeBackward } from "./rope.ts";

const shape = { heads: 3, headDim: 8, ropeDims: 6, theta: 1e4 };

Deno.test("rope: pairs are (i, i + ropeDims/2); the first turns by the position itself", () => {
  const y = rope([1, 0, 0, 2], [3], { heads: 1, headDim: 4, ropeDims: 4, theta: 1e4 });
  const [slow, fast] = [3 / 100, 3];
  const expected = [Math.cos(fast), -2 * Math.sin(slow), Math.sin(fast), 2 * Math.cos(slow)];
  assert(relativeError(y, expected) < 1e-15);
});

Deno.test("rope: frequencies span the rotated dimensions, not the head", () => {
  const y = rope([0, 1, 0, 0, 9, 9], [1], { heads: 1, headDim: 6, ropeDims: 4, theta: 16 });
  assert(relativeError(y, [0, Math.cos(1 / 4), 0, Math.sin(1 / 4), 9, 9]) < 1e-15);
});

Deno.test("rope: position 0, dimensions past ropeDims and columns past the heads are untouched", () => {
  const x = randomNormals(2 * 30, 1);
  const y = rope(x, [0, 5], { ...shape, rowWidth: 30 });
  assertEquals(y.subarray(0, 30), x.subarray(0, 30));
  assertEquals(y.subarray(54), x.subarray(54));
  for (const head of [0, 1, 2]) {
    const rest = 30 + head * 8 + 6;
    assertEquals(y.subarray(rest, rest + 2), x.subarray(rest, rest + 2));
    assert(y[rest - 1] !== x[rest - 1]);
  }
});

Deno.test("rope: gradients", () => {
  const x = randomNormals(2 * 24, 2);
  const { d_y, of } = functional(x.length, 3);
  const d_x = ropeBackward(d_y, [1, 17], shape);
  assertGradient("d_x", () => of(rope(x, [1, 17], shape)), x, d_x);
});

Deno.test("rope: keeps norms, backward undoes forward, scores depend on the distance only", () => {
  const position = fc.integer({ min: 0, max: 2000 });
  fc.assert(fc.property(fc.integer(), position, position, position, (seed, s, t, shift) => {
    const [q, k] = [randomNormals(24, seed), randomNormals(24, seed + 1)];
    const turned = rope(q, [s], shape);
    assert(Math.abs(dot(turned, turned) / dot(q, q) - 1) < 1e-12);
    assert(relativeError(ropeBackward(turned, [s], shape), q) < 1e-12);
    const score = dot(turned, rope(k, [t], shape));
    const shifted = dot(rope(q, [s + shift], shape), rope(k, [t + shift], shape));
    assert(Math.abs(score - shifted) < 1e-9);
  }));
});
