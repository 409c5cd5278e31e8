/** Edit distance, the ball counted and enumerated, and edits that cannot leave it. */
import fc from "fast-check";
import { InputError } from "../../../../kernels/errors.ts";
import { Random } from "../../../../workflows/data/random.ts";
import { EditBall, editBall } from "../../../../workflows/safety/perturbation/ball.ts";
import {
  editDistance,
  editDistanceWithin,
  normalisedEditDistance,
} from "../../../../workflows/safety/perturbation/edit_distance.ts";
import {
  allowedEdits,
  applyEdit,
  type EditSpace,
  wholeSpace,
} from "../../../../workflows/safety/perturbation/edit_space.ts";
import { Proposer } from "../../../../workflows/safety/perturbation/proposals.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";

const words = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 7 });

/** The textbook recursion, for sequences of a few items. */
function recursiveDistance<T>(a: readonly T[], b: readonly T[]): number {
  if (a.length === 0 || b.length === 0) return a.length + b.length;
  const [x, y] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return recursiveDistance(x, y);
  return 1 + Math.min(recursiveDistance(x, y), recursiveDistance(x, b), recursiveDistance(a, y));
}

/** A small space with locks: ids 0..2 may be put in, 3 and 4 are the word's own. */
const spaces: fc.Arbitrary<EditSpace<number>> = fc.record({
  word: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
  budget: fc.integer({ min: 0, max: 2 }),
  locks: fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }),
}).map(({ word, budget, locks }) => ({
  word,
  alphabet: [0, 1, 2],
  budget,
  editable: locks.slice(0, word.length),
  open: locks.slice(4, 5 + word.length),
}));

/** What repeated elementary edits reach, by brute force. */
function reachable(space: EditSpace<number>): Map<string, number> {
  const best = new Map<string, number>();
  let layer = [wholeSpace(space)];
  for (let edits = 0; layer.length > 0; edits++) {
    const fresh: typeof layer = [];
    for (const reached of layer) {
      const key = reached.word.join();
      if (!best.has(key)) best.set(key, edits);
      fresh.push(...allowedEdits(reached).map((edit) => applyEdit(reached, edit)));
    }
    layer = fresh;
  }
  return best;
}

Deno.test("edit distance: equals the recursion that defines it", () => {
  fc.assert(
    fc.property(words, words, (a, b) => assertEquals(editDistance(a, b), recursiveDistance(a, b))),
    { numRuns: 60 },
  );
});

Deno.test("edit distance: is a metric", () => {
  fc.assert(fc.property(words, words, words, (a, b, c) => {
    assertEquals(editDistance(a, b), editDistance(b, a));
    assertEquals(editDistance(a, b) === 0, a.join() === b.join());
    assert(editDistance(a, c) <= editDistance(a, b) + editDistance(b, c));
  }));
});

Deno.test("edit distance: the band gives the same within the budget, and null beyond", () => {
  fc.assert(fc.property(words, words, fc.integer({ min: 0, max: 8 }), (a, b, budget) => {
    const distance = editDistance(a, b);
    assertEquals(editDistanceWithin(a, b, budget), distance <= budget ? distance : null);
  }));
});

Deno.test("edit distance: counts code points, not code units, and does not normalise", () => {
  assertEquals(editDistance("kitten", "sitting"), 3);
  assertEquals(editDistance("\u{1F44D}\u{1F3FD}", "\u{1F44D}"), 1);
  assertEquals(editDistance([..."\u{1D54F}1"], [..."X1"]), 1);
  assertEquals(editDistance("\u00e9", "e\u0301"), 2);
  assertEquals(normalisedEditDistance("", ""), 0);
  assertEquals(normalisedEditDistance("", "abc"), 1);
  assertThrows(() => editDistanceWithin("a", "b", -1), InputError, "edit budget");
});

Deno.test("ball: counts known from a closed form and from enumerations made elsewhere", () => {
  assertEquals(editBall("ab", "ab", 1).byDistance, [1n, 8n]);
  assertEquals(editBall("aab", "abc", 2).byDistance, [1n, 17n, 102n]);
  assertEquals(editBall("", "ab", 3).byDistance, [1n, 2n, 4n, 8n]);
  assertEquals(editBall("hello", "helo", 1).size, 39n);
  assertThrows(() => editBall("ab", "a", 1), InputError, 'lacks "b"');
});

