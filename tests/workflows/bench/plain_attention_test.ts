/**
 * The plain attention, against float64 and against the fused kernels: two ways to the same numbers.
 */
import { attention } from "../../../kernels/attention/attention.ts";
import { InputError } from "../../../kernels/errors.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { plainAttention } from "../../../workflows/bench/toolkit/plain_attention.ts";
import { assert, assertThrows } from "../../assert.ts";
import { caseOf, freeCase, policyOf, startsOf } from "../../kernels/attention/cases.ts";
import { relativeError, runTape, testGpu } from "../../kernels/harness.ts";

// Measured on lavapipe: 2.7e-7 at worst.
const TOLERANCE = 1.4e-6;

for (const [rows, length, heads, headDim] of [[2, 65, 3, 8], [3, 7, 2, 12], [1, 63, 4, 64]]) {
  for (const layout of ["whole", "packed"] as const) {
    Deno.test(`plain attention: ${rows}x${length}, ${heads} heads of ${headDim}, ${layout}`, async () => {
      const gpu = await testGpu();
      const shape = { rows, length, heads, kvHeads: heads, headDim };
      const given = caseOf(gpu, shape, layout, 7);
      const starts = startsOf(layout, rows, length, 7);
      const [out, d_qkv, fused, d_fused] = await runTape(gpu, (tape) => {
        const plain = plainAttention(tape, given.qkv, starts, shape, given.config).out;
        plain.grad = given.d_out;
        tape.backward();
        const d_plain = given.qkv.grad!;
        const out = attention(tape, given.qkv, given.starts, shape, given.config, headDim);
        out.grad = given.d_out;
        tape.backward();
        return [plain, d_plain, out, given.qkv.grad!];
      });
      const errors = {
        out: relativeError(out, given.want.out),
        d_qkv: relativeError(d_qkv, given.want.d_qkv),
        fused: relativeError(out, fused),
        d_fused: relativeError(d_qkv, d_fused),
      };
      assert(Math.max(...Object.values(errors)) < TOLERANCE, JSON.stringify(errors));
      freeCase(given);
    });
  }
}

Deno.test("plain attention: grouped queries and padded heads are refused", async () => {
  const tape = new Tape(await testGpu(), "refused");
  const run = (kvHeads: number, headDim: number) => () => {
    const config = policyOf({ heads: 2, kvHeads, headDim });
    plainAttention(tape, tape.tensor("qkv", [4, 24]), null, { rows: 1, length: 4 }, config);
  };
  assertThrows(run(1, 4), InputError, "as many key as query heads");
  assertThrows(run(2, 6), InputError, "of 4, 8, 12");
});
