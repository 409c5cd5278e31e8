/** Where to measure next: on lines against what must be found there, and in cubes as properties. */
import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import {
  type AdaptiveRule,
  type MeasuredSetting,
  nextSetting,
} from "../../../workflows/pareto/adaptive.ts";
import { hypervolume } from "../../../workflows/pareto/hypervolume.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";

/** A concave and a convex trade-off: capability falls and safety rises with the setting. */
const ROUND = (u: number) => [Math.cos(u * Math.PI / 2), Math.sin(u * Math.PI / 2)];
const DENTED = (u: number) => [(1 - u) ** 2, u ** 2];

function search(
  front: (u: number) => number[],
  rule: AdaptiveRule,
  points: number,
  resolution = 1e-3,
): MeasuredSetting[] {
  const measured = [0, 1].map((u) => ({ at: [u], objectives: front(u) }));
  while (measured.length < points) {
    const at = nextSetting(measured, rule, { resolution });
    if (!at) break;
    measured.push({ at, objectives: front(at[0]) });
  }
  return measured;
}

const best = (measured: readonly MeasuredSetting[], score: (o: readonly number[]) => number) =>
  measured.reduce((a, b) => score(b.objectives) > score(a.objectives) ? b : a).at[0];

Deno.test("adaptive: the weighted sum's optimum is found, on a dented front an end of it", () => {
  for (const w of [0.2, 0.5, 0.9]) {
    const score = ([c, s]: readonly number[]) => w * c + (1 - w) * s;
    const rule = { kind: "weighted_sum", weights: [w, 1 - w] } as const;
    // On the circle the best angle has tan = (1 - w) / w.
    const angle = Math.atan2(1 - w, w) / (Math.PI / 2);
    assertAlmostEquals(best(search(ROUND, rule, 60), score), angle, 2e-2);
    assert([0, 1].includes(best(search(DENTED, rule, 60), score)));
  }
});

Deno.test("adaptive: Tchebycheff finds points in a dent, where its two distances are level", () => {
  const weights = [0.5, 0.5];
  const score = ([c, s]: readonly number[]) => -Math.max(0.5 * (1 - c), 0.5 * (1 - s));
  const measured = search(DENTED, { kind: "tchebycheff", weights, augmentation: 0 }, 40);
  assertAlmostEquals(best(measured, score), 0.5, 5e-3);
});

Deno.test("adaptive: an epsilon-constraint halves towards the edge of what is permitted", () => {
  const rule = { kind: "epsilon_constraint", objective: 0, floors: [0, 0.8] } as const;
  const measured = search(ROUND, rule, 40);
  const permitted = measured.filter(({ objectives: [, s] }) => s >= 0.8);
  const most = Math.max(...permitted.map(({ objectives: [c] }) => c));
  // sin = 0.8 gives cos = 0.6. Ten halvings are enough for a thousandth: it stops by itself.
  assertAlmostEquals(most, 0.6, 2e-3);
  assert(measured.length <= 13, `${measured.length} settings`);
});

Deno.test("adaptive: hypervolume and gaps know a front better than even steps do", () => {
  // All of the trade-off happens in a hundredth of the range.
  const steep = (u: number) => ROUND(Math.min(1, Math.max(0, (u - 0.31) * 100)));
  const even = Array.from({ length: 14 }, (_, i) => steep(i / 13));
  const known = hypervolume(even, [0, 0]);
  for (const kind of ["gap", "hypervolume"] as const) {
    const found = search(steep, { kind }, 14).map(({ objectives }) => objectives);
    const volume = hypervolume(found, [0, 0]);
    assert(known < 1e-9 && volume > 0.6, `${kind}: ${volume}, even steps ${known}`);
  }
});

Deno.test("adaptive: nothing left to gain ends the search", () => {
  const flat = [0, 1].map((u) => ({ at: [u], objectives: [1, 1] }));
  for (
    const rule of [
      { kind: "gap" },
      { kind: "hypervolume" },
      { kind: "weighted_sum", weights: [0.5, 0.5] },
    ] as const
  ) assertEquals(nextSetting(flat, rule), null);
  assertEquals(search(ROUND, { kind: "gap" }, 100, 0.24).length, 9);
});

Deno.test("adaptive: proposals lie inside, are new, keep the resolution, and follow the snap", () => {
  const objective = fc.integer({ min: 0, max: 5 }).map((v) => v / 5);
  const cases = fc.integer({ min: 1, max: 3 }).chain((d) =>
    fc.uniqueArray(
      fc.record({
        at: fc.array(fc.integer({ min: 0, max: 8 }).map((v) => v / 8), {
          minLength: d,
          maxLength: d,
        }),
        objectives: fc.tuple(objective, objective),
      }),
      { minLength: 2, maxLength: 8, selector: ({ at }) => `${at}` },
    )
  );
  const rules: AdaptiveRule[] = [
    { kind: "gap" },
    { kind: "hypervolume" },
    { kind: "weighted_sum", weights: [0.3, 0.7] },
    { kind: "tchebycheff", weights: [0.3, 0.7] },
    { kind: "epsilon_constraint", objective: 1, floors: [0.4, 0] },
  ];
  const snap = (at: readonly number[]) => at.map((value) => Math.round(8 * value) / 8);
  fc.assert(fc.property(cases, fc.constantFrom(...rules), (measured, rule) => {
    const at = nextSetting(measured, rule, { resolution: 0.05, snap });
    if (at === null) return;
    assert(at.every((value) => value >= 0 && value <= 1));
    assertEquals(snap(at), at);
    assert(!measured.some((one) => `${one.at}` === `${at}`));
  }));
});

Deno.test("adaptive: bad inputs are told in one line", () => {
  const one = { at: [0], objectives: [1, 0] };
  assertThrows(() => nextSetting([], { kind: "gap" }), InputError, "measured");
  assertThrows(
    () => nextSetting([{ at: [0], objectives: [1] }], { kind: "gap" }),
    InputError,
    "at least two objectives, found 1",
  );
  assertThrows(
    () => nextSetting([{ ...one, at: [2] }], { kind: "gap" }),
    InputError,
    "measured[0]",
  );
  assertThrows(
    () => nextSetting([one], { kind: "weighted_sum", weights: [1, 1] }),
    InputError,
    "weights",
  );
});
