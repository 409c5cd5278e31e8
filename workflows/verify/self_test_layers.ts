/**
 * Self-tests of the rooms a forward pass goes through.
 */
import { activation } from "../../kernels/activation/activation.ts";
import { attention } from "../../kernels/attention/attention.ts";
import { dropout } from "../../kernels/dropout/dropout.ts";
import { embedding } from "../../kernels/embedding/embedding.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import type { Tensor } from "../../kernels/gpu/tensor.ts";
import { matmul } from "../../kernels/matmul/matmul.ts";
import { norm } from "../../kernels/norm/norm.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { add } from "../../kernels/residual/add.ts";
import { ropeTable, rotate } from "../../kernels/rope/rope.ts";
import { logSoftmax, softmax } from "../../kernels/softmax/softmax.ts";
import { compute, type Workbench } from "./compute.ts";
import { logSoftmaxOf, type Pair, range, sum, table, values } from "./self_test_values.ts";

async function testActivation(gpu: Gpu): Promise<Pair[]> {
  const x = values(3 * 16, 1);
  const [tanh, gated] = await compute(gpu, ({ tape, floats }) => {
    const input = floats("x", [3, 16], x);
    return [activation(tape, input, "gelu_tanh"), activation(tape, input, "swiglu")];
  });
  const gelu = (v: number) =>
    v / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
  const silu = (v: number) => v / (1 + Math.exp(-v));
  return [
    [tanh, x.map(gelu)],
    [gated, table(3, 8, (r, c) => silu(x[r * 16 + c]) * x[r * 16 + 8 + c])],
  ];
}

/** Two heads of four dimensions over five tokens. */
const HEADS: PolicyConfig = {
  family: "llama",
  vocabSize: 7,
  context: 8,
  layers: 1,
  width: 8,
  heads: 2,
  kvHeads: 1,
  headDim: 4,
  mlpWidth: 8,
  norm: "rmsnorm",
  normEps: 1e-5,
  activation: "swiglu",
  positions: "rope",
  ropeTheta: 100,
  ropeDims: 4,
  parallelResidual: false,
  qkvBias: false,
  outBias: false,
  mlpBias: false,
  tiedHead: true,
  bosTokenId: null,
  eosTokenId: null,
  padTokenId: null,
};

async function testAttention(gpu: Gpu): Promise<Pair[]> {
  const [length, columns] = [5, 16];
  const x = values(length * columns, 2);
  const [out] = await compute(gpu, ({ tape, floats, integers }) => {
    const qkv = floats("qkv", [length, columns], x);
    const shape = { rows: 1, length };
    return [attention(tape, qkv, integers("starts", range(length).map(() => 0)), shape, HEADS, 4)];
  });
  const want = table(length, 8, (t, c) => {
    const head = Math.floor(c / 4);
    const scores = range(t + 1).map((j) =>
      sum(range(4).map((d) => x[t * columns + head * 4 + d] * x[j * columns + 8 + d])) / 2
    );
    const weights = logSoftmaxOf(scores).map(Math.exp);
    return sum(weights.map((w, j) => w * x[j * columns + 12 + c % 4]));
  });
  return [[out, want]];
}

async function testDropout(gpu: Gpu): Promise<Pair[]> {
  const [count, p] = [4096, 0.25];
  const [y] = await compute(gpu, ({ tape, floats, integers }) => [
    dropout(
      tape,
      floats("x", [1, count], range(count).map(() => 1)),
      p,
      integers("seed", [1, 0, 0, 0]),
      0,
    ),
  ]);
  const kept = y.filter((v) => v !== 0);
  const share = kept.length / count;
  // Five standard deviations of the share are 0.034.
  return [[kept, kept.map(() => 1 / (1 - p))], [[Math.max(0, Math.abs(share - (1 - p)) - 0.034)], [
    0,
  ]]];
}

async function testEmbedding(gpu: Gpu): Promise<Pair[]> {
  const [words, places] = [values(7 * 5, 3), values(3 * 5, 4)];
  const [ids, at] = [[6, 0, 3], [2, 1, 0]];
  const [y] = await compute(gpu, ({ tape, floats, integers }) => [
    embedding(
      tape,
      { table: floats("words", [7, 5], words), indices: integers("ids", ids) },
      { table: floats("places", [3, 5], places), indices: integers("at", at) },
    ),
  ]);
  return [[y, table(3, 5, (r, c) => words[ids[r] * 5 + c] + places[at[r] * 5 + c])]];
}

