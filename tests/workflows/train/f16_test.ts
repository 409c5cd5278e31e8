/**
 * Training in float16: the loss scale never shows in what is reported, clipped or learned, and finds its own size.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { loadParameters, type Precision } from "../../../kernels/policy/parameters.ts";
import {
  type ProgramSettings,
  type StepMetrics,
  TrainProgram,
} from "../../../workflows/train/program.ts";
import { assert, assertEquals } from "../../assert.ts";
import { halfTest, relativeError } from "../../kernels/harness.ts";
import { batchOfRows, NURSERY_POLICY, rowsOf, settingsOf, TINY_POLICY } from "./programs.ts";

const BATCH = batchOfRows(rowsOf(4, 32, 7), 32);
const SIZES = { rows: 4, length: 32 };

/** A policy's program in one precision; `scale` is the loss scale to start from. */
function recorded(
  gpu: Gpu,
  precision: Precision,
  scale: number | null,
  changes: Partial<ProgramSettings> = {},
  config = NURSERY_POLICY,
) {
  const parameters = loadParameters(gpu, initialWeights(config, 1), { precision });
  const lossScale = scale === null ? null : { scale, goodSteps: 0 };
  const settings = settingsOf({ ...SIZES, ...changes, lossScale });
  const program = new TrainProgram(parameters, settings);
  const destroy = () => {
    program.destroy();
    parameters.destroy();
  };
  return { parameters, program, destroy };
}

/** One step of plain SGD at rate 1: its metrics, and the (clipped) gradient, which is the velocity. */
async function gradientOf(
  gpu: Gpu,
  precision: Precision,
  scale: number | null,
  changes: Partial<ProgramSettings> = {},
): Promise<{ metrics: StepMetrics; gradient: Map<string, Float32Array> }> {
  const { parameters, program, destroy } = recorded(gpu, precision, scale, {
    optimizer: "sgd",
    weightDecay: 0,
    maxGradNorm: null,
    ...changes,
  });
  program.step(0, [BATCH]);
  const [metrics] = await program.metrics();
  const gradient = parameters.split(await readFloats(gpu, program.m));
  destroy();
  return { metrics, gradient };
}

const flat = (gradient: Map<string, Float32Array>) =>
  [...gradient].sort(([a], [b]) => a < b ? -1 : 1).flatMap(([, values]) => [...values]);

await halfTest("loss, norm and gradient are those of float32, without the scale", async (gpu) => {
  const full = await gradientOf(gpu, "f32", null);
  assertEquals(full.metrics.lossScale, 1);
  for (const scale of [2 ** 12, 2 ** 16]) {
    const half = await gradientOf(gpu, "f16", scale);
    assertEquals(half.metrics.lossScale, scale);
    // Measured on lavapipe: 2.1e-5, 6.2e-5 and 9.2e-4.
    assert(Math.abs(half.metrics.loss / full.metrics.loss - 1) < 1e-4);
    assert(Math.abs(half.metrics.gradNorm / full.metrics.gradNorm - 1) < 3e-4);
    const error = relativeError(flat(half.gradient), flat(full.gradient));
    assert(error < 5e-3, `gradient: ${error}`);
  }
});

await halfTest("without a scale small gradients vanish: that is what it is for", async (gpu) => {
  const full = flat((await gradientOf(gpu, "f32", null)).gradient);
  const errorAt = async (scale: number) =>
    relativeError(flat((await gradientOf(gpu, "f16", scale)).gradient), full);
  // Gradients of logits are probabilities over the tokens of a batch: a vocabulary of 50,000 instead of 64 and a batch 16 times as
  // large make them 2^14 times smaller. Measured: errors of 0.24 and 9e-4.
  const [none, scaled] = [await errorAt(2 ** -14), await errorAt(2 ** 16)];
  assert(none > 100 * scaled, `error ${none} without, ${scaled} with a scale`);
});

await halfTest("clipping sees the norm without the scale", async (gpu) => {
  for (const maxGradNorm of [0.01, 1e6]) {
    const { metrics, gradient } = await gradientOf(gpu, "f16", 2 ** 14, { maxGradNorm });
    const norm = Math.sqrt(flat(gradient).reduce((sum, g) => sum + g * g, 0));
    const want = Math.min(maxGradNorm, metrics.gradNorm);
    assert(Math.abs(norm / want - 1) < 1e-4, `${norm}, expected ${want}`);
  }
});

await halfTest(
  "an overflow skips the step and halves the scale, once per reading of the metrics",
  async (gpu) => {
    const { parameters, program, destroy } = recorded(gpu, "f16", 2 ** 40, {}, TINY_POLICY);
    const before = await parameters.read();
    const scales: number[] = [];
    let steps = 0;
    for (let round = 0; round < 40 && scales.length < 3; round++) {
      for (let i = 0; i < 3; i++) program.step(steps++, [BATCH]);
      const rows = await program.metrics();
      const scale = program.lossScale!.scale;
      assertEquals(rows.map(({ lossScale }) => lossScale), [scale, scale, scale]);
      program.adjustLossScale(rows);
      if (rows[0].skipped) {
        assertEquals(rows.map(({ skipped }) => skipped), [true, true, true]);
        assertEquals(program.lossScale, { scale: scale / 2, goodSteps: 0 });
        assertEquals(await parameters.read(), before);
      } else scales.push(scale);
    }
    assertEquals(new Set(scales).size, 1);
    assert(scales[0] < 2 ** 40 && scales[0] > 2 ** 10, `settled at ${scales[0]}`);
    assertEquals(program.lossScale, { scale: scales[0], goodSteps: 9 });
    const after = await parameters.read();
    assert([...after].some(([name, values]) => relativeError(values, before.get(name)!) > 0));
    destroy();
  },
);

await halfTest("forty steps fall as in float32, with less memory for activations", async (gpu) => {
  const run = async (precision: Precision, scale: number | null) => {
    const { program, destroy } = recorded(gpu, precision, scale, {}, TINY_POLICY);
    for (let step = 0; step < 40; step++) program.step(step, [BATCH]);
    const losses = (await program.metrics()).map(({ loss }) => loss);
    const { workspaceBytes } = program;
    destroy();
    return { losses, workspaceBytes };
  };
  const [full, half] = [await run("f32", null), await run("f16", 2 ** 16)];
  assert(full.losses[39] < 0.95 * full.losses[0], "nothing was learned");
  const error = Math.max(...full.losses.map((loss, i) => Math.abs(half.losses[i] / loss - 1)));
  assert(error > 0 && error < 1e-3, `losses differ by ${error}`);
  assert(half.workspaceBytes < 0.85 * full.workspaceBytes);
});