Deno.test("ball: a prompt's ball is counted without being enumerated", () => {
  const alphabet = Array.from({ length: 393 }, (_, i) => i);
  const ball = new EditBall({ word: alphabet.slice(0, 30), alphabet, budget: 3 });
  // One substitution at any of 30 places, one deletion each, one insertion (closed form for k = 1).
  assertEquals(ball.byDistance[1], BigInt(30 * 392 + 30 + 31 * 393 - 30));
  assert(ball.size > 2_000_000_000_000n);
});

Deno.test("ball: enumerates exactly what elementary edits reach, once each, in a fixed order", () => {
  fc.assert(
    fc.property(spaces, (space) => {
      const ball = new EditBall(space);
      const members = [...ball].map((member) => member.join());
      const reached = reachable(space);
      assertEquals(new Set(members).size, members.length);
      assertEquals([...members].sort(), [...reached.keys()].sort());
      assertEquals(ball.size, BigInt(members.length));
      const distances = ball.byDistance.map(() => 0n);
      for (const distance of reached.values()) distances[distance]++;
      assertEquals(ball.byDistance, distances);
      assertEquals(members, [...new EditBall(space)].map((member) => member.join()));
    }),
    { numRuns: 60 },
  );
});

Deno.test("ball: ranks, membership and draws agree with the enumeration", () => {
  fc.assert(
    fc.property(spaces, fc.nat(), (space, seed) => {
      const ball = new EditBall(space);
      [...ball].forEach((member, i) => {
        assertEquals(ball.at(BigInt(i)), member);
        assert(ball.has(member));
      });
      assert(!ball.has([...space.word, 7]));
      assert(ball.has(ball.sample(new Random(seed))));
    }),
    { numRuns: 40 },
  );
});

Deno.test("ball: draws are uniform", () => {
  const ball = editBall("ab", "ab", 1);
  const random = new Random(4, "draws");
  const counts = new Map<string, number>();
  for (let i = 0; i < 9000; i++) {
    const member = ball.sample(random).join("");
    counts.set(member, (counts.get(member) ?? 0) + 1);
  }
  assertEquals(counts.size, 9);
  // Chi-square with 8 degrees of freedom exceeds 26.1 with probability 0.001.
  const chi = [...counts.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
  assert(chi < 26.1, `chi-square ${chi}`);
});

Deno.test("edits: every allowed edit keeps to the distance, and forbidden ones are refused", () => {
  fc.assert(fc.property(spaces, fc.nat(), (space, seed) => {
    const random = new Random(seed);
    let current = wholeSpace(space);
    for (let edits = allowedEdits(current); edits.length > 0; edits = allowedEdits(current)) {
      current = applyEdit(current, random.pick(edits));
    }
    assert(editDistance(space.word, current.word) <= space.budget);
  }));
  const space = wholeSpace({ word: [1, 2], alphabet: [0], budget: 1, editable: [true, false] });
  const refused = [{ kind: "delete", at: 1 }, { kind: "insert", at: 0, item: 5 }] as const;
  for (const edit of refused) assertThrows(() => applyEdit(space, edit), InputError, "not allowed");
  assertThrows(() => wholeSpace({ word: [1], alphabet: [0, 0], budget: 1 }), InputError, "twice");
  assertThrows(
    () => wholeSpace({ word: [1], alphabet: [0], budget: 1, open: [true] }),
    InputError,
    "must have 2 entries",
  );
});

Deno.test("proposals: no scores whatever lead outside the ball", () => {
  const scores = fc.array(fc.float({ min: -30, max: 30, noNaN: true }), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(fc.property(spaces, scores, fc.nat(), (space, row, seed) => {
    const ball = new EditBall(space);
    const proposer = new Proposer({ space }, () => row);
    const random = new Random(seed);
    for (let i = 0; i < 5; i++) {
      const { perturbation } = proposer.sample(random);
      assert(ball.has(perturbation));
      assert(editDistance(space.word, perturbation) <= space.budget);
    }
  }));
});