async function testMatmul(gpu: Gpu): Promise<Pair[]> {
  const [m, n, k] = [33, 35, 37];
  const [a, b] = [values(m * k, 10), values(k * n, 11)];
  const transposed = (x: readonly number[], rows: number, columns: number) =>
    table(columns, rows, (r, c) => x[c * columns + r]);
  const results = await compute(gpu, ({ tape, floats }) => [
    matmul(tape, "nn", floats("a", [m, k], a), floats("b", [k, n], b)),
    matmul(tape, "nt", floats("a", [m, k], a), floats("b", [n, k], transposed(b, k, n))),
    matmul(tape, "tn", floats("a", [k, m], transposed(a, m, k)), floats("b", [k, n], b)),
  ]);
  const want = table(m, n, (r, c) => sum(range(k).map((i) => a[r * k + i] * b[i * n + c])));
  return results.map((got) => [got, want]);
}

async function testNorm(gpu: Gpu): Promise<Pair[]> {
  const [rows, width, eps] = [3, 7, 1e-5];
  const [x, weight, bias] = [values(rows * width, 12), values(width, 13), values(width, 14)];
  const [layer, rms] = await compute(gpu, ({ tape, floats }) => {
    const input = floats("x", [rows, width], x);
    const w = floats("weight", [width], weight);
    const b = floats("bias", [width], bias);
    return [norm(tape, input, w, b, eps), norm(tape, input, w, null, eps)];
  });
  const mean = (r: number, f: (v: number) => number) =>
    sum(x.slice(r * width, (r + 1) * width).map(f)) / width;
  return [
    [
      layer,
      table(rows, width, (r, c) => {
        const centre = mean(r, (v) => v);
        const spread = Math.sqrt(mean(r, (v) => (v - centre) ** 2) + eps);
        return (x[r * width + c] - centre) / spread * weight[c] + bias[c];
      }),
    ],
    [
      rms,
      table(rows, width, (r, c) =>
        x[r * width + c] / Math.sqrt(
          mean(r, (v) => v * v) + eps,
        ) * weight[c]),
    ],
  ];
}

async function testResidual(gpu: Gpu): Promise<Pair[]> {
  const [a, b] = [values(5 * 7, 18), values(5 * 7, 19)];
  const [y] = await compute(gpu, ({ tape, floats }) => [
    add(tape, floats("a", [5, 7], a), floats("b", [5, 7], b)),
  ]);
  return [[y, a.map((v, i) => v + b[i])]];
}

async function testRope(gpu: Gpu): Promise<Pair[]> {
  const x = values(3 * 16, 20);
  const positions = [0, 3, 7];
  const angles = ropeTable(gpu, HEADS);
  const [turned] = await compute(gpu, ({ tape, floats, integers }) => {
    const qkv = floats("qkv", [3, 16], x);
    rotate(tape, qkv, integers("positions", positions), angles, HEADS, 4);
    return [qkv];
  });
  angles.place.buffer!.destroy();
  const want = table(3, 16, (r, c) => {
    const [value, d] = [x[r * 16 + c], c % 4];
    if (c >= 12) return value; // values are not turned
    const angle = positions[r] * HEADS.ropeTheta ** (-2 * (d % 2) / 4);
    const partner = x[r * 16 + c + (d < 2 ? 2 : -2)];
    return value * Math.cos(angle) + (d < 2 ? -partner : partner) * Math.sin(angle);
  });
  return [[turned, want]];
}

async function testSoftmax(gpu: Gpu): Promise<Pair[]> {
  const x = values(3 * 9, 22);
  const results = await compute(gpu, ({ tape, floats }: Workbench): Tensor[] => {
    const input = floats("x", [3, 9], x);
    return [softmax(tape, input), logSoftmax(tape, input)];
  });
  const logs = range(3).flatMap((r) => logSoftmaxOf(x.slice(r * 9, (r + 1) * 9)));
  return [[results[0], logs.map(Math.exp)], [results[1], logs]];
}

/** The rooms by name. */
export const LAYERS: Readonly<Record<string, (gpu: Gpu) => Promise<Pair[]>>> = {
  activation: testActivation,
  attention: testAttention,
  dropout: testDropout,
  embedding: testEmbedding,
  matmul: testMatmul,
  norm: testNorm,
  residual: testResidual,
  rope: testRope,
  softmax: testSoftmax,
};
