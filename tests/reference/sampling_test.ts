import { assert, assertEquals } from "../assert.ts";
import fc from "fast-check";
import { randomUniform } from "./random.ts";
import {
  draw,
  greedy,
  keepTopK,
  keepTopP,
  penaliseRepetition,
  samplingProbabilities,
} from "./sampling.ts";
import { softmax } from "./softmax.ts";

const finite = fc.double({ min: -20, max: 20, noNaN: true });
const logits = fc.array(finite, { minLength: 1, maxLength: 12 });
const kept = (x: Float64Array) => x.filter((value) => value !== -Infinity).length;

Deno.test("greedy: the first of equals", () => assertEquals(greedy([1, 3, 2, 3]), 1));

Deno.test("repetition penalty: divides positive logits, multiplies negative ones, once per token", () => {
  assertEquals([...penaliseRepetition([4, -4, 4, 0], [0, 1, 0, 3], 2)], [2, -8, 4, 0]);
});

Deno.test("top-k keeps ties with the k-th; k beyond the vocabulary keeps all", () => {
  assertEquals([...keepTopK([1, 2, 2, 3], 2)], [-Infinity, 2, 2, 3]);
  assertEquals([...keepTopK([1, 2], 9)], [1, 2]);
});

Deno.test("top-p: the smallest set that reaches p, at least one token", () => {
  const probabilities = [0.5, 0.25, 0.125, 0.125].map(Math.log);
  assertEquals(kept(keepTopP(probabilities, 0.45)), 1);
  assertEquals(kept(keepTopP(probabilities, 0.7)), 2);
  assertEquals(kept(keepTopP(probabilities, 0.8)), 3);
  assertEquals(kept(keepTopP(probabilities, 0.9)), 4);
  assertEquals(kept(keepTopP(probabilities, 0)), 1);
});

Deno.test("rules: top-k 1 is greedy, a tiny temperature is greedy, neutral values are the identity", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1 }), (x) => {
      const best = greedy(x);
      for (const options of [{ topK: 1 }, { topP: 1e-9 }, { temperature: 1e-3 }]) {
        const p = samplingProbabilities(x, [], options);
        assert(p[best] > 1 - 1e-12);
        assertEquals(draw(p, 1 - 2 ** -24), best);
      }
    }),
  );
  fc.assert(fc.property(logits, (x) => {
    const neutral = { temperature: 1, topK: x.length, topP: 1, repetitionPenalty: 1 };
    const p = samplingProbabilities(x, x.keys(), neutral);
    assertEquals(p, softmax(x, x.length));
  }));
});

Deno.test("rules: a penalty above 1 never makes a seen token likelier; what is kept keeps its odds", () => {
  const penalty = fc.double({ min: 1, max: 5, noNaN: true });
  fc.assert(fc.property(logits, penalty, fc.nat(), (x, factor, pick) => {
    const seen = pick % x.length;
    const before = softmax(x, x.length);
    const after = samplingProbabilities(x, [seen], { repetitionPenalty: factor });
    assert(after[seen] <= before[seen] + 1e-12);
  }));
  const mass = fc.double({ min: 0.01, max: 1, noNaN: true });
  fc.assert(fc.property(logits, mass, fc.integer({ min: 1, max: 12 }), (x, topP, topK) => {
    const before = softmax(x, x.length);
    const after = samplingProbabilities(x, [], { topP });
    const sum = before.reduce((total, p, v) => after[v] > 0 ? total + p : total, 0);
    assert(sum >= topP - 1e-9);
    after.forEach((p, v) => assert(p === 0 || Math.abs(p - before[v] / sum) < 1e-12));
    assert(kept(keepTopK(x, topK)) >= Math.min(topK, x.length));
  }));
});

Deno.test("draw: inverts the distribution function and never picks what was removed", () => {
  assertEquals([0, 0.24, 0.25, 0.99].map((u) => draw([0.25, 0, 0.75, 0], u)), [0, 0, 2, 2]);
  assertEquals(draw([0.5, 0.5 - 1e-9, 0], 1 - 1e-12), 1);
  const p = softmax([0, 1, 2, -1], 4);
  const counts = new Float64Array(4);
  const n = 20_000;
  for (let i = 0; i < n; i++) counts[draw(p, randomUniform(3, 0, i))] += 1;
  p.forEach((q, v) => assert(Math.abs(counts[v] / n - q) < 5 * Math.sqrt(q * (1 - q) / n)));
});
