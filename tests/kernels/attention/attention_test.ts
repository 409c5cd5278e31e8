import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { activation } from "../../../kernels/activation/activation.ts";
import { attention } from "../../../kernels/attention/attention.ts";
import { type AttentionSchedule, attentionSchedule } from "../../../kernels/attention/kernels.ts";
import { InputError } from "../../../kernels/errors.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { paddedColumns } from "../../../kernels/gpu/tensor.ts";
import { ropeTable, rotate } from "../../../kernels/rope/rope.ts";
import { activate, activateBackward } from "../../reference/activation.ts";
import {
  attention as attentionReference,
  attentionBackward,
  type AttentionShape,
  joinQkv,
  splitQkv,
} from "../../reference/attention.ts";
import { rope, ropeBackward } from "../../reference/rope.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";
import {
  type Case,
  caseOf,
  freeCase,
  fusedCount,
  type Layout,
  policyOf,
  startsOf,
} from "./cases.ts";

// Measured on lavapipe: 1.6e-7 forward, 6.2e-7 backward at worst; 4.3e-6 backward for huge scores, where
// d_p - D cancels.
const FORWARD = 1e-6;
const BACKWARD = 5e-6;

const shapeOf = (
  rows: number,
  length: number,
  heads: number,
  kvHeads: number,
  headDim: number,
): AttentionShape => ({ rows, length, heads, kvHeads, headDim });

/** Every length, head grouping, head size and layout at least once, in pairs that differ. */
const CASES: readonly [AttentionShape, Layout][] = [
  [shapeOf(1, 1, 1, 1, 4), "whole"],
  [shapeOf(3, 3, 4, 2, 4), "packed"],
  [shapeOf(2, 7, 6, 3, 4), "left-padded"],
  [shapeOf(2, 65, 8, 1, 4), "packed"],
  [shapeOf(3, 3, 1, 1, 5), "whole"],
  [shapeOf(1, 63, 4, 2, 5), "packed"],
  [shapeOf(2, 127, 6, 3, 5), "left-padded"],
  [shapeOf(5, 7, 4, 2, 6), "whole"],
  [shapeOf(2, 65, 6, 3, 8), "left-padded"],
  [shapeOf(1, 127, 8, 1, 8), "whole"],
  [shapeOf(3, 63, 4, 2, 12), "packed"],
  [shapeOf(2, 7, 8, 1, 16), "packed"],
  [shapeOf(1, 65, 1, 1, 24), "left-padded"],
  [shapeOf(2, 63, 6, 3, 24), "packed"],
  [shapeOf(1, 1, 4, 2, 64), "whole"],
  [shapeOf(1, 65, 8, 1, 64), "packed"],
];

async function runCase(gpu: Gpu, given: Case, schedule?: AttentionSchedule) {
  const { qkv, starts, d_out, shape, config, headStride } = given;
  const [out, d_qkv] = await runTape(gpu, (tape) => {
    const out = attention(tape, qkv, starts, shape, config, headStride, schedule);
    out.grad = d_out;
    tape.backward();
    return [out, qkv.grad!];
  });
  return { out, d_qkv };
}

async function check(shape: AttentionShape, layout: Layout, schedule?: AttentionSchedule) {
  const gpu = await testGpu();
  const given = caseOf(gpu, shape, layout, 7);
  const { out, d_qkv } = await runCase(gpu, given, schedule);
  const forward = relativeError(out, given.want.out);
  const backward = relativeError(d_qkv, given.want.d_qkv);
  freeCase(given);
  assert(forward < FORWARD, `forward error ${forward}`);
  assert(backward < BACKWARD, `backward error ${backward}`);
}

for (const [shape, layout] of CASES) {
  const { rows, length, heads, kvHeads, headDim } = shape;
  const name = `${rows}x${length} heads ${heads}/${kvHeads} of ${headDim}, ${layout}`;
  Deno.test(`attention: ${name}`, () => check(shape, layout));
}

// The GPU schedule computes the same on a software adapter, only slower.
for (const [rows, length, heads, kvHeads, headDim] of [[3, 65, 4, 2, 5], [1, 63, 6, 3, 24]]) {
  Deno.test(`attention: GPU schedule, ${rows}x${length} heads ${heads}/${kvHeads} of ${headDim}`, () => {
    const schedule = attentionSchedule(false, paddedColumns(headDim));
    return check(shapeOf(rows, length, heads, kvHeads, headDim), "packed", schedule);
  });
}

Deno.test("attention: scores of +-10,000 keep their probabilities", async () => {
  const gpu = await testGpu();
  // Whole numbers with headDim 16: every score is exact in float32, so any error is the kernel's own.
  const shape = shapeOf(2, 33, 4, 2, 16);
  const fused = Float64Array.from(
    { length: fusedCount(shape) },
    (_, i) => Math.floor(i * 7919 % 51 / 25 * 50) - 50,
  );
  const given = caseOf(gpu, shape, "packed", 3, fused);
  const { out, d_qkv } = await runCase(gpu, given);
  assert(relativeError(out, given.want.out) < FORWARD);
  assert(relativeError(d_qkv, given.want.d_qkv) < BACKWARD);
  freeCase(given);
});

