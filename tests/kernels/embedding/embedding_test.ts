/**
 * Embedding: gathered rows, gradients added back by sorted lists, and the sorting itself.
 */
import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import {
  embedding,
  type EntryLists,
  segmentCapacity,
  sortByEntry,
} from "../../../kernels/embedding/embedding.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { embed, embedBackward } from "../../reference/embedding.ts";
import { add } from "../../reference/numbers.ts";
import { randomIntegers } from "../../reference/random.ts";
import {
  parameterOf,
  randomValues,
  relativeError,
  runTape,
  tensorOf,
  testGpu,
} from "../harness.ts";

// Measured on lavapipe over the cases below: 2.1e-7 at worst (sums of up to 257 rows).
const TOLERANCE = 1e-6;

function listsOf(gpu: Gpu, indices: Uint32Array, entries: number): EntryLists {
  const { order, segments } = sortByEntry(indices, entries);
  return {
    order: tensorOf(gpu, "order", [order.length], order, "u32"),
    segments: tensorOf(gpu, "segments", [segments.length / 4, 4], segments, "u32"),
  };
}

const lookup = (gpu: Gpu, name: string, values: Float64Array, width: number, ids: Uint32Array) => {
  const entries = values.length / width;
  const before = randomValues(values.length, 17);
  return {
    table: parameterOf(gpu, `${name} table`, [entries, width], values, before),
    indices: tensorOf(gpu, `${name} ids`, [ids.length], ids, "u32"),
    lists: listsOf(gpu, ids, entries),
    before,
  };
};

/** rows, entries, width, how ids are chosen. */
const CASES: readonly (readonly [number, number, number, "random" | "one" | "each"])[] = [
  [1, 1, 1, "random"],
  [3, 5, 7, "random"],
  [257, 3, 5, "random"],
  [65, 127, 63, "random"],
  [127, 257, 65, "random"],
  [257, 65, 9, "one"],
  [63, 63, 3, "each"],
];

for (const [rows, entries, width, choice] of CASES) {
  Deno.test(`embedding of ${rows} (${choice}) ids in ${entries} x ${width}, with positions`, async () => {
    const gpu = await testGpu();
    const ids = choice === "random"
      ? randomIntegers(rows, entries, 1)
      : Uint32Array.from({ length: rows }, (_, i) => choice === "one" ? entries - 1 : rows - 1 - i);
    const places = Uint32Array.from({ length: rows }, (_, i) => i % 11);
    const tableValues = randomValues(entries * width, 2);
    const placeValues = randomValues(11 * width, 3);
    const d_y = randomValues(rows * width, 4);
    const tokens = lookup(gpu, "token", tableValues, width, ids);
    const positions = lookup(gpu, "position", placeValues, width, places);
    const [y, alone, d_table, d_places] = await runTape(gpu, (tape) => {
      const y = embedding(tape, tokens, positions);
      y.grad = tensorOf(gpu, "d_y", [rows, width], d_y);
      const alone = tape.noGrad(() => embedding(tape, tokens, null));
      tape.backward();
      return [y, alone, tokens.table.grad!, positions.table.grad!];
    });
    const gathered = embed(tableValues, ids, width);
    assertEquals(Array.from(alone), Array.from(gathered));
    const want = [
      add(gathered, embed(placeValues, places, width)),
      add(embedBackward(ids, d_y, entries, width), tokens.before),
      add(embedBackward(places, d_y, 11, width), positions.before),
    ];
    [y, d_table, d_places].forEach((got, i) => {
      const error = relativeError(got, want[i]);
      assert(error < TOLERANCE, `${["y", "d_table", "d_positions"][i]}: error ${error}`);
    });
  });
}

Deno.test("embedding: rows that nobody looked up keep their gradient bit for bit", async () => {
  const gpu = await testGpu();
  const tokens = lookup(gpu, "token", randomValues(20, 1), 4, Uint32Array.of(3, 3, 1));
  const [d_table] = await runTape(gpu, (tape) => {
    embedding(tape, tokens, null).grad = tensorOf(gpu, "d_y", [3, 4], randomValues(12, 2));
    tape.backward();
    return [tokens.table.grad!];
  });
  for (const row of [0, 2, 4]) {
    const range = [4 * row, 4 * row + 4] as const;
    assertEquals([...d_table.slice(...range)], [...tokens.before.slice(...range)]);
  }
  assert(d_table[12] !== tokens.before[12] && d_table[4] !== tokens.before[4]);
});

Deno.test("embedding: only trained tables get gradients, and none means no backward", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "frozen");
  const tokens = lookup(gpu, "token", randomValues(20, 1), 4, Uint32Array.of(3, 0));
  const positions = lookup(gpu, "position", randomValues(8, 1), 4, Uint32Array.of(0, 1));
  tokens.table.needsGrad = false;
  embedding(tape, tokens, positions).grad = tensorOf(gpu, "d_y", [2, 4], randomValues(8, 2));
  tape.backward();
  assertEquals(tape.dispatchCount, 2);
  assertEquals(embedding(tape, tokens, null).needsGrad, false);
});

Deno.test("embedding: lookups that do not belong together are refused by name", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const tokens = lookup(gpu, "token", randomValues(20, 1), 4, Uint32Array.of(3, 0));
  const wide = lookup(gpu, "wide", randomValues(20, 1), 5, Uint32Array.of(3, 0));
  const long = lookup(gpu, "long", randomValues(20, 1), 4, Uint32Array.of(3, 0, 1));
  assertThrows(() => embedding(tape, tokens, wide), InputError, "wide table [4,5] differ");
  assertThrows(() => embedding(tape, tokens, long), InputError, "long ids [3] differ");
  const { table, indices } = tokens;
  assertThrows(
    () => embedding(tape, { table, indices }, null),
    InputError,
    "token table is trained",
  );
});

const batch = fc.integer({ min: 1, max: 40 }).chain((entries) =>
  fc.record({
    entries: fc.constant(entries),
    ids: fc.array(fc.integer({ min: 0, max: entries - 1 }), { minLength: 1, maxLength: 60 }),
  })
);

Deno.test("sortByEntry: every row once, grouped by its entry, in order (property)", () => {
  fc.assert(fc.property(batch, ({ entries, ids }) => {
    const { order, segments } = sortByEntry(Uint32Array.from(ids), entries);
    assertEquals(segments.length, 4 * segmentCapacity(ids.length, entries));
    assertEquals([...order].sort((a, b) => a - b), ids.map((_, row) => row));
    let covered = 0;
    let last = -1;
    for (let at = 0; at < segments.length; at += 4) {
      const [entry, begin, end, zero] = segments.subarray(at, at + 4);
      assertEquals(zero, 0);
      if (begin === end) {
        assertEquals([covered, begin], [ids.length, 0], "unused segments come last");
        continue;
      }
      assert(begin === covered && end > begin && entry > last, "segments follow each other");
      const rows = order.subarray(begin, end);
      assert(
        rows.every((row, i) => ids[row] === entry && (i === 0 || row > rows[i - 1])),
        "stable",
      );
      [covered, last] = [end, entry];
    }
    assertEquals(covered, ids.length);
  }));
});

Deno.test("sortByEntry refuses an index outside the table", () => {
  assertThrows(
    () => sortByEntry(Uint32Array.of(1, 0, 5), 5),
    InputError,
    "index 5 of row 2 is outside a table of 5 entries",
  );
});
