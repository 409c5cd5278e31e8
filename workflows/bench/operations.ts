/**
 * Inputs and truth of the operations that are measured beside matrix products.
 *
 * The truth is each operation's definition in float64 at sampled entries. Of a backward pass it is the central difference of
 * sum(d_y * y) along the sampled input, so that only forward definitions are written here.
 */
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { normalValues } from "../../kernels/policy/init.ts";
import { ADAM, type KernelTask } from "./contest.ts";

/** What an operation reads, row by row. */
export interface OperationInputs {
  /** Its input: qkv [tokens, 3 width], x [tokens, width], logits [tokens, vocabulary], or the gradient of every parameter. */
  readonly x: Float32Array;
  /** Gradient of its output; empty where there is none. */
  readonly d_y: Float32Array;
}

/** Step of the central differences: their error is of its square. */
const STEP = 1e-4;
/** Entries that are compared. */
const SAMPLES = 16;

/** Target of token `i` in the cross-entropy. */
export function targetOf(i: number, { vocabSize }: PolicyConfig): number {
  return (i * 7919) % vocabSize;
}

/** Columns of an operation's input and output; AdamW's is one row. */
export function operationColumns(
  { operation, config }: KernelTask,
): { readonly input: number; readonly output: number } {
  const { width, vocabSize } = config;
  switch (operation) {
    case "attention":
      return { input: 3 * width, output: width };
    case "norm":
      return { input: width, output: width };
    case "cross entropy":
      return { input: vocabSize, output: 1 };
    case "adamw":
      return { input: 1, output: 1 };
  }
}

/** The inputs, the same for all. `count` is the number of rows: tokens, or parameters for AdamW. */
export function operationInputs(task: KernelTask, count: number): OperationInputs {
  const { input, output } = operationColumns(task);
  const d_y = task.backward && task.operation !== "cross entropy"
    ? normalValues(count * output, 1, 1, 1)
    : new Float32Array();
  return { x: normalValues(count * input, 1, 1, 0), d_y };
}

/** Entries, of the output or with `backward` of the input's gradient, that are compared. */
export function operationEntries(task: KernelTask, count: number): number[] {
  const { input, output } = operationColumns(task);
  const columns = task.backward ? input : output;
  // Each in a row and a column of its own.
  return Array.from({ length: SAMPLES }, (_, i) => {
    const row = Math.floor((i + 0.5) * count / SAMPLES);
    return row * columns + (i * 7919 * 31) % columns;
  });
}

/** The true values at {@linkcode operationEntries}. */
export function operationTruth(task: KernelTask, count: number): number[] {
  const inputs = operationInputs(task, count);
  const entries = operationEntries(task, count);
  if (task.operation === "adamw") {
    // The first step from theta = 0: both moments are the gradient's own.
    return entries.map((at) =>
      -ADAM.learningRate * inputs.x[at] / (Math.abs(inputs.x[at]) + ADAM.eps)
    );
  }
  const output = outputOf(task, count);
  const { input, output: columns } = operationColumns(task);
  if (!task.backward) {
    return entries.map((at) => output(Math.floor(at / columns), at % columns, (i) => inputs.x[i]));
  }
  return entries.map((at) => {
    const objective = (step: number) => {
      const x = (i: number) => i === at ? inputs.x[i] + step : inputs.x[i];
      return objectiveAround(task, Math.floor(at / input), at % input, output, x, inputs.d_y);
    };
    return (objective(STEP) - objective(-STEP)) / (2 * STEP);
  });
}

type Values = (index: number) => number;
type Output = (row: number, column: number, x: Values) => number;

/** The part of sum(d_y * y) that depends on the input at (row, column). */
function objectiveAround(
  { operation, config: { width, headDim }, length }: KernelTask,
  row: number,
  column: number,
  output: Output,
  x: Values,
  d_y: Float32Array,
): number {
  if (operation === "cross entropy") return output(row, 0, x);
  // A token is seen by itself and by the later ones of its sequence, inside one head.
  const attends = operation === "attention";
  const end = attends ? (Math.floor(row / length) + 1) * length : row + 1;
  const first = attends ? Math.floor(column % width / headDim) * headDim : 0;
  const last = attends ? first + headDim : width;
  let sum = 0;
  for (let t = row; t < end; t++) {
    for (let c = first; c < last; c++) sum += d_y[t * width + c] * output(t, c, x);
  }
  return sum;
}

/** The definition of each operation, at one entry. */
function outputOf({ operation, config, length }: KernelTask, count: number): Output {
  const { width, headDim, normEps, vocabSize } = config;
  const range = Array.from({ length: Math.max(width, vocabSize) }, (_, i) => i);
  const logSumExp = (values: readonly number[]) => {
    const most = Math.max(...values);
    return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
  };
  if (operation === "attention") {
    // softmax over the keys of the token's own sequence up to itself
    return (row, column, x) => {
      const head = Math.floor(column / headDim) * headDim;
      const start = Math.floor(row / length) * length;
      const scores = Array.from({ length: row - start + 1 }, (_, j) => {
        let dot = 0;
        for (let d = 0; d < headDim; d++) {
          dot += x(row * 3 * width + head + d) * x((start + j) * 3 * width + width + head + d);
        }
        return dot / Math.sqrt(headDim);
      });
      const log = logSumExp(scores);
      return scores.reduce(
        (sum, score, j) =>
          sum + Math.exp(score - log) * x((start + j) * 3 * width + 2 * width + column),
        0,
      );
    };
  }
  if (operation === "norm") {
    // (x - mean) / sqrt(variance + eps), weight 1 and bias 0
    return (row, column, x) => {
      const values = range.slice(0, width).map((i) => x(row * width + i));
      const mean = values.reduce((a, b) => a + b) / width;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
      return (values[column] - mean) / Math.sqrt(variance + normEps);
    };
  }
  // The mean over tokens of -log softmax at the target: each token's share of it.
  return (row, _column, x) => {
    const values = range.slice(0, vocabSize).map((i) => x(row * vocabSize + i));
    return (logSumExp(values) - values[targetOf(row, config)]) / count;
  };
}
