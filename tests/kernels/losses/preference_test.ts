/**
 * Preference losses, their gradients and metrics against float64 and its central differences; sums over packed sequences; and the
 * whole chain from logits to d_logits.
 */
import { Tape } from "../../../kernels/gpu/tape.ts";
import { logProbGather } from "../../../kernels/losses/cross_entropy.ts";
import {
  preference,
  PREFERENCE_LOSSES,
  PREFERENCE_METRICS,
  type PreferenceLoss,
} from "../../../kernels/losses/preference.ts";
import { NO_SEQUENCE, sequenceSums } from "../../../kernels/losses/sequence_sums.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { centralDifferences } from "../../reference/differences.ts";
import { preferenceLoss } from "../../reference/preference.ts";
import { targetLogProbs } from "../../reference/softmax.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

/** Five times the worst error measured on lavapipe, 3e-7. */
const LIMIT = 1.5e-6;

interface Case {
  readonly policy: Float64Array;
  readonly reference: Float64Array;
  readonly lengths: Float64Array;
  readonly weights: Float64Array;
}

/** Pairs with log-ratios of a few nats; every fourth has no weight. */
function caseOf(pairs: number, size = 3): Case {
  const reference = randomValues(2 * pairs, 1, 5).map((x) => Math.fround(x - 10));
  const change = randomValues(2 * pairs, 2, size);
  return {
    reference,
    policy: reference.map((x, i) => Math.fround(x + change[i])),
    lengths: randomValues(2 * pairs, 3, 6).map((x) => 8 + Math.round(x)),
    weights: randomValues(pairs, 4).map((x, i) => i % 4 === 3 ? 0 : Math.abs(x)),
  };
}

const pairAt = ({ policy, reference, lengths }: Case, p: number) => {
  const both = (values: Float64Array) => [values[p], values[p + values.length / 2]];
  return { policy: both(policy), reference: both(reference), lengths: both(lengths) };
};

async function onGpu(one: Case, loss: PreferenceLoss, dpoBeta: number, scale = 1) {
  const gpu = await testGpu();
  const pairs = one.weights.length;
  const [value, d_sums, metrics] = await runTape(gpu, (tape) => {
    const of = (name: string, values: Float64Array) => tensorOf(gpu, name, [values.length], values);
    const sums = of("sums", one.policy);
    sums.needsGrad = true;
    const inputs = {
      sums,
      reference: of("reference", one.reference),
      lengths: of("lengths", one.lengths),
      weights: of("weights", one.weights),
    };
    const metrics = of("metrics", new Float64Array(12).fill(1));
    const settings = { loss, dpoBeta, labelSmoothing: 0.1, scale };
    const value = preference(tape, inputs, settings, metrics, 2);
    tape.backward();
    return [value, sums.grad!, metrics];
  });
  assertEquals(value.length, pairs);
  return { value, d_sums, metrics };
}

function expected(one: Case, loss: PreferenceLoss, beta: number) {
  const total = () =>
    one.weights.reduce((sum, w, p) => sum + w * preferenceLoss(pairAt(one, p), loss, beta, 0.1), 0);
  return {
    value: one.weights.map((w, p) => w * preferenceLoss(pairAt(one, p), loss, beta, 0.1)),
    d_sums: centralDifferences(total, one.policy),
  };
}

for (const loss of PREFERENCE_LOSSES) {
  for (const [pairs, beta] of [[1, 0.1], [7, 0.5], [65, 0.1], [300, 2]]) {
    Deno.test(`${loss} over ${pairs} pairs at beta ${beta}: values and gradients`, async () => {
      const one = caseOf(pairs);
      const got = await onGpu(one, loss, beta);
      const want = expected(one, loss, beta);
      const errors = [
        relativeError(got.value, want.value),
        relativeError(got.d_sums, want.d_sums),
      ];
      assert(errors[0] < LIMIT && errors[1] < LIMIT, `value, gradient: ${errors}`);
    });
  }

  Deno.test(`${loss} of log-ratios of thousands of nats is finite and right`, async () => {
    const one = caseOf(9, 4000);
    const got = await onGpu(one, loss, 1);
    const want = expected(one, loss, 1);
    assert([...got.value, ...got.d_sums].every(Number.isFinite));
    const errors = [relativeError(got.value, want.value), relativeError(got.d_sums, want.d_sums)];
    assert(errors[0] < LIMIT && errors[1] < 1e-5, `value, gradient: ${errors}`);
  });
}

