/**
 * Dropout bit for bit against the reference, its backward, and the random numbers it draws.
 */
import { dropout } from "../../../kernels/dropout/dropout.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { upload } from "../../../kernels/gpu/tensor.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import * as reference from "../../reference/dropout.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

/** The largest seeds and streams, and p on and around a multiple of 2^-24. */
const CASES = [
  { rows: 1, columns: 1, p: 0.5, seed: 0, stream: 0 },
  { rows: 3, columns: 5, p: 0.1, seed: 1, stream: 7 },
  { rows: 65, columns: 63, p: 0.25, seed: 0xffffffff, stream: 0xffffffff },
  { rows: 7, columns: 257, p: 0.9, seed: 0x80000000, stream: 3 },
  { rows: 300, columns: 128, p: 1 / 3, seed: 123_456_789, stream: 2 ** 20 },
];

for (const { rows, columns, p: exact, seed, stream } of CASES) {
  const p = Math.fround(exact);
  Deno.test(`dropout ${rows} x ${columns}, p ${exact}: the reference's mask, forward and backward`, async () => {
    const gpu = await testGpu();
    const values = randomValues(rows * columns, 3).map((x) => x === 0 ? 1 : x);
    const [d_y, before] = [4, 5].map((s) => randomValues(rows * columns, s));
    const [y, d_x, sum] = await runTape(gpu, (tape) => {
      const shape = [rows, columns];
      const seeds = tensorOf(gpu, "seed", [4], [seed, 9, 9, 9], "u32");
      const record = () => {
        const x = tensorOf(gpu, "x", shape, values);
        x.needsGrad = true;
        const y = dropout(tape, x, p, seeds, stream);
        y.grad = tensorOf(gpu, "d_y", shape, d_y);
        return { x, y };
      };
      const alone = record();
      tape.backward();
      const added = record();
      added.x.grad = tensorOf(gpu, "before", shape, before);
      tape.backward();
      return [alone.y, alone.x.grad!, added.x.grad!];
    });
    const options = { p, seed, stream };
    const want = reference.dropout(values, options);
    assertEquals(Array.from(y, (v) => v === 0), Array.from(want, (v) => v === 0));
    assert(relativeError(y, want) < 2e-7);
    const back = reference.dropoutBackward(d_y, options);
    assert(relativeError(d_x, back) < 2e-7);
    assert(relativeError(sum, back.map((d, i) => d + before[i])) < 2e-7);
  });
}

Deno.test("a replay with another seed drops other elements, with the same seed the same", async () => {
  const gpu = await testGpu();
  const seeds = tensorOf(gpu, "seed", [4], [1, 0, 0, 0], "u32");
  const ones = new Float64Array(4096).fill(1);
  const draw = async (seed: number) => {
    upload(gpu, seeds, Uint32Array.of(seed, 0, 0, 0));
    const [y] = await runTape(gpu, (tape) => [
      dropout(tape, tensorOf(gpu, "x", [64, 64], ones), 0.3, seeds, 5),
    ]);
    return Array.from(y);
  };
  const [first, again, other] = [await draw(1), await draw(1), await draw(2)];
  assertEquals(first, again);
  const differ = first.filter((v, i) => v !== other[i]).length / first.length;
  assert(Math.abs(differ - 2 * 0.3 * 0.7) < 0.05, `${differ} of the mask differs`);
});

Deno.test("dropout with p = 0 is nothing at all; other p outside [0, 1) are refused", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "none");
  const x = tensorOf(gpu, "x", [2, 2], [1, 2, 3, 4]);
  const seeds = tensorOf(gpu, "seed", [4], [1, 0, 0, 0], "u32");
  assert(dropout(tape, x, 0, seeds, 1) === x && tape.dispatchCount === 0);
  assertThrows(() => dropout(tape, x, 1, seeds, 1), Error, "p must be in [0, 1)");
  assertThrows(() => dropout(tape, x, 0.5, x, 1), Error, "x must be u32 [4]");
});