Deno.test("attention: equal keys average the values; a token that sees nothing gets zeros", async () => {
  const gpu = await testGpu();
  const config = policyOf({ heads: 1, kvHeads: 1, headDim: 4 });
  // q = k = 0, v = 4, 8, 12: the running mean. Token 2's start lies behind it.
  const values = [4, 8, 12].flatMap((v) => [...Array<number>(8).fill(0), v, v, v, v]);
  const qkv = tensorOf(gpu, "qkv", [3, 12], values);
  const starts = tensorOf(gpu, "starts", [3], [0, 0, 3], "u32");
  const shape = { rows: 1, length: 3 };
  const [out] = await runTape(gpu, (tape) => [attention(tape, qkv, starts, shape, config, 4)]);
  assertEquals([...out], [4, 4, 4, 4, 6, 6, 6, 6, 0, 0, 0, 0]);
});

Deno.test("attention: the gradient's padding is zero whatever the gradient above holds there", async () => {
  const gpu = await testGpu();
  const shape = shapeOf(1, 9, 2, 1, 6);
  const given = caseOf(gpu, shape, "whole", 5);
  const d_out = tensorOf(gpu, "d_out", [9, 16], randomValues(9 * 16, 8));
  const { d_qkv } = await runCase(gpu, { ...given, d_out });
  assertEquals([...d_qkv].filter((value, i) => i % 8 >= 6 && value !== 0), []);
  freeCase(given);
});

for (const recompute of [false, true]) {
  const name = recompute ? "recomputed in backward" : "stored";
  Deno.test(`attention: after a rotation in place, gradients reach the input (${name})`, async () => {
    const gpu = await testGpu();
    const shape = shapeOf(2, 13, 4, 2, 8);
    const { config, starts, d_out } = caseOf(gpu, shape, "packed", 7);
    const positions = Uint32Array.from({ length: 26 }, (_, i) => i % 13);
    const turned = { heads: 6, headDim: 8, ropeDims: 8, theta: config.ropeTheta, rowWidth: 64 };
    const values = randomValues(fusedCount(shape), 9, 3);
    const { q, k, v } = splitQkv(rope(activate("silu", values), positions, turned), shape);
    const first = startsOf("packed", 2, 13, 7);
    const d = attentionBackward(q, k, v, first, randomValues(26 * 32, 8), shape);
    const d_fused = joinQkv(d.d_q, d.d_k, d.d_v, shape);
    const d_x = activateBackward("silu", values, ropeBackward(d_fused, positions, turned));

    const x = tensorOf(gpu, "x", [26, 64], values);
    x.needsGrad = true;
    const at = tensorOf(gpu, "positions", [26], positions, "u32");
    const table = ropeTable(gpu, config);
    const [got, gotGradient] = await runTape(gpu, (tape) => {
      const segment = () => {
        const qkv = activation(tape, x, "silu");
        rotate(tape, qkv, at, table, config, 8);
        return attention(tape, qkv, starts, shape, config, 8);
      };
      const out = recompute ? tape.recompute(segment) : segment();
      out.grad = d_out;
      tape.backward();
      return [out, x.grad!];
    });
    assert(relativeError(got, attentionReference(q, k, v, first, shape).out) < FORWARD);
    assert(relativeError(gotGradient, d_x) < BACKWARD);
  });
}

Deno.test("attention: one forward dispatch, two backward, none without a gradient to compute", async () => {
  const gpu = await testGpu();
  const given = caseOf(gpu, shapeOf(1, 3, 1, 1, 4), "whole", 5);
  const count = (needsGrad: boolean) => {
    const tape = new Tape(gpu, "count");
    given.qkv.needsGrad = needsGrad;
    const out = attention(tape, given.qkv, given.starts, given.shape, given.config, 4);
    out.grad = given.d_out;
    tape.backward();
    return tape.dispatchCount;
  };
  assertEquals([count(true), count(false)], [3, 1]);
  freeCase(given);
});

Deno.test("attention: shapes that do not fit are refused with the tensor's name", async () => {
  const gpu = await testGpu();
  const config = policyOf({ heads: 2, kvHeads: 1, headDim: 6 });
  const tape = new Tape(gpu, "refused");
  const qkv = tape.tensor("layer.qkv", [6, 32]);
  const starts = tape.tensor("starts", [6], "u32");
  const call = (x: typeof qkv, s: typeof starts, length: number, stride = 8) => () =>
    attention(tape, x, s, { rows: 2, length }, config, stride);
  assertThrows(call(qkv, starts, 4), InputError, "layer.qkv: expected shape [8,32], found [6,32]");
  assertThrows(call(qkv, starts, 3, 12), InputError, "headDim 6 rounded up to a multiple of 4 (8)");
  const floats = tape.tensor("starts", [6]);
  assertThrows(call(qkv, floats, 3), InputError, "starts: expected u32 values, found f32");
});