Deno.test("metrics add weighted sums to what is there; scale changes the loss alone", async () => {
  const one = caseOf(33);
  const [got, scaled] = [await onGpu(one, "sigmoid", 0.3), await onGpu(one, "sigmoid", 0.3, 4)];
  assertEquals(scaled.metrics, got.metrics);
  assertEquals(scaled.value, got.value.map((x) => 4 * x));
  assertEquals(scaled.d_sums, got.d_sums.map((x) => 4 * x));
  const want = new Float64Array(PREFERENCE_METRICS.length).fill(1);
  one.weights.forEach((w, p) => {
    const pair = pairAt(one, p);
    const [c, r] = [0, 1].map((i) => pair.policy[i] - pair.reference[i]);
    const loss = preferenceLoss(pair, "sigmoid", 0.3, 0);
    const [logC, logR] = [pair.policy[0], pair.policy[1]];
    const size = (Math.abs(c) + Math.abs(r)) / 2;
    const fell = Number(c < 0 && r < 0);
    [loss, Number(c > r), 0.3 * c, 0.3 * r, logC, logR, size, fell].forEach((x, k) =>
      want[k] += w * x
    );
  });
  assertEquals([...got.metrics.subarray(0, 2), ...got.metrics.subarray(10)], [1, 1, 1, 1]);
  const error = relativeError(got.metrics.subarray(2, 10), want);
  assert(error < LIMIT, `${got.metrics} ${want}: ${error}`);
});

Deno.test("at the reference sigmoid is ln 2, hinge 1, ipo 1 / (2 beta)^2, and no reply is a winner", async () => {
  const start = caseOf(5);
  const one = { ...start, policy: start.reference, weights: new Float64Array(5).fill(1) };
  const want = { sigmoid: Math.LN2, cdpo: Math.LN2, robust: Math.LN2, hinge: 1, ipo: 25 } as const;
  for (const loss of PREFERENCE_LOSSES) {
    const { value, metrics } = await onGpu(one, loss, 0.1);
    assert(value.every((x) => Math.abs(x / want[loss] - 1) < 1e-6), `${loss}: ${value}`);
    assertEquals([metrics[3], metrics[4]], [1, 1]);
  }
});

/** Sequences packed into rows in any order, with gaps and an empty one. */
const SEGMENTS = [[7, 13], [0, 5], [20, 20], [14, 31], [31, 32]];

Deno.test("sums over packed sequences and their gradient", async () => {
  const gpu = await testGpu();
  const tokens = 37;
  const x = randomValues(tokens, 1);
  const d_sums = randomValues(SEGMENTS.length, 2);
  const owners = new Uint32Array(tokens).fill(NO_SEQUENCE);
  SEGMENTS.forEach(([from, to], s) => owners.fill(s, from, to));
  const [sums, d_x] = await runTape(gpu, (tape) => {
    const input = tensorOf(gpu, "x", [tokens], x);
    input.needsGrad = true;
    const out = sequenceSums(tape, input, {
      segments: tensorOf(gpu, "segments", [2 * SEGMENTS.length], SEGMENTS.flat(), "u32"),
      sequenceOf: tensorOf(gpu, "owners", [tokens], owners, "u32"),
    });
    out.grad = tensorOf(gpu, "d_sums", [SEGMENTS.length], d_sums);
    tape.backward();
    return [out, input.grad!];
  });
  const want = SEGMENTS.map(([from, to]) => x.slice(from, to).reduce((a, b) => a + b, 0));
  assert(relativeError(sums, want) < 3e-7, `${sums}`);
  assertEquals(d_x, Float32Array.from(owners, (s) => s === NO_SEQUENCE ? 0 : d_sums[s]));
});

