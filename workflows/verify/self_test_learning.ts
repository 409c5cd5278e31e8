/**
 * Self-tests of the rooms that learn and draw: losses, reductions, optimiser, Fisher, sampling.
 */
import { accumulateSquares, ewcPenalty } from "../../kernels/fisher/fisher.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { klDivergence } from "../../kernels/losses/kl_divergence.ts";
import { adamw, createKnobs } from "../../kernels/optimizer/optimizer.ts";
import { knobValues } from "../../kernels/optimizer/schedule.ts";
import { globalNorm } from "../../kernels/reduce/global_norm.ts";
import { columnSum, sumInto } from "../../kernels/reduce/sum.ts";
import { sampleTokens } from "../../kernels/sampling/sampling.ts";
import {
  createSamplingState,
  destroySamplingState,
  startSampling,
} from "../../kernels/sampling/state.ts";
import { compute } from "./compute.ts";
import { logSoftmaxOf, type Pair, range, sum, table, values } from "./self_test_values.ts";

async function testFisher(gpu: Gpu): Promise<Pair[]> {
  const [theta, anchor, g] = [values(128, 5), values(128, 6), values(128, 7)];
  const [fisher, penalty] = await compute(gpu, ({ tape, floats }) => {
    const vector = (name: string, v: ArrayLike<number>) => floats(name, [v.length], v);
    const squares = vector("fisher", new Float32Array(128));
    const value = vector("penalty", [0, 0, 0, 0]);
    accumulateSquares(tape, vector("gradient", g), squares, 0.5);
    ewcPenalty(tape, vector("theta", theta), vector("anchor", anchor), squares, 3, value, 0);
    return [squares, value];
  });
  const want = g.map((v) => v * v / 2);
  const cost = 1.5 * sum(want.map((f, i) => f * (theta[i] - anchor[i]) ** 2));
  return [[fisher, want], [penalty.subarray(0, 1), [cost]]];
}

async function testLosses(gpu: Gpu): Promise<Pair[]> {
  const [rows, vocab] = [3, 7];
  const [a, b] = [values(rows * vocab, 8), values(rows * vocab, 9)];
  const [targets, weights] = [[6, 0, 2], [0.5, 0.25, 0.25]];
  const [value, gradient, kl] = await compute(gpu, ({ tape, floats, integers }) => {
    const logits = floats("logits", [rows, vocab], a);
    const w = floats("weights", [rows], weights);
    logits.needsGrad = true;
    const loss = crossEntropy(tape, logits, integers("targets", targets), w).value;
    tape.backward();
    const divergence = tape.noGrad(() =>
      klDivergence(tape, logits, floats("prior", [rows, vocab], b), w, "policy_prior")
    );
    return [loss, logits.grad!, divergence];
  });
  const logs = (x: readonly number[]) =>
    range(rows).map((r) => logSoftmaxOf(x.slice(r * vocab, (r + 1) * vocab)));
  const [p, q] = [logs(a), logs(b)];
  return [
    [value, targets.map((y, r) => -weights[r] * p[r][y])],
    [
      gradient,
      table(rows, vocab, (r, c) => weights[r] * (Math.exp(p[r][c]) - Number(c === targets[r]))),
    ],
    [kl, p.map((row, r) => weights[r] * sum(row.map((x, c) => Math.exp(x) * (x - q[r][c]))))],
  ];
}

async function testOptimizer(gpu: Gpu): Promise<Pair[]> {
  const [theta, g] = [values(128, 15), values(128, 16)];
  const [rate, decay, eps] = [0.01, 0.1, 1e-8];
  const schedule = { kind: "constant", learningRate: rate, warmupSteps: 0, totalSteps: 1 } as const;
  const knobs = createKnobs(gpu);
  const numbers = knobValues(0, { schedule, beta1: 0.9, beta2: 0.999, maxGradNorm: 0 });
  gpu.device.queue.writeBuffer(knobs.place.buffer!, 0, numbers as BufferSource);
  const [updated] = await compute(gpu, ({ tape, floats }) => {
    const vector = (name: string, v: ArrayLike<number>) => floats(name, [128], v);
    const zeros = new Float32Array(128);
    const arenas = {
      theta: vector("theta", theta),
      d_theta: vector("gradient", g),
      m: vector("m", zeros),
      v: vector("v", zeros),
    };
    const settings = {
      beta1: 0.9,
      beta2: 0.999,
      eps,
      weightDecay: decay,
      decayEnd: 64,
      length: 128,
    };
    adamw(tape, arenas, floats("metrics", [4], [1, 0, 0, 0]), 0, knobs, settings);
    return [arenas.theta];
  });
  knobs.place.buffer!.destroy();
  // In the first step both moments, corrected, are the gradient's own.
  const want = theta.map((v, i) =>
    v * (1 - rate * (i < 64 ? decay : 0)) - rate * g[i] / (Math.abs(g[i]) + eps)
  );
  return [[updated, want]];
}

async function testReduce(gpu: Gpu): Promise<Pair[]> {
  const x = values(1001, 17);
  const [results, columns] = await compute(gpu, ({ tape, floats }) => {
    const vector = floats("x", [1001], x);
    const out = floats("out", [4], [0, 0, 0, 0]);
    const sums = floats("sums", [11], new Float32Array(11));
    sumInto(tape, vector, out, 0, { scale: 0.5 });
    globalNorm(tape, vector, out, 1);
    columnSum(tape, floats("matrix", [91, 11], x), sums);
    return [out, sums];
  });
  return [
    [results, [sum(x) / 2, Math.sqrt(sum(x.map((v) => v * v))), 0, 0]],
    [columns, range(11).map((c) => sum(range(91).map((r) => x[r * 11 + c])))],
  ];
}

async function testSampling(gpu: Gpu): Promise<Pair[]> {
  const [batch, vocab] = [3, 9];
  const x = values(batch * vocab, 21);
  const state = createSamplingState(gpu, { batch, vocab, maxNew: 1 });
  startSampling(gpu, state, {
    settings: { temperature: 0, seed: 0, padToken: 0 },
    prompts: range(batch).map(() => [0]),
  });
  const [ids, logProbs] = await compute(gpu, ({ tape, floats }) => {
    sampleTokens(tape, floats("logits", [batch, vocab], x), state);
    return [state.out, state.logProbs];
  });
  destroySamplingState(state);
  const rows = range(batch).map((r) => x.slice(r * vocab, (r + 1) * vocab));
  return [
    [ids, rows.map((row) => row.indexOf(Math.max(...row)))],
    [logProbs, rows.map((row) => Math.max(...logSoftmaxOf(row)))],
  ];
}

/** The rooms by name. */
export const LEARNING: Readonly<Record<string, (gpu: Gpu) => Promise<Pair[]>>> = {
  fisher: testFisher,
  losses: testLosses,
  optimizer: testOptimizer,
  reduce: testReduce,
  sampling: testSampling,
};
