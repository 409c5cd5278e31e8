/**
 * AdamW and SGD on the GPU follow the float64 reference over whole trajectories; clipping, skipping, and who decays.
 */
import { adamw, type Arenas, createKnobs, sgd } from "../../../kernels/optimizer/optimizer.ts";
import { knobValues, type ScheduleSettings } from "../../../kernels/optimizer/schedule.ts";
import { castToF16 } from "../../../kernels/optimizer/cast.ts";
import { globalNorm } from "../../../kernels/reduce/global_norm.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { readTensors } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import * as reference from "../../reference/optimizer.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

/** A large eps, so that forgetting it shows. */
const BETAS = { beta1: 0.9, beta2: 0.999, eps: 1e-3 };
const SCHEDULE: ScheduleSettings = {
  kind: "cosine",
  learningRate: 0.01,
  warmupSteps: 3,
  totalSteps: 20,
  minRatio: 0.1,
};

interface Run {
  readonly length: number;
  readonly decayEnd: number;
  readonly maxGradNorm: number;
  readonly lossScale: number;
  readonly steps: number;
}

type Record = (tape: Tape, arenas: Arenas, metrics: Tensor, knobs: Tensor) => void;

function arenasOf(gpu: Gpu, theta: Float64Array): Arenas {
  const zeros = new Float64Array(theta.length);
  const shape = [theta.length];
  return {
    theta: tensorOf(gpu, "theta", shape, theta),
    d_theta: tensorOf(gpu, "d_theta", shape, zeros),
    m: tensorOf(gpu, "m", shape, zeros),
    v: tensorOf(gpu, "v", shape, zeros),
  };
}

/** Gradients of changing size, so that some steps are clipped and others are not. */
function gradientAt(step: number, length: number): Float64Array {
  return randomValues(length, 50 + step, step % 3 === 0 ? 3 : 0.02);
}

async function train(run: Run, record: Record): Promise<Float32Array> {
  const gpu = await testGpu();
  const arenas = arenasOf(gpu, randomValues(run.length, 1));
  const metrics = persistent(gpu, "metrics", [4]);
  const knobs = createKnobs(gpu);
  const tape = new Tape(gpu, "train");
  globalNorm(tape, arenas.d_theta, metrics, 1);
  record(tape, arenas, metrics, knobs);
  for (let step = 0; step < run.steps; step++) {
    const { maxGradNorm, lossScale } = run;
    upload(gpu, knobs, knobValues(step, { schedule: SCHEDULE, ...BETAS, maxGradNorm, lossScale }));
    const g = gradientAt(step, run.length).map((x) => x * lossScale);
    upload(gpu, arenas.d_theta, Float32Array.from(g));
    tape.run();
  }
  const [theta] = await readTensors(gpu, [arenas.theta]);
  tape.destroy();
  return theta as Float32Array;
}

/** The reference keeps decaying and other parameters under two names. */
function split(values: Float64Array, decayEnd: number): reference.Tensors {
  return new Map([["decays", values.slice(0, decayEnd)], ["stays", values.slice(decayEnd)]]);
}

function joined(tensors: reference.Tensors): Float64Array {
  return Float64Array.from([...tensors.get("decays")!, ...tensors.get("stays")!]);
}

function expected(
  run: Run,
  step: (parameters: reference.Tensors, gradients: reference.Tensors, lr: number) => void,
): Float64Array {
  const parameters = split(randomValues(run.length, 1), run.decayEnd);
  for (let i = 0; i < run.steps; i++) {
    const gradients = split(gradientAt(i, run.length), run.decayEnd);
    const { clipped } = reference.clipByGlobalNorm(
      gradients,
      run.maxGradNorm > 0 ? run.maxGradNorm : Infinity,
    );
    const lr = knobValues(i, { schedule: SCHEDULE, ...BETAS, maxGradNorm: 0 })[0];
    step(parameters, clipped, lr);
  }
  return joined(parameters);
}