Deno.test("from logits to d_logits: packed pairs against central differences", async () => {
  const gpu = await testGpu();
  const [tokens, vocab] = [12, 5];
  const logits = randomValues(tokens * vocab, 1, 2);
  const targets = Uint32Array.from({ length: tokens }, (_, i) => i % 3 === 2 ? NO_SEQUENCE : i % 5);
  const segments = [[0, 3], [6, 9], [3, 6], [9, 12]]; // chosen 0, chosen 1, rejected 0, rejected 1
  const reference = [-3, -4, -5, -2.5];
  const weights = [0.75, 0.5];
  const owners = new Uint32Array(tokens);
  segments.forEach(([from, to], s) => owners.fill(s, from, to));
  const [d_logits] = await runTape(gpu, (tape) => {
    const x = tensorOf(gpu, "logits", [tokens, vocab], logits);
    x.needsGrad = true;
    const vector = (name: string, values: ArrayLike<number>) =>
      tensorOf(gpu, name, [values.length], values);
    const integers = (name: string, values: ArrayLike<number>) =>
      tensorOf(gpu, name, [values.length], values, "u32");
    const logProb = logProbGather(tape, x, integers("targets", targets));
    const places = {
      segments: integers("segments", segments.flat()),
      sequenceOf: integers("owners", owners),
    };
    const inputs = {
      sums: sequenceSums(tape, logProb, places),
      reference: vector("reference", reference),
      lengths: vector("lengths", [2, 2, 2, 2]),
      weights: vector("weights", weights),
    };
    const metrics = vector("metrics", new Float64Array(8));
    preference(tape, inputs, { loss: "sigmoid", dpoBeta: 0.5 }, metrics, 0);
    tape.backward();
    return [x.grad!];
  });
  const loss = () => {
    const logProb = targetLogProbs(logits, targets, vocab);
    const sums = segments.map(([from, to]) => logProb.slice(from, to).reduce((a, b) => a + b, 0));
    return weights.reduce((sum, w, p) => {
      const both = (values: number[]) => [values[p], values[p + 2]];
      const pair = { policy: both(sums), reference: both(reference), lengths: [2, 2] };
      return sum + w * preferenceLoss(pair, "sigmoid", 0.5, 0);
    }, 0);
  };
  const error = relativeError(d_logits, centralDifferences(loss, logits));
  assert(error < LIMIT, `${error}`);
});

Deno.test("preference operations name what does not fit", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const of = (name: string, count: number) => tensorOf(gpu, name, [count], new Float64Array(count));
  const inputs = {
    sums: of("sums", 4),
    reference: of("reference", 4),
    lengths: of("lengths", 4),
    weights: of("weights", 2),
  };
  const run = (changes: object, settings: object = {}) => () =>
    preference(
      tape,
      { ...inputs, ...changes },
      { loss: "sigmoid", dpoBeta: 0.1, ...settings },
      of("metrics", 8),
      0,
    );
  assertThrows(run({ sums: of("sums", 3) }), Error, "sums must be a f32 vector [4]");
  assertThrows(run({}, { dpoBeta: 0 }), Error, "dpoBeta must be above 0");
  assertThrows(run({}, { labelSmoothing: 0.5 }), Error, "labelSmoothing must be in [0, 0.5)");
  const owners = tensorOf(gpu, "owners", [3], [0, 0, 0], "u32");
  const segments = tensorOf(gpu, "segments", [3], [0, 0, 0], "u32");
  assertThrows(
    () => sequenceSums(tape, of("x", 3), { segments, sequenceOf: owners }),
    Error,
    "segments must be u32 [2 * sequences]",
  );
  assertEquals(tape.dispatchCount, 0);
});
