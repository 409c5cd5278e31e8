import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { headStrideOf } from "../../../kernels/attention/layout.ts";
import { InputError } from "../../../kernels/errors.ts";
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { ropeTable, rotate } from "../../../kernels/rope/rope.ts";
import { rope, ropeBackward } from "../../reference/rope.ts";
import { padHeads, policyOf } from "../attention/cases.ts";
import { randomValues, relativeError, tensorOf, testGpu } from "../harness.ts";

// Measured on lavapipe: 4e-8 at worst (a rotation is two products and a sum).
const TOLERANCE = 2e-7;

/** tokens, heads, kvHeads, headDim, ropeDims: whole and part of a head, vec4 and single-float halves. */
const CASES: readonly (readonly [number, number, number, number, number])[] = [
  [1, 1, 1, 4, 4],
  [3, 4, 2, 4, 2],
  [7, 4, 2, 5, 4],
  [65, 6, 3, 6, 6],
  [63, 8, 1, 8, 8],
  [65, 2, 2, 12, 12],
  [7, 8, 1, 16, 8],
  [127, 6, 3, 24, 24],
  [257, 2, 2, 32, 8],
  [63, 4, 2, 64, 64],
];

for (const [tokens, heads, kvHeads, headDim, ropeDims] of CASES) {
  const name = `${tokens} tokens, heads ${heads}/${kvHeads} of ${headDim}, ${ropeDims} rotated`;
  Deno.test(`rope: ${name}, forward and back`, async () => {
    const gpu = await testGpu();
    const config = policyOf({ heads, kvHeads, headDim }, { ropeDims, context: 1024 });
    const stride = headStrideOf(config);
    const columns = (heads + 2 * kvHeads) * headDim;
    const fused = randomValues(tokens * columns, 3);
    const gradient = randomValues(tokens * columns, 4);
    const at = Uint32Array.from({ length: tokens }, (_, i) => i * 37 % 1024);
    const shape = {
      heads: heads + kvHeads,
      headDim,
      ropeDims,
      theta: config.ropeTheta,
      rowWidth: columns,
    };
    const pad = (values: Float64Array) => padHeads(values, headDim, stride);
    const padded = [tokens, (heads + 2 * kvHeads) * stride];
    const qkv = tensorOf(gpu, "qkv", padded, pad(fused));
    qkv.needsGrad = true;
    qkv.grad = tensorOf(gpu, "d_qkv", padded, pad(gradient));
    const positions = tensorOf(gpu, "positions", [tokens], at, "u32");
    const table = ropeTable(gpu, config);

    const tape = new Tape(gpu, "rope");
    rotate(tape, qkv, positions, table, config, stride);
    tape.backward();
    assertEquals(tape.dispatchCount, 2);
    tape.run();
    const forward = relativeError(await readFloats(gpu, qkv), pad(rope(fused, at, shape)));
    const back = relativeError(
      await readFloats(gpu, qkv.grad),
      pad(ropeBackward(gradient, at, shape)),
    );
    tape.destroy();
    assert(forward < TOLERANCE, `forward error ${forward}`);
    assert(back < TOLERANCE, `backward error ${back}`);
  });
}

Deno.test("rope: the table keeps float32's digits at the far end of a long context", async () => {
  const gpu = await testGpu();
  const config = policyOf({ heads: 1, kvHeads: 1, headDim: 4 }, { context: 100_000 });
  const values = await readFloats(gpu, ropeTable(gpu, config));
  const row = values.subarray(99_999 * 4);
  assertEquals(
    [...row],
    [
      Math.cos(99_999),
      Math.cos(999.99),
      Math.sin(99_999),
      Math.sin(999.99),
    ].map(Math.fround),
  );
});

Deno.test("rope: shapes that do not fit are refused with the tensor's name", async () => {
  const gpu = await testGpu();
  const config = policyOf({ heads: 2, kvHeads: 1, headDim: 6 });
  const table = ropeTable(gpu, config);
  const tape = new Tape(gpu, "refused");
  const qkv = tape.tensor("layer.qkv", [3, 24]);
  const positions = tape.tensor("positions", [3], "u32");
  assertThrows(
    () => rotate(tape, qkv, positions, table, config, 8),
    InputError,
    "layer.qkv: expected shape [3,32], found [3,24]",
  );
  assertThrows(() => rotate(tape, qkv, positions, table, config, 6), InputError, "headStride");
  const wide = tape.tensor("layer.qkv", [3, 32]);
  const short = tape.tensor("positions", [2], "u32");
  assertThrows(
    () => rotate(tape, wide, short, table, config, 8),
    InputError,
    "positions: expected shape [3], found [2]",
  );
  const learned = policyOf({ heads: 2, kvHeads: 1, headDim: 6 }, { ropeDims: 0 });
  assertThrows(() => ropeTable(gpu, learned), InputError, 'found "learned" and 0');
});
