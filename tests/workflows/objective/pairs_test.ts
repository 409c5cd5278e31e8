/**
 * Batches of pairs: every pair whole and in its place, both replies behind the same prompt, weights on replies alone, nothing lost.
 */
import fc from "fast-check";
import { NO_TARGET } from "../../../workflows/data/batch.ts";
import {
  memoryPairs,
  mostPairs,
  type PreferenceBatch,
} from "../../../workflows/objective/pairs.ts";
import { placesOf } from "../../../workflows/objective/placed.ts";
import { NO_SEQUENCE } from "../../../kernels/losses/sequence_sums.ts";
import { nurseryPair, NurseryPairs } from "../../../workflows/train/nursery_pairs.ts";
import { REFUSAL } from "../../../workflows/nursery/dialogue.ts";
import { encodeWords } from "../../../workflows/nursery/tokens.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { LENGTH, randomPairs } from "./helpers.ts";

const ids = ({ tokens }: PreferenceBatch, { from, to }: { from: number; to: number }) => [
  ...tokens.ids.subarray(from, to),
];

Deno.test("an epoch holds every pair whole, packed or not", () =>
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(2, 4, 8),
      fc.boolean(),
      fc.integer({ min: 0, max: 99 }),
      (count, rows, packing, seed) => {
        const pairs = randomPairs(count, seed);
        const source = memoryPairs(pairs, { rows, length: LENGTH, seed, packing, padId: 0 });
        const seen = new Set<number>();
        for (let step = 0; step < source.stepsPerEpoch; step++) {
          const batch = source.batch(step);
          assertEquals([batch.tokens.rows, batch.tokens.length], [rows, LENGTH]);
          assert(batch.pairs.length <= mostPairs(rows, LENGTH));
          for (const placed of batch.pairs) {
            const pair = pairs[placed.id];
            assertEquals(ids(batch, placed.chosen), pair.chosen.ids);
            assertEquals(ids(batch, placed.rejected), pair.rejected.ids);
            seen.add(placed.id);
          }
          const scored = batch.tokens.weights.reduce((a, b) => a + b, 0);
          const wanted = batch.pairs.flatMap(({ id }) => [pairs[id].chosen, pairs[id].rejected])
            .reduce((sum, { weights }) => sum + weights.reduce((a, b) => a + b, 0), 0);
          assertEquals(scored, wanted);
        }
        assertEquals(seen.size, count);
      },
    ),
    { numRuns: 60 },
  ));

Deno.test("places: scored tokens are the replies', and each belongs to its own sequence", () => {
  const pairs = randomPairs(9, 3);
  const batch = memoryPairs(pairs, { rows: 8, length: LENGTH, seed: 1, packing: true, padId: 0 })
    .batch(0);
  const most = mostPairs(8, LENGTH);
  const places = placesOf(batch, most);
  batch.pairs.forEach(({ id, chosen, rejected }, p) => {
    for (
      const [span, sequence, reply] of [
        [chosen, p, pairs[id].chosen],
        [rejected, most + p, pairs[id].rejected],
      ] as const
    ) {
      assertEquals([...places.segments.subarray(2 * sequence, 2 * sequence + 2)], [
        span.from,
        span.to,
      ]);
      const targets = [...places.targets.subarray(span.from, span.to)].filter((t) =>
        t !== NO_TARGET
      );
      assertEquals(targets, reply.ids.filter((_, i) => reply.weights[i] === 1));
      assertEquals(places.lengths[sequence], targets.length);
      assert(places.sequenceOf.subarray(span.from, span.to).every((s) => s === sequence));
    }
  });
  const owned = places.sequenceOf.filter((s) => s !== NO_SEQUENCE).length;
  const whole = batch.pairs.reduce(
    (n, { chosen, rejected }) => n + chosen.to - chosen.from + rejected.to - rejected.from,
    0,
  );
  assertEquals(owned, whole);
});

Deno.test("a pair that is longer than a row is refused", () => {
  const options = { rows: 2, length: 6, seed: 1, packing: true, padId: 0 };
  assertThrows(() => memoryPairs(randomPairs(9, 2, 5), options), Error, "does not fit a row of 6");
});

Deno.test("nursery pairs: any batch at once, whole pairs that differ, refusals on both sides", () => {
  const options = { rows: 8, length: 64, seed: 5, packing: true, care: { stage: 2 } } as const;
  const [one, other] = [new NurseryPairs(options), new NurseryPairs(options)];
  const late = other.batch(37);
  assertEquals(one.batch(37), late);
  assert(JSON.stringify(one.batch(38).tokens.ids) !== JSON.stringify(late.tokens.ids));
  assert(late.pairs.length > 4, "dialogues are short, so rows hold several");
  const refusal = encodeWords(REFUSAL).join();
  const refused = { chosen: 0, rejected: 0 };
  for (let i = 0; i < 300; i++) {
    const { chosen, rejected } = nurseryPair(5, i, options);
    assert(chosen.ids.join() !== rejected.ids.join());
    const prompt = chosen.weights.lastIndexOf(0);
    assertEquals(chosen.ids.slice(0, prompt), rejected.ids.slice(0, prompt));
    if (chosen.ids.join().includes(refusal)) refused.chosen++;
    if (rejected.ids.join().includes(refusal)) refused.rejected++;
  }
  // Refusing everything loses: there are about as many pairs in which the refusal is the wrong reply.
  assert(refused.chosen > 60 && refused.rejected > 60, JSON.stringify(refused));
});

Deno.test("a stage too short for any pair says so", () => {
  assertThrows(
    () => nurseryPair(1, 0, { length: 6, care: {} }),
    Error,
    "no preference pair fits 6 tokens",
  );
});
