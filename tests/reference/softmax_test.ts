import { assert, assertEquals } from "../assert.ts";
import fc from "fast-check";
import { NO_TARGET } from "../../workflows/data/batch.ts";
import { assertGradient, functional } from "./differences.ts";
import { relativeError } from "./numbers.ts";
import { randomNormals } from "./random.ts";
import {
  logSoftmax,
  logSoftmaxBackward,
  logSumExp,
  softmax,
  softmaxBackward,
  targetLogProbs,
  targetLogProbsBackward,
} from "./softmax.ts";

const shapes = [[1, 1], [1, 5], [3, 7], [5, 2]];

Deno.test("softmax: gradients of softmax, log-softmax and target log-probabilities", () => {
  for (const [rows, width] of shapes) {
    const x = randomNormals(rows * width, 1);
    const { d_y, of } = functional(x.length, 2);
    const d_softmax = softmaxBackward(softmax(x, width), d_y, width);
    assertGradient("softmax", () => of(softmax(x, width)), x, d_softmax);
    const d_log = logSoftmaxBackward(logSoftmax(x, width), d_y, width);
    assertGradient("logSoftmax", () => of(logSoftmax(x, width)), x, d_log);
    const targets = Array.from({ length: rows }, (_, r) => r === 1 ? NO_TARGET : r % width);
    const some = functional(rows, 3);
    const d_target = targetLogProbsBackward(x, targets, some.d_y, width);
    assertGradient("target", () => some.of(targetLogProbs(x, targets, width)), x, d_target);
  }
});

Deno.test("softmax: extreme rows stay exact", () => {
  assertEquals([...softmax([1e4, -1e4, 1e4, -1e30], 4)], [0.5, 0, 0.5, 0]);
  assertEquals([...logSoftmax([0, -1e30], 2)], [0, -1e30]);
  assertEquals([...softmax([0, -Infinity], 2)], [1, 0]);
  assert(
    relativeError(logSumExp([1e4, 1e4, -1e5, -1e5], 2), [1e4 + Math.LN2, -1e5 + Math.LN2]) < 1e-15,
  );
});

const logits = fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), {
  minLength: 1,
  maxLength: 9,
});

Deno.test("softmax: sums to 1, is shift-invariant, agrees with log-softmax and log-sum-exp", () => {
  fc.assert(fc.property(logits, fc.integer({ min: -1000, max: 1000 }), (row, shift) => {
    const p = softmax(row, row.length);
    assert(Math.abs(p.reduce((a, b) => a + b) - 1) < 1e-14);
    const shifted = softmax(row.map((x) => x + shift), row.length);
    const logP = logSoftmax(row, row.length);
    const [lse] = logSumExp(row, row.length);
    row.forEach((x, i) => {
      assert(p[i] >= 0 && p[i] <= 1);
      assert(Math.abs(shifted[i] - p[i]) < 1e-11);
      assert(Math.abs(Math.exp(logP[i]) - p[i]) < 1e-14);
      assert(Math.abs(logP[i] - (x - lse)) < 1e-11);
    });
    assert(lse >= Math.max(...row));
  }));
});
