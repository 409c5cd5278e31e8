/**
 * The two roofs compute what they say: a roof that skips work would make every other kernel look slow.
 */
import { InputError } from "../../../kernels/errors.ts";
import { arithmeticRoof, CHAINS, copyRoof, STEPS_PER_TURN } from "../../../kernels/roof/roof.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { assertEquals, assertThrows } from "../../assert.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

/** The recurrence, step by step in float64. */
function chains(start: number, a: number, b: number, turns: number): number {
  let x = Array.from({ length: CHAINS }, (_, chain) => (chain + 1) * start);
  for (let step = 0; step < STEPS_PER_TURN * turns; step++) {
    x = x.map((value, chain) => value * a + (chain > 0 ? x[chain - 1] : b));
  }
  return x.reduce((sum, value) => sum + value);
}

for (const [length, turns] of [[4, 0], [12, 1], [260, 2], [1024, 3]]) {
  Deno.test(`arithmetic roof: ${length} values, ${turns} turns`, async () => {
    const gpu = await testGpu();
    const values = randomValues(length, 3, 10);
    const start = tensorOf(gpu, "start", [length], values);
    // A factor near 1, so that every single step shows in the result.
    const recurrence = { a: 0.98, b: 0.3, turns };
    let flops = 0;
    const [got] = await runTape(gpu, (tape) => {
      const out = tape.tensor("out", [length]);
      flops = arithmeticRoof(tape, start, out, recurrence);
      return [out];
    });
    const want = values.map((x) => chains(x, recurrence.a, recurrence.b, turns));
    assertEquals(relativeError(got, want) < 1e-5, true);
    assertEquals(flops, length * CHAINS * STEPS_PER_TURN * turns * 2);
  });
}

for (const length of [4, 60, 4096, 100_004]) {
  Deno.test(`copy roof: ${length} values`, async () => {
    const gpu = await testGpu();
    const values = randomValues(length, 5);
    const x = tensorOf(gpu, "x", [length], values);
    let bytes = 0;
    const [got] = await runTape(gpu, (tape) => {
      const y = tape.tensor("y", [length]);
      bytes = copyRoof(tape, x, y);
      return [y];
    });
    assertEquals(got, Float32Array.from(values));
    assertEquals(bytes, 8 * length);
  });
}

Deno.test("roofs: vectors of different or odd lengths are refused", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "test");
  assertThrows(
    () => copyRoof(tape, tape.tensor("x", [8]), tape.tensor("y", [12])),
    InputError,
    "x [8] and y [12] must be vectors of one length",
  );
  assertThrows(
    () => copyRoof(tape, tape.tensor("x", [6]), tape.tensor("y", [6])),
    InputError,
    "a multiple of 4",
  );
});
