/**
 * The path integral of synaptic intelligence beside a real optimiser, and its importance, against float64.
 */
import { ewcPenalty } from "../../../kernels/fisher/fisher.ts";
import { beginPath, endPath, synapticImportance } from "../../../kernels/fisher/synaptic.ts";
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { upload } from "../../../kernels/gpu/tensor.ts";
import { createKnobs, sgd } from "../../../kernels/optimizer/optimizer.ts";
import { KNOBS, knobValues } from "../../../kernels/optimizer/schedule.ts";
import { globalNorm } from "../../../kernels/reduce/global_norm.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

for (const length of [1, 7, 257, 100_003]) {
  Deno.test(`path integral and importance of ${length} parameters over three steps`, async () => {
    const gpu = await testGpu();
    const [rate, lossScale] = [0.25, 1024];
    const start = randomValues(length, 1);
    const gradients = [2, 3, 4].map((seed) => randomValues(length, seed));
    const zeros = (name: string) => tensorOf(gpu, name, [length], new Float64Array(length));
    const theta = tensorOf(gpu, "theta", [length], start);
    const d_theta = zeros("d_theta");
    const integral = { before: zeros("before"), gradient: zeros("gradient"), path: zeros("path") };
    const metrics = tensorOf(gpu, "metrics", [4], [0, 0, 0, 0]);
    const knobs = createKnobs(gpu);
    const schedule = {
      kind: "constant",
      learningRate: rate,
      warmupSteps: 0,
      totalSteps: 9,
    } as const;
    upload(gpu, knobs, knobValues(0, { schedule, beta1: 0, beta2: 0, maxGradNorm: 0, lossScale }));
    const tape = new Tape(gpu, "step");
    beginPath(tape, theta, d_theta, integral, knobs);
    // What is added to the gradient behind beginPath moves the parameters, but is none of the stage's own loss.
    const moving = Object.assign(Object.create(theta), { grad: d_theta });
    ewcPenalty(tape, moving, zeros("anchor"), theta, 0, metrics, 3);
    globalNorm(tape, d_theta, metrics, 0);
    const m = zeros("m");
    sgd(tape, { theta, d_theta, m }, metrics, 0, knobs, {
      momentum: 0,
      weightDecay: 0,
      decayEnd: 0,
      length,
    });
    endPath(tape, theta, integral, metrics, 0);
    for (const gradient of gradients) {
      upload(gpu, d_theta, Float32Array.from(gradient, (g) => lossScale * g));
      tape.run();
    }
    // A step that is skipped leaves no NaN behind.
    upload(gpu, d_theta, new Float32Array(length).fill(Infinity));
    tape.run();
    const path = await readFloats(gpu, integral.path);
    const want = new Float64Array(length);
    gradients.forEach((g) => g.forEach((x, i) => want[i] += rate * x * x));
    assert(relativeError(path, want) < 1e-5, `${relativeError(path, want)}`);
    const [importance] = await runTape(gpu, (tape) => {
      const importance = tensorOf(gpu, "importance", [length], new Float64Array(length).fill(2));
      const from = tensorOf(gpu, "start", [length], start);
      synapticImportance(tape, theta, from, integral.path, importance, 0.1);
      return [importance];
    });
    const moved = start.map((_, i) => gradients.reduce((sum, g) => sum - rate * g[i], 0));
    const omega = want.map((w, i) => 2 + w / (moved[i] ** 2 + 0.1));
    assert(relativeError(importance, omega) < 1e-5, `${relativeError(importance, omega)}`);
    tape.destroy();
  });
}

Deno.test("a parameter whose moves raised the loss has importance 0", async () => {
  const gpu = await testGpu();
  const of = (name: string, values: number[]) => tensorOf(gpu, name, [2], values);
  const [importance] = await runTape(gpu, (tape) => {
    const importance = of("importance", [0, 0]);
    const [theta, start, path] = [of("theta", [1, 1]), of("start", [0, 0]), of("path", [-3, 3])];
    synapticImportance(tape, theta, start, path, importance, 0.5);
    return [importance];
  });
  assertEquals([...importance], [0, 2]);
});

Deno.test("a penalty beside scaled gradients carries the loss scale, and several anchors add up", async () => {
  const gpu = await testGpu();
  const of = (name: string, values: number[]) => tensorOf(gpu, name, [values.length], values);
  const knobs = of("knobs", Array.from({ length: KNOBS }, (_, i) => i === 4 ? 1 / 1024 : 0));
  const [metrics, gradient] = await runTape(gpu, (tape) => {
    const theta = of("theta", [3, -1]);
    theta.grad = of("d_theta", [1, 1]);
    const metrics = of("metrics", [0]);
    for (const anchor of [[1, -1], [3, 1]]) {
      ewcPenalty(tape, theta, of("anchor", anchor), of("fisher", [1, 2]), 0.5, metrics, 0, {
        knobs,
        accumulate: true,
      });
    }
    return [metrics, theta.grad];
  });
  // kappa / 2 sum F away^2 = 0.25 (1 * 4) + 0.25 (2 * 4) = 3; gradients 0.5 F away = 1 and -2.
  assertEquals([...metrics], [3 * 1024]);
  assertEquals([...gradient], [1 + 1024, 1 - 2048]);
});

Deno.test("operations on paths name what does not fit", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const [a, b] = [tensorOf(gpu, "a", [4], [1, 2, 3, 4]), tensorOf(gpu, "b", [3], [1, 2, 3])];
  assertThrows(
    () => synapticImportance(tape, a, a, b, a, 1),
    Error,
    "b must be a f32 vector [4]",
  );
  assertThrows(() => synapticImportance(tape, a, a, a, a, 0), Error, "damping must be above 0");
});
