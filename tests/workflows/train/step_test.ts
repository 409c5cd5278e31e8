/**
 * One step, several ways: accumulated and recomputed steps equal plain ones, and a gradient that is not finite changes nothing.
 */
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import type { TokenBatch } from "../../../workflows/data/batch.ts";
import type { ProgramSettings } from "../../../workflows/train/program.ts";
import { assert, assertEquals } from "../../assert.ts";
import { relativeError, testGpu } from "../../kernels/harness.ts";
import { batchOfRows, NURSERY_POLICY, recorded, rowsOf, TINY_POLICY } from "./programs.ts";

const ROWS = rowsOf(8, 32, 7);

/** The gradient of one step, as plain SGD at rate 1 leaves it in the parameters. */
async function gradientOf(
  batches: readonly TokenBatch[],
  changes: Partial<ProgramSettings>,
): Promise<{ gradient: Float32Array; loss: number }> {
  const { parameters, program, destroy } = await recorded(NURSERY_POLICY, {
    length: 32,
    accumulation: batches.length,
    optimizer: "sgd",
    weightDecay: 0,
    maxGradNorm: null,
    schedule: { kind: "constant", learningRate: 1, warmupSteps: 0, totalSteps: 1 },
    ...changes,
  });
  program.step(0, batches);
  const [{ loss }] = await program.metrics();
  const gradient = await readFloats(parameters.gpu, program.m);
  destroy();
  return { gradient, loss };
}

Deno.test("eight batches of one row, accumulated, are one batch of eight", async () => {
  const whole = await gradientOf([batchOfRows(ROWS, 32)], { rows: 8 });
  const parts = await gradientOf(ROWS.map((row) => batchOfRows([row], 32)), { rows: 1 });
  const error = relativeError(parts.gradient, whole.gradient);
  assert(error < 2e-6, `relative error ${error}`);
  assert(Math.abs(parts.loss - whole.loss) < 2e-6 * whole.loss);
  // Rounding has no direction; a weight that is slightly wrong in every batch would have one.
  let [along, size] = [0, 0];
  whole.gradient.forEach((value, i) => {
    along += (parts.gradient[i] - value) * value;
    size += value * value;
  });
  assert(Math.abs(along / size) < 2e-7, `mean signed residual ${along / size}`);
  const weights = ROWS.map((row) => row.flatMap((e) => e.weights).reduce((a, b) => a + b, 0));
  assert(Math.max(...weights) > 1.3 * Math.min(...weights), "rows must differ in weight");
});

Deno.test("recomputed activations give the same bits, with dropout too", async () => {
  const batch = [batchOfRows(ROWS, 32)];
  for (const dropout of [0, 0.2]) {
    const kept = await gradientOf(batch, { rows: 8, dropout });
    const again = await gradientOf(batch, { rows: 8, dropout, recompute: true });
    assertEquals(again, kept);
  }
});

Deno.test("a step whose gradient is not finite changes nothing, is reported, and the next one works", async () => {
  const gpu = await testGpu();
  const { parameters, program, destroy } = await recorded(TINY_POLICY);
  const batch = batchOfRows(rowsOf(2, 16, 5), 16);
  program.step(0, [batch]);
  const norm = (await parameters.read()).get("final_norm.weight")!;
  const state = async () => [
    await readFloats(gpu, parameters.theta),
    await readFloats(gpu, program.m),
    await readFloats(gpu, program.v),
  ];
  parameters.load(new Map([["final_norm.weight", norm.map(() => 1e38)]]));
  const before = await state();
  program.step(1, [batch]);
  assertEquals(await state(), before);
  parameters.load(new Map([["final_norm.weight", norm]]));
  program.step(2, [batch]);
  const rows = await program.metrics();
  assertEquals(rows.map(({ skipped }) => skipped), [false, true, false]);
  assert(Number.isFinite(rows[2].loss) && rows[2].loss > 0);
  assert((await state()).every((values) => values.every(Number.isFinite)));
  destroy();
});

Deno.test("micro-batches of a step drop different values", async () => {
  const batch = batchOfRows([ROWS[0]], 32);
  const once = await gradientOf([batch], { rows: 1, dropout: 0.3 });
  const twice = await gradientOf([batch, batch], { rows: 1, dropout: 0.3 });
  // With one mask for both, the mean over two equal batches would be the gradient of one.
  assert(relativeError(twice.gradient, once.gradient) > 0.1);
});

Deno.test("the KL is a mean over its own contexts, also where they are fewer than the learned ones", async () => {
  const prior = loadParameters(await testGpu(), initialWeights(NURSERY_POLICY, 99), {
    trainable: false,
  });
  const batch = batchOfRows(ROWS, 32);
  const half = batch.weights.map((weight, i) => i < batch.weights.length / 2 ? weight : 0);
  const klOf = async (values: TokenBatch) => {
    const objective = { rho: 0.1, prior };
    const { program, destroy } = await recorded(NURSERY_POLICY, { rows: 8, length: 32, objective });
    program.step(0, [values]);
    const [{ kl }] = await program.metrics();
    destroy();
    return kl;
  };
  const among = await klOf({ ...batch, klWeights: half });
  const alone = await klOf({ ...batch, weights: half });
  prior.destroy();
  assert(alone > 0 && Math.abs(among - alone) < 1e-5 * alone, `${among} and ${alone}`);
});
