import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import {
  packedSource,
  pairSource,
  type StreamOptions,
  StreamSource,
  type TokenBatch,
  type TokenExample,
} from "../../../workflows/data/mod.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { streamOf } from "./helpers.ts";

/** Example number n has the ids n+1 at all its places. */
function example(n: number): TokenExample {
  const length = 2 + (n * 5) % 7;
  return { ids: new Array(length).fill(n + 1), weights: new Array(length).fill(1).fill(0, 0, 1) };
}

const examples = Array.from({ length: 37 }, (_, n) => example(n));
const shape = { rows: 3, length: 16, seed: 11 };

/** Ids that occur in some batches. */
function seen(batches: readonly TokenBatch[]): Set<number> {
  return new Set(batches.flatMap((batch) => [...batch.ids]).filter((id) => id > 0));
}

Deno.test("memory: any step in any order is the same batch, and a new source gives the same", () => {
  for (const packing of ["bfd", "wrapped", "none"] as const) {
    const source = packedSource(examples, { ...shape, packing });
    const first = Array.from({ length: 40 }, (_, step) => source.batch(step));
    const again = packedSource(examples, { ...shape, packing });
    for (const step of [39, 0, 17, 18, 3]) assertEquals(again.batch(step), first[step]);
    assertEquals(source.tokensPerBatch, 48);
    assertEquals(seen(first.slice(0, source.stepsPerEpoch)).size, 37, "an epoch shows everything");
  }
});

Deno.test("memory: seeds and epochs differ in order, not in rows; unshuffled is in order", () => {
  const ids = (seed: number, step: number) =>
    packedSource(examples, { ...shape, rows: 37, seed, packing: "none" }).batch(step).ids.join();
  assert(ids(1, 0) !== ids(2, 0) && ids(1, 0) !== ids(1, 1));
  const plain = packedSource(examples, { ...shape, shuffle: false, packing: "none" });
  const firsts = [0, 1].flatMap((step) =>
    [...plain.batch(step).ids].filter((_, i) => i % 16 === 0)
  );
  assertEquals(firsts, [1, 2, 3, 4, 5, 6]);
  assert(plain.describe().includes("37 examples in 37 rows (packing none, "), plain.describe());
});

Deno.test("pairs: row r of both batches belongs to one pair", () => {
  const pairs = examples.map((chosen, n) => ({ chosen, rejected: example(n + 100) }));
  const source = pairSource(pairs, shape);
  assertEquals(source.tokensPerBatch, 96);
  for (let step = 0; step < 15; step++) {
    const { chosen, rejected } = source.batch(step);
    for (let row = 0; row < 3; row++) {
      assertEquals(rejected.ids[row * 16], chosen.ids[row * 16] + 100);
    }
  }
});

function stream(more: Partial<StreamOptions> = {}, items = 37) {
  const log = { opened: 0, tokenised: 0 };
  const source = new StreamSource(
    () => {
      log.opened++;
      return streamOf(Array.from({ length: items }, (_, n) => n));
    },
    (n) => {
      log.tokenised++;
      return n % 10 === 3 ? null : example(n);
    },
    { ...shape, packing: "bfd", shuffleItems: 10, windowItems: 8, ...more },
  );
  return { source, log };
}

Deno.test("stream: every epoch gives every kept example once", async () => {
  const { source } = stream({ rows: 1, packing: "none" });
  const kept = 33;
  for (const epoch of [0, 1, 2]) {
    const batches = [];
    for (let i = 0; i < kept; i++) batches.push(await source.batch(epoch * kept + i));
    assertEquals(seen(batches).size, kept);
  }
});

Deno.test("property: a restored stream goes on exactly, from any step and shape", () =>
  fc.assert(
    fc.asyncProperty(
      fc.record({
        rows: fc.integer({ min: 1, max: 5 }),
        packing: fc.constantFrom("bfd", "wrapped", "none"),
        shuffleItems: fc.integer({ min: 1, max: 50 }),
        windowItems: fc.integer({ min: 1, max: 50 }),
        seed: fc.nat(),
      }),
      fc.nat({ max: 40 }),
      async (options, stop) => {
        const { source } = stream(options as Partial<StreamOptions>);
        for (let step = 0; step < stop; step++) await source.batch(step);
        const state = JSON.parse(JSON.stringify(await source.state()));
        const resumed = stream(options as Partial<StreamOptions>).source;
        await resumed.restore(state);
        for (let step = stop; step < stop + 4; step++) {
          assertEquals(await resumed.batch(step), await source.batch(step));
        }
      },
    ),
    { numRuns: 60 },
  ));

Deno.test("stream: skipping ahead, going back and asking at once give the same batches", async () => {
  const { source } = stream();
  const inOrder = [];
  for (let step = 0; step < 20; step++) inOrder.push(await source.batch(step));
  assertEquals(await source.batch(4), inOrder[4]);
  assertEquals(await stream().source.batch(17), inOrder[17]);
  const together = stream().source;
  assertEquals(
    await Promise.all([0, 1, 2, 3].map((step) => together.batch(step))),
    inOrder.slice(0, 4),
  );
});

Deno.test("stream: restoring reads what came before but tokenises only the window", async () => {
  const { source, log } = stream({ windowItems: 8 });
  await source.restore({ step: 9, epoch: 0, item: 24, row: 0 });
  await source.batch(9);
  assert(log.tokenised <= 16, `${log.tokenised} items tokenised`);
  assertEquals(log.opened, 1);
});

Deno.test("sources refuse what cannot work, in one line", async () => {
  const bad: [() => unknown, string][] = [
    [
      () => packedSource([], { ...shape, packing: "bfd" }),
      "needs at least one example, found none",
    ],
    [
      () => packedSource(examples, { ...shape, rows: 0, packing: "bfd" }),
      "rows: must be a positive whole number, found 0",
    ],
    [
      () => packedSource(examples, { ...shape, packing: "bfd" }).batch(-1),
      "step: must be a whole number from 0, found -1",
    ],
    [() => stream({ windowItems: 0 }), "windowItems: must be a positive whole number, found 0"],
    [() => stream().source.batch(0.5), "step"],
  ];
  for (const [run, expected] of bad) assertThrows(run, InputError, expected);
  await assertRejects(
    () => stream({}, 0).source.batch(0),
    InputError,
    "no example in a whole epoch",
  );
});