const RUNS: readonly Run[] = [
  { length: 1, decayEnd: 0, maxGradNorm: 0, lossScale: 1, steps: 20 },
  { length: 71, decayEnd: 64, maxGradNorm: 1, lossScale: 1, steps: 20 },
  { length: 1027, decayEnd: 1027, maxGradNorm: 0, lossScale: 1, steps: 20 },
  { length: 40_001, decayEnd: 12_800, maxGradNorm: 1, lossScale: 1024, steps: 20 },
];

for (const run of RUNS) {
  const { length, decayEnd } = run;
  const name =
    `${length} values, ${decayEnd} decay, clip ${run.maxGradNorm}, scale ${run.lossScale}`;

  Deno.test(`AdamW follows the reference for ${run.steps} steps: ${name}`, async () => {
    const theta = await train(
      run,
      (tape, arenas, metrics, knobs) =>
        adamw(tape, arenas, metrics, 1, knobs, { ...BETAS, weightDecay: 0.1, decayEnd, length }),
    );
    let state: reference.AdamWState | undefined;
    const want = expected(
      run,
      (parameters, gradients, lr) =>
        reference.adamwStep(parameters, gradients, state ??= reference.adamwState(parameters), {
          lr,
          betas: [BETAS.beta1, BETAS.beta2],
          eps: BETAS.eps,
          weightDecay: 0.1,
          decays: (name) => name === "decays",
        }),
    );
    const error = relativeError(theta, want);
    assert(error < 1e-6, `relative error ${error}`);
  });

  for (const nesterov of [false, true]) {
    Deno.test(`SGD (nesterov ${nesterov}) follows the reference: ${name}`, async () => {
      const theta = await train(
        run,
        (tape, arenas, metrics, knobs) =>
          sgd(tape, arenas, metrics, 1, knobs, {
            momentum: 0.9,
            nesterov,
            weightDecay: 0.1,
            decayEnd,
            length,
          }),
      );
      let velocity: reference.Tensors | undefined;
      const want = expected(
        run,
        (parameters, gradients, lr) =>
          reference.sgdStep(parameters, gradients, velocity ??= reference.sgdState(parameters), {
            lr,
            momentum: 0.9,
            weightDecay: 0.1,
            nesterov,
            decays: (name) => name === "decays",
          }),
      );
      const error = relativeError(theta, want);
      assert(error < 1e-6, `relative error ${error}`);
    });
  }
}

Deno.test("a gradient that is not finite leaves parameters and moments as they were", async () => {
  const gpu = await testGpu();
  const start = randomValues(130, 4);
  for (const bad of [NaN, Infinity]) {
    const arenas = arenasOf(gpu, start);
    const gradient = randomValues(130, 5);
    gradient[129] = bad;
    upload(gpu, arenas.d_theta, Float32Array.from(gradient));
    const knobs = createKnobs(gpu);
    const schedule: ScheduleSettings = { ...SCHEDULE, kind: "constant", warmupSteps: 0 };
    upload(gpu, knobs, knobValues(0, { schedule, ...BETAS, maxGradNorm: 1 }));
    const [theta, m, v, metrics] = await runTape(gpu, (tape) => {
      const metrics = persistent(gpu, "metrics", [2]);
      globalNorm(tape, arenas.d_theta, metrics, 0);
      const settings = { ...BETAS, weightDecay: 0.1, decayEnd: 64, length: 130 };
      adamw(tape, arenas, metrics, 0, knobs, settings);
      sgd(tape, arenas, metrics, 0, knobs, { momentum: 0.9, ...settings });
      return [arenas.theta, arenas.m, arenas.v, metrics];
    });
    assertEquals(Array.from(theta), Array.from(start));
    assert(m.every((x) => x === 0) && v.every((x) => x === 0));
    assertEquals(metrics[1], 1);
  }
});

