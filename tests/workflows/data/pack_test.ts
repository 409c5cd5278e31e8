import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import {
  assembleBatch,
  NO_TARGET,
  packExamples,
  type Packing,
  packingDensity,
  padBatch,
  type TokenBatch,
  type TokenExample,
  totalWeight,
} from "../../../workflows/data/mod.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";
import { processorSeconds } from "../../processor_time.ts";

const PACKINGS: Packing[] = ["bfd", "wrapped", "none"];

/** Examples whose token ids are all different, so that each can be found again. */
function examplesOf(lengths: readonly number[]): TokenExample[] {
  let id = 1;
  return lengths.map((length) => {
    const ids = Array.from({ length }, () => id++);
    return { ids, weights: ids.map((id, i) => i === 0 ? 0 : (id % 8) / 8) };
  });
}

const anyLengths = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 });
const anyRow = fc.integer({ min: 2, max: 33 });
const anyPacking = fc.constantFrom(...PACKINGS);

Deno.test("a packed batch by hand", () => {
  const [a, b] = [{ ids: [5, 6, 7], weights: [0, 0, 1] }, { ids: [8, 9], weights: [0, 0.5] }];
  const [row] = packExamples([b, a], 6, "bfd");
  const batch = assembleBatch([row], 6, 99);
  assertEquals([...batch.ids], [5, 6, 7, 8, 9, 99]);
  assertEquals([...batch.targets], [6, 7, NO_TARGET, 9, NO_TARGET, NO_TARGET]);
  assertEquals([...batch.weights], [0, 1, 0, 0.5, 0, 0]);
  assertEquals([...batch.positions], [0, 1, 2, 0, 1, 0]);
  assertEquals([...batch.starts], [0, 0, 0, 3, 3, 5]);
  assertEquals(totalWeight(batch), 1.5);
});

Deno.test("best fit: a piece goes where it leaves the least space", () => {
  const sizes = (lengths: number[], length: number) =>
    packExamples(examplesOf(lengths), length, "bfd").map((row) => row.map((p) => p.to - p.from));
  assertEquals(sizes([3, 6, 7, 4], 10), [[7, 3], [6, 4]]);
  // First fit would put the 2 beside the 5; best fit beside the 8.
  assertEquals(sizes([5, 8, 2], 10), [[8, 2], [5]]);
  assertEquals(sizes([64, 33, 31, 32, 32], 64), [[64], [33, 31], [32, 32]]);
});

