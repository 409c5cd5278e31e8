/**
 * Plasticity: separate anchors, the online one, and what an imported checkpoint holds.
 */
import fc from "fast-check";
import {
  type Anchor,
  onlineAnchor,
  PlasticityTerm,
} from "../../../workflows/objective/plasticity.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { relativeError } from "../../kernels/harness.ts";
import { ewcPenalty } from "../../reference/fisher.ts";
import { batchOfRows, rowsOf } from "../train/programs.ts";
import { LENGTH, stepOnce, tinyPolicy } from "./helpers.ts";

const map = (values: number[]) => new Map([["w", Float32Array.from(values)]]);

Deno.test("the online anchor is the last one with a decaying sum of importances", () => {
  const anchors: Anchor[] = [[1, 2], [3, 4], [5, 6]].map((values, i) => ({
    theta: map([i, i]),
    importance: map(values),
  }));
  const { theta, importance } = onlineAnchor(anchors, 0.5);
  assertEquals(theta, anchors[2].theta);
  assertEquals(importance, map([5 + 1.5 + 0.25, 6 + 2 + 0.5]));
  assertEquals(onlineAnchor(anchors, 0).importance, anchors[2].importance);
  assertThrows(() => onlineAnchor([], 0.5), Error, "no earlier stage");
  assertThrows(() => onlineAnchor(anchors, 1.5), Error, "decay must be in [0, 1]");
});

Deno.test("with decay 1 the online importance is the plain sum, in any order", () =>
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 3, maxLength: 3 }), {
        minLength: 1,
        maxLength: 5,
      }),
      (rows) => {
        const anchors = rows.map((values) => ({ theta: map([0, 0, 0]), importance: map(values) }));
        const sums = [0, 1, 2].map((i) => rows.reduce((sum, values) => sum + values[i], 0));
        assertEquals(onlineAnchor(anchors, 1).importance, map(sums));
      },
    ),
  ));

Deno.test("separate anchors add penalties and gradients, also under a loss scale", async () => {
  const parameters = await tinyPolicy(1);
  const theta = (await parameters.weights()).tensors;
  const of = (f: (x: number, i: number) => number) =>
    new Map([...theta].map(([name, values]) => [name, values.map(f)]));
  const anchors = [
    { theta: of((x, i) => x + (i % 3) / 10), importance: of((_, i) => (i % 4) / 50) },
    { theta: of((x) => x - 0.2), importance: of((_, i) => (i % 2) / 30) },
  ];
  const doubles = (tensors: ReadonlyMap<string, Float32Array>) =>
    new Map([...tensors].map(([name, values]) => [name, Float64Array.from(values)]));
  const want = anchors.map((anchor) =>
    ewcPenalty(doubles(theta), doubles(anchor.theta), doubles(anchor.importance), 3)
  );
  const batch = [batchOfRows(rowsOf(2, LENGTH, 7), LENGTH)];
  const run = (terms: PlasticityTerm[], lossScale: number | null) =>
    stepOnce(parameters, {
      objective: { rho: 0, prior: null, terms },
      lossScale: lossScale === null || !parameters.gpu.hasF16
        ? null
        : { scale: lossScale, goodSteps: 0 },
    }, batch);
  const term = () => new PlasticityTerm({ weight: 0.5, kappa: 3, anchors });
  for (const scale of [null, 1024]) {
    const [without, held] = [await run([], scale), await run([term()], scale)];
    const carried = held.metrics.lossScale;
    const penalty = want[0].penalty + want[1].penalty;
    assert(Math.abs(held.metrics.terms!["plasticity/loss"] / penalty - 1) < 1e-5);
    for (const name of theta.keys()) {
      const pull = held.gradient.get(name)!.map((g, i) =>
        (g - without.gradient.get(name)![i]) / carried
      );
      const sum = want[0].gradient.get(name)!.map((g, i) =>
        0.5 * (g + want[1].gradient.get(name)![i])
      );
      assert(
        relativeError(pull, sum) < 1e-4,
        `${name} at scale ${scale}: ${relativeError(pull, sum)}`,
      );
    }
  }
  parameters.destroy();
});

Deno.test("a term without an anchor is refused", () => {
  assertThrows(
    () => new PlasticityTerm({ weight: 1, kappa: 1, anchors: [] }),
    Error,
    "no earlier stage with an importance",
  );
});
