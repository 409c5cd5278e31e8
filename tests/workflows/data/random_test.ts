/** Keyed random streams: determinism, independence of neighbouring keys, ranges. */
import fc from "fast-check";
import { hash32, mix32, Random } from "../../../workflows/data/random.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";

Deno.test("a key fixes the stream, and streams are pinned across versions", () => {
  fc.assert(fc.property(fc.integer(), fc.string(), fc.nat(), (seed, name, counter) => {
    const [a, b] = [new Random(seed, name, counter), new Random(seed, name, counter)];
    for (let i = 0; i < 5; i++) assertEquals(a.next(), b.next());
  }));
  const random = new Random(7, "raw", 12);
  assertEquals([random.next(), random.next(), random.next()], PINNED);
  assertEquals(hash32("ab", "c") === hash32("a", "bc"), false);
});
const PINNED = [2679262843, 2391531531, 938982074];

Deno.test("mix32 is a bijection on a sample and moves about half of the bits", () => {
  const seen = new Set<number>();
  let moved = 0;
  for (let i = 0; i < 65_536; i++) {
    seen.add(mix32(i));
    let difference = mix32(i) ^ mix32(i ^ 1);
    for (; difference; difference &= difference - 1) moved++;
  }
  assertEquals(seen.size, 65_536);
  assertAlmostEquals(moved / 65_536, 16, 0.1);
});

Deno.test("first draws of neighbouring keys are uniform and uncorrelated", () => {
  const n = 50_000;
  const first = Array.from({ length: n + 1 }, (_, i) => new Random(1, "x", i).unit());
  const buckets = new Array(20).fill(0);
  let product = 0;
  for (let i = 0; i < n; i++) {
    buckets[Math.floor(first[i] * 20)]++;
    product += (first[i] - 0.5) * (first[i + 1] - 0.5);
  }
  const chi2 = buckets.reduce((sum, b) => sum + (b - n / 20) ** 2 / (n / 20), 0);
  assert(chi2 < 43.8, `chi-squared ${chi2} with 19 degrees of freedom (p = 0.001 at 43.8)`);
  assert(Math.abs(product / n * 12) < 4 / Math.sqrt(n), "serial correlation of neighbouring keys");
});

Deno.test("draws stay in range; a sample holds different items", () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 40 }), fc.nat(), (seed, n, k) => {
    const random = new Random(seed);
    const value = random.below(n);
    assert(Number.isInteger(value) && value >= 0 && value < n);
    const items = Array.from({ length: n }, (_, i) => i);
    const chosen = random.sample(items, k % (n + 1));
    assertEquals(new Set(chosen).size, k % (n + 1));
    assert(chosen.every((item) => items.includes(item)));
  }));
});

Deno.test("weighted draws follow the weights and never take a zero", () => {
  const random = new Random(3);
  const counts = { a: 0, b: 0, c: 0 };
  for (let i = 0; i < 20_000; i++) counts[random.weighted({ a: 1, b: 0, c: 3 })]++;
  assertEquals(counts.b, 0);
  assertAlmostEquals(counts.c / 20_000, 0.75, 0.015);
});