Deno.test("wrapped rows are full, and a cut loses no prediction", () => {
  const rows = packExamples(examplesOf([5, 4]), 3, "wrapped");
  const batch = assembleBatch(rows, 3);
  assertEquals([...batch.ids], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assertEquals([...batch.targets], [2, 3, 4, 5, NO_TARGET, 7, 8, 9, NO_TARGET]);
  assertEquals([...batch.positions], [0, 1, 2, 0, 1, 0, 0, 1, 2]);
  assertEquals([...batch.starts], [0, 0, 0, 0, 0, 2, 0, 0, 0]);
  assertEquals(packingDensity(rows, 3), 1);
});

/** Each learned prediction as [token, next token, weight]. */
function predictions(batch: TokenBatch): [number, number, number][] {
  return [...batch.targets].flatMap((target, i) =>
    target === NO_TARGET
      ? []
      : [[batch.ids[i], target, batch.weights[i]] as [number, number, number]]
  );
}

Deno.test("property: no token or prediction is lost, doubled or reweighted", () =>
  fc.assert(fc.property(anyLengths, anyRow, anyPacking, (lengths, length, packing) => {
    const examples = examplesOf(lengths);
    const rows = packExamples(examples, length, packing);
    const batch = assembleBatch(rows, length);
    const tokens = [...batch.ids].filter((id) => id !== 0).sort((a, b) => a - b);
    assertEquals(tokens, examples.flatMap((example) => example.ids));
    const expected = examples.flatMap(({ ids, weights }) =>
      ids.slice(1).map((id, i) => [ids[i], id, weights[i + 1]])
    );
    assertEquals(
      predictions(batch).sort((a, b) => a[0] - b[0]),
      expected as [number, number, number][],
    );
    assertAlmostEquals(totalWeight(batch), expected.reduce((sum, [, , w]) => sum + w, 0), 1e-6);
  })));

Deno.test("property: starts and positions agree, and no token sees another example", () =>
  fc.assert(fc.property(anyLengths, anyRow, anyPacking, (lengths, length, packing) => {
    const examples = examplesOf(lengths);
    const owner = new Map(examples.flatMap(({ ids }, e) => ids.map((id) => [id, e])));
    const batch = assembleBatch(packExamples(examples, length, packing), length);
    for (let i = 0; i < batch.ids.length; i++) {
      const column = i % length;
      const row = i - column;
      assertEquals(batch.positions[i], column - batch.starts[i]);
      for (let k = batch.starts[i]; k <= column; k++) {
        assertEquals(owner.get(batch.ids[row + k]), owner.get(batch.ids[i]));
        if (batch.ids[i]) assertEquals(batch.ids[row + k], batch.ids[i] - (column - k), "in order");
      }
      if (batch.targets[i] === NO_TARGET) assertEquals(batch.weights[i], 0);
    }
  })));

Deno.test("property: best fit is never worse than padding, and leaves one row at most half empty", () =>
  fc.assert(fc.property(anyLengths, anyRow, (lengths, length) => {
    const examples = examplesOf(lengths);
    const [bfd, wrapped, none] = PACKINGS.map((packing) => packExamples(examples, length, packing));
    const tokens = lengths.reduce((sum, n) => sum + n, 0);
    assert(bfd.length <= none.length && wrapped.length === Math.ceil(tokens / length));
    assert(packingDensity(bfd, length) >= packingDensity(none, length));
    const halfEmpty = bfd.filter((row) =>
      row.reduce((sum, p) => sum + p.to - p.from, 0) <= length / 2
    );
    assert(halfEmpty.length <= 1, "two half-empty rows would have been one");
    assertAlmostEquals(packingDensity(bfd, length) * bfd.length * length, tokens, 1e-6);
  })));

Deno.test("property: best fit is what the definition says, done the slow way", () =>
  fc.assert(fc.property(anyLengths, anyRow, (lengths, length) => {
    const sizes = lengths.flatMap((n) => [
      ...Array.from({ length: Math.floor(n / length) }, () => length),
      ...(n % length ? [n % length] : []),
    ]).sort((a, b) => b - a);
    const spaces: number[] = [];
    for (const size of sizes) {
      let best = -1;
      spaces.forEach((space, i) => {
        if (space >= size && (best < 0 || space < spaces[best])) best = i;
      });
      if (best < 0) spaces.push(length - size);
      else spaces[best] -= size;
    }
    const rows = packExamples(examplesOf(lengths), length, "bfd");
    const left = rows.map((row) => length - row.reduce((sum, p) => sum + p.to - p.from, 0));
    assertEquals(left.sort((a, b) => a - b), spaces.sort((a, b) => a - b));
  })));

Deno.test("padding for pairs: row r is example r, and what does not fit is refused", () => {
  const batch = padBatch(examplesOf([2, 3]), 4, 7);
  assertEquals([...batch.ids], [1, 2, 7, 7, 3, 4, 5, 7]);
  assertThrows(() => padBatch(examplesOf([5]), 4), InputError, "5 tokens does not fit a row of 4");
  assertThrows(() => packExamples([], 1, "bfd"), InputError, "at least 2 tokens, found 1");
  assertThrows(() => packExamples([], 8, "ffd" as Packing), InputError, 'found "ffd"');
});

Deno.test("twenty thousand examples are packed in a moment", () => {
  const lengths = Array.from({ length: 20_000 }, (_, i) => 1 + (i * 7919) % 2000);
  const examples = lengths.map((n) => ({ ids: new Array(n), weights: [] }));
  let rows: ReturnType<typeof packExamples> = [];
  const seconds = processorSeconds(() => rows = packExamples(examples, 2048, "bfd"));
  assert(packingDensity(rows, 2048) > 0.999, `density ${packingDensity(rows, 2048)}`);
  assert(seconds < 2, `${seconds} s`);
});