Deno.test("the clip factor is maxNorm / (norm + 1e-6), as in PyTorch", async () => {
  const gpu = await testGpu();
  const arenas = arenasOf(gpu, new Float64Array(2));
  upload(gpu, arenas.d_theta, Float32Array.of(3e-6, 4e-6));
  const knobs = createKnobs(gpu);
  const schedule: ScheduleSettings = {
    kind: "constant",
    learningRate: 1,
    warmupSteps: 0,
    totalSteps: 1,
  };
  upload(gpu, knobs, knobValues(0, { schedule, ...BETAS, maxGradNorm: 2e-6 }));
  const [theta] = await runTape(gpu, (tape) => {
    const metrics = persistent(gpu, "metrics", [2]);
    globalNorm(tape, arenas.d_theta, metrics, 0);
    sgd(tape, arenas, metrics, 0, knobs, { momentum: 0, weightDecay: 0, decayEnd: 0, length: 2 });
    return [arenas.theta];
  });
  assert(relativeError(theta, [-1e-6, -4e-6 / 3]) < 1e-6);
});

Deno.test("only the first `length` values are updated", async () => {
  const gpu = await testGpu();
  const arenas = arenasOf(gpu, randomValues(200, 4));
  upload(gpu, arenas.d_theta, Float32Array.from(randomValues(200, 5)));
  const knobs = createKnobs(gpu);
  const schedule: ScheduleSettings = { ...SCHEDULE, kind: "constant", warmupSteps: 0 };
  upload(gpu, knobs, knobValues(0, { schedule, ...BETAS, maxGradNorm: 1 }));
  const [theta] = await runTape(gpu, (tape) => {
    const metrics = persistent(gpu, "metrics", [2]);
    globalNorm(tape, arenas.d_theta, metrics, 0);
    const settings = { ...BETAS, weightDecay: 0.1, decayEnd: 64, length: 128 };
    adamw(tape, arenas, metrics, 0, knobs, settings);
    return [arenas.theta];
  });
  const changed = Array.from(theta, (x, i) => x !== randomValues(200, 4)[i]);
  assertEquals(changed, Array.from({ length: 200 }, (_, i) => i < 128));
});

Deno.test("the float16 copy rounds to nearest, or is refused where the adapter has no float16", async () => {
  const gpu = await testGpu();
  const values = randomValues(1003, 6, 100);
  const record = (tape: Tape) => {
    const out = tape.tensor("half", [1003], "f16");
    castToF16(tape, tensorOf(gpu, "theta", [1003], values), out);
    return [out];
  };
  if (!gpu.hasF16) {
    assertThrows(() => record(new Tape(gpu, "no f16")), Error, "no shader-f16");
    return;
  }
  const [half] = await runTape(gpu, record);
  assertEquals(Array.from(half), Array.from(values, (x) => Math.f16round(x)));
});

Deno.test("optimizers name the vector or number that does not fit", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const arenas = arenasOf(gpu, randomValues(100, 4));
  const knobs = createKnobs(gpu);
  const metrics = persistent(gpu, "metrics", [2]);
  const settings = { ...BETAS, weightDecay: 0, decayEnd: 0, length: 100 };
  const short = persistent(gpu, "short", [50]);
  assertThrows(
    () => adamw(tape, { ...arenas, v: short }, metrics, 0, knobs, settings),
    Error,
    "short must be a f32 vector [100], found f32 [50]",
  );
  assertThrows(() => adamw(tape, arenas, metrics, 1, knobs, settings), Error, "no room for 2");
  const part = { ...settings, length: 99 };
  assertThrows(() => adamw(tape, arenas, metrics, 0, knobs, part), Error, "length must be 100");
  const odd = { ...settings, decayEnd: 30 };
  assertThrows(() => adamw(tape, arenas, metrics, 0, knobs, odd), Error, "multiple of 64");
  const wrong = [
    [{ beta1: 1 }, "beta1 must be in [0, 1), found 1"],
    [{ beta2: NaN }, "beta2 must be in [0, 1), found NaN"],
    [{ eps: 0 }, "eps must be at least 2^-126, found 0"],
    [{ weightDecay: -0.1 }, "weightDecay must be at least 0, found -0.1"],
  ] as const;
  for (const [change, message] of wrong) {
    const changed = { ...settings, ...change };
    assertThrows(() => adamw(tape, arenas, metrics, 0, knobs, changed), Error, message);
  }
  const fast = { ...settings, momentum: 1.5 };
  assertThrows(() => sgd(tape, arenas, metrics, 0, knobs, fast), Error, "momentum must be in");
});
