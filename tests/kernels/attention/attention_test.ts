import { assert } from "../../assert.ts";
import { attention } from "../../../kernels/attention/attention.ts";
import type { AttentionShape } from "../../reference/attention.ts";
import { relativeError, runTape, testGpu } from "../harness.ts";
import { type Case, caseOf, freeCase, fusedCount, type Layout } from "./cases.ts";

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

async function runCase(gpu: Awaited<ReturnType<typeof testGpu>>, given: Case) {
  const { qkv, starts, d_out, shape, config, headStride } = given;
  const [out, d_qkv] = await runTape(gpu, (tape) => {
    const out = attention(tape, qkv, starts, shape, config, headStride);
    out.grad = d_out;
    tape.backward();
    return [out, qkv.grad!];
  });
  return { out, d_qkv };
}

for (const [shape, layout] of CASES) {
  const { rows, length, heads, kvHeads, headDim } = shape;
  const name = `${rows}x${length} heads ${heads}/${kvHeads} of ${headDim}, ${layout}`;
  Deno.test(`attention: ${name}`, async () => {
    const gpu = await testGpu();
    const given = caseOf(gpu, shape, layout, 7);
    const { out, d_qkv } = await runCase(gpu, given);
    const forward = relativeError(out, given.want.out);
    const backward = relativeError(d_qkv, given.want.d_qkv);
    assert(forward < FORWARD, `forward error ${forward}`);
    assert(backward < BACKWARD, `backward error ${backward}`);
    freeCase(given);
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
