import { assert, assertEquals } from "../assert.ts";
import fc from "fast-check";
import { pcgHash, randomNormals, randomU32, randomUniform } from "./random.ts";

/** The definition once more, in unbounded integers. */
function pcgHashBig(x: number): number {
  const wrap = (n: bigint) => n & 0xffffffffn;
  const state = wrap(BigInt(x) * 747796405n + 2891336453n);
  const word = wrap(((state >> ((state >> 28n) + 4n)) ^ state) * 277803737n);
  return Number((word >> 22n) ^ word);
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });

Deno.test("pcgHash: 32-bit wrapping arithmetic equals the definition in big integers", () => {
  fc.assert(fc.property(u32, (x) => assertEquals(pcgHash(x), pcgHashBig(x))));
});

Deno.test("randomU32: fixed bits, so that shaders and this file cannot drift apart together", () => {
  assertEquals([0, 1, 0xffffffff].map(pcgHash), [129708002, 2831084092, 3861530882]);
  assertEquals(randomU32(7, 3, 11), 2846360701);
  assertEquals(randomUniform(1, 2, 3), Math.floor(randomU32(1, 2, 3) / 256) / 2 ** 24);
});

Deno.test("pcgHash: distinct inputs stay distinct (it is a permutation)", () => {
  const seen = new Set(Array.from({ length: 100_000 }, (_, i) => pcgHash(i)));
  assertEquals(seen.size, 100_000);
});

Deno.test("random numbers: in range, exact in float32, with the right moments", () => {
  const n = 20_000;
  const uniforms = Array.from({ length: n }, (_, i) => randomUniform(5, 1, i));
  assert(uniforms.every((u) => u >= 0 && u < 1 && Math.fround(u) === u));
  const normals = randomNormals(n, 5, 2);
  const mean = (x: ArrayLike<number>, power: number) =>
    Array.from(x, (v) => v ** power).reduce((a, b) => a + b) / x.length;
  // Five standard errors each.
  assert(Math.abs(mean(uniforms, 1) - 0.5) < 5 * Math.sqrt(1 / 12 / n));
  assert(Math.abs(mean(normals, 1)) < 5 / Math.sqrt(n));
  assert(Math.abs(mean(normals, 2) - 1) < 5 * Math.sqrt(2 / n));
  assert(Math.abs(mean(normals, 4) - 3) < 5 * Math.sqrt(96 / n));
});
