import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import {
  Permutation,
  rowKey,
  selectSide,
  shuffleBuffer,
  shuffledItem,
  sideOf,
  type TaskRow,
} from "../../../workflows/data/mod.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { collect, streamOf } from "./helpers.ts";

const where = "x:1";
const text = (text: string): TaskRow => ({ kind: "text", where, text });

Deno.test("property: a permutation is one, for every size and key", () =>
  fc.assert(fc.property(fc.integer({ min: 1, max: 700 }), fc.integer(), (size, seed) => {
    const permutation = new Permutation(size, seed);
    const items = Array.from({ length: size }, (_, i) => permutation.at(i));
    assertEquals([...items].sort((a, b) => a - b), items.map((_, i) => i));
  })));

Deno.test("permutations of few items are uniform: all 24 orders of four, chi-squared", () => {
  const counts = new Map<string, number>();
  const trials = 6_000;
  for (let seed = 0; seed < trials; seed++) {
    const permutation = new Permutation(4, seed);
    const order = [0, 1, 2, 3].map((i) => permutation.at(i)).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  const expected = trials / 24;
  const chi2 = [...counts.values()].reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  assertEquals(counts.size, 24);
  assert(chi2 < 49.7, `chi-squared ${chi2} of 23 degrees of freedom; 49.7 is the 0.1 % point`);
});

Deno.test("neighbours do not stay neighbours, and a large set needs no memory", () => {
  const permutation = new Permutation(10_000, 1);
  let kept = 0;
  for (let i = 0; i + 1 < 10_000; i++) {
    if (Math.abs(permutation.at(i) - permutation.at(i + 1)) === 1) kept++;
  }
  assert(kept < 15, `${kept} neighbours kept; 2 are expected`);
  const huge = new Permutation(2 ** 50 - 3, 1);
  const item = huge.at(123_456_789);
  assert(item >= 0 && item < 2 ** 50 - 3 && item !== 123_456_789);
  assertThrows(() => new Permutation(0), InputError, "found 0");
  assertThrows(() => permutation.at(10_000), RangeError);
});

Deno.test("every epoch has each item once, in another order", () => {
  const epochs = [0, 1, 2].map((e) =>
    Array.from({ length: 50 }, (_, i) => shuffledItem(50 * e + i, 50, 7))
  );
  for (const epoch of epochs) assertEquals(new Set(epoch).size, 50);
  assert(epochs[0].join() !== epochs[1].join() && epochs[1].join() !== epochs[2].join());
});

Deno.test("property: a shuffle buffer loses and doubles nothing, and is fixed by its key", () =>
  fc.assert(fc.asyncProperty(
    fc.nat({ max: 300 }),
    fc.integer({ min: 1, max: 80 }),
    fc.nat(),
    async (count, size, seed) => {
      const items = Array.from({ length: count }, (_, i) => i);
      const out = await collect(shuffleBuffer(streamOf(items), size, seed));
      assertEquals([...out].sort((a, b) => a - b), items);
      assertEquals(await collect(shuffleBuffer(streamOf(items), size, seed)), out);
      out.forEach((item, place) => assert(item - place < size, "an item comes too early"));
      if (size === 1) assertEquals(out, items);
    },
  )));

Deno.test("a buffer that holds everything shuffles uniformly: all 6 orders of three", async () => {
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 3000; seed++) {
    const order = (await collect(shuffleBuffer(streamOf([0, 1, 2]), 3, seed))).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  const chi2 = [...counts.values()].reduce((sum, n) => sum + (n - 500) ** 2 / 500, 0);
  assertEquals(counts.size, 6);
  assert(chi2 < 20.5, `chi-squared ${chi2} of 5 degrees of freedom; 20.5 is the 0.1 % point`);
});

Deno.test("a shuffle buffer reads no more than it holds", async () => {
  let read = 0;
  const counted = async function* () {
    for (; read < 1_000_000; read++) yield read;
  };
  for await (const _ of shuffleBuffer(counted(), 16, 1)) break;
  assertEquals(read, 15);
});

Deno.test("property: sides are disjoint and complete, and stay when rows are added", () =>
  fc.assert(fc.asyncProperty(
    fc.array(fc.string()),
    fc.array(fc.string()),
    fc.double({ min: 0, max: 1, noNaN: true }),
    async (before, added, validation) => {
      const sides = async (texts: string[]) => {
        const rows = texts.map(text);
        const select = async (side: "train" | "validation") =>
          (await collect(selectSide(streamOf(rows), side, { validation, seed: 3 }))).map(rowKey);
        return [await select("train"), await select("validation")];
      };
      const [train, held] = await sides(before);
      assertEquals(train.length + held.length, before.length);
      assert(!train.some((key) => held.includes(key)));
      const [more, moreHeld] = await sides([...added, ...before]);
      for (const key of train) assert(more.includes(key));
      for (const key of held) assert(moreHeld.includes(key));
    },
  )));

Deno.test("the share of a split is what was asked for; the ends are exact", () => {
  const count = (validation: number, seed: number) => {
    let held = 0;
    for (let i = 0; i < 20_000; i++) {
      if (sideOf(`row ${i}`, { validation, seed }) === "validation") held++;
    }
    return held;
  };
  assertEquals([count(0, 0), count(1, 0)], [0, 20_000]);
  // Four standard deviations of a binomial around 2000 are 170.
  for (const seed of [0, 1]) assert(Math.abs(count(0.1, seed) - 2000) < 170, `${count(0.1, seed)}`);
  assertThrows(() => sideOf("x", { validation: 1.1 }), InputError, "found 1.1");
});

Deno.test("the key of a row is its question, without case and punctuation", () => {
  const user = { role: "user", content: "Why, oh WHY?" } as const;
  const reply = { role: "assistant", content: "Because." } as const;
  const rows: TaskRow[] = [
    { kind: "prompt", where, prompt: "why oh why" },
    { kind: "prompt-completion", where, prompt: "Why - oh - why?", completion: "x", label: null },
    { kind: "preference", where, prompt: [user], chosen: "a", rejected: "b", safe: null },
    { kind: "conversation", where, messages: [user, reply, user] },
    text("Why, oh why?"),
  ];
  for (const row of rows) assertEquals(rowKey(row), "whyohwhy");
  assertEquals(rowKey(text("?!")), "?!");
});
