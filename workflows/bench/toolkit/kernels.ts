/**
 * Kernels as workloads: a tape of one operation, replayed.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { attention } from "../../../kernels/attention/attention.ts";
import { readFloats, readTensors } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import { norm } from "../../../kernels/norm/norm.ts";
import { adamw, createKnobs } from "../../../kernels/optimizer/optimizer.ts";
import { knobValues } from "../../../kernels/optimizer/schedule.ts";
import { parameterCount } from "../../../kernels/policy/config.ts";
import { headStride } from "../../../kernels/policy/storage.ts";
import { arithmeticRoof, copyRoof } from "../../../kernels/roof/roof.ts";
import {
  ADAM,
  type KernelTask,
  matmulInputs,
  type MatmulTask,
  RECURRENCE,
  sampledEntries,
  storedShapes,
  type Workload,
} from "../contest.ts";
import { operationColumns, operationEntries, operationInputs, targetOf } from "../operations.ts";
import { plainAttention } from "./plain_attention.ts";

/** What a tape leaves to be looked at, and what it holds. */
interface Recorded {
  /** Its result. */
  readonly out: Tensor;
  /** Entries of `out` that are the answers. */
  readonly entries: readonly number[];
  /** Tensors to free. */
  readonly held: readonly Tensor[];
}

/** A tape that can be replayed. Its end is awaited by reading one small tensor that comes last in the queue. */
function openTape(gpu: Gpu, record: (tape: Tape) => Recorded): Workload {
  const tape = new Tape(gpu, "bench");
  const { out, entries, held } = record(tape);
  tape.keep(out);
  const last = persistent(gpu, "last", [4]);
  return {
    async check() {
      tape.run();
      const [values] = await readTensors(gpu, [out]);
      return entries.map((at) => values[at]);
    },
    async run(count) {
      for (let i = 0; i < count; i++) tape.run();
      await readFloats(gpu, last);
    },
    close() {
      tape.destroy();
      for (const tensor of [last, ...held]) tensor.place.buffer!.destroy();
    },
  };
}

function filled(gpu: Gpu, name: string, shape: readonly number[], values: Float32Array): Tensor {
  const tensor = persistent(gpu, name, shape);
  upload(gpu, tensor, values);
  return tensor;
}

/** The arithmetic roof. */
export function openArithmetic(gpu: Gpu, values: number): Workload {
  const starts = Float32Array.from({ length: values }, (_, i) => i / values);
  const start = filled(gpu, "start", [values], starts);
  const out = persistent(gpu, "out", [values]);
  return openTape(gpu, (tape) => {
    arithmeticRoof(tape, start, out, RECURRENCE);
    return { out, entries: [0, values - 1], held: [start, out] };
  });
}

/** The copy roof. */
export function openCopy(gpu: Gpu, values: number): Workload {
  const source = Float32Array.from({ length: values }, (_, i) => i % 4096);
  const from = filled(gpu, "from", [values], source);
  const out = persistent(gpu, "to", [values]);
  return openTape(gpu, (tape) => {
    copyRoof(tape, from, out);
    return { out, entries: [0, values - 1], held: [from, out] };
  });
}

/** A matrix product. */
export function openMatmul(gpu: Gpu, task: MatmulTask): Workload {
  const { form, m, n, schedule } = task;
  const shapes = storedShapes(task);
  const inputs = matmulInputs(task);
  const a = filled(gpu, "A", shapes.a, inputs.a);
  const b = filled(gpu, "B", shapes.b, inputs.b);
  const out = persistent(gpu, "C", [m, n]);
  return openTape(gpu, (tape) => {
    matmul(tape, form, a, b, { out, schedule });
    return { out, entries: sampledEntries(task), held: [a, b, out] };
  });
}

/** Attention, norm, cross-entropy or AdamW. */
export function openOperation(gpu: Gpu, task: KernelTask): Workload {
  if (task.operation === "adamw") return openAdamw(gpu, task);
  const { rows, length, backward } = task;
  const tokens = rows * length;
  const { input, output } = operationColumns(task);
  const inputs = operationInputs(task, tokens);
  const x = filled(gpu, "x", [tokens, input], inputs.x);
  x.needsGrad = backward;
  const d_y = backward && inputs.d_y.length > 0
    ? filled(gpu, "d_y", [tokens, output], inputs.d_y)
    : null;
  const held = d_y ? [x, d_y] : [x];
  const entries = operationEntries(task, tokens);
  return openTape(gpu, (tape) => {
    const y = recordForward(tape, task, x, held);
    if (!backward) return { out: y, entries, held };
    y.grad = d_y;
    tape.backward();
    return { out: x.grad!, entries, held };
  });
}

function recordForward(tape: Tape, task: KernelTask, x: Tensor, held: Tensor[]): Tensor {
  const { operation, backward, config, rows, length } = task;
  const { gpu } = tape;
  const tokens = rows * length;
  if (operation === "attention" && task.plain) {
    const plain = plainAttention(tape, x, new Uint32Array(tokens), { rows, length }, config);
    held.push(...plain.held);
    return plain.out;
  }
  if (operation === "attention") {
    const starts = persistent(gpu, "starts", [tokens], "u32");
    held.push(starts);
    return attention(tape, x, starts, { rows, length }, config, headStride(config));
  }
  if (operation === "norm") {
    const vector = (name: string, value: number): Tensor => {
      const tensor = filled(gpu, name, [config.width], new Float32Array(config.width).fill(value));
      tensor.needsGrad = backward;
      if (backward) tensor.grad = persistent(gpu, `d_${name}`, [config.width]);
      held.push(tensor, ...tensor.grad ? [tensor.grad] : []);
      return tensor;
    };
    return norm(tape, x, vector("weight", 1), vector("bias", 0), config.normEps);
  }
  const targets = persistent(gpu, "targets", [tokens], "u32");
  upload(gpu, targets, Uint32Array.from({ length: tokens }, (_, i) => targetOf(i, config)));
  const weights = filled(gpu, "weights", [tokens], new Float32Array(tokens).fill(1 / tokens));
  held.push(targets, weights);
  return crossEntropy(tape, x, targets, weights).value;
}

function openAdamw(gpu: Gpu, task: KernelTask): Workload {
  const count = parameterCount(task.config);
  const { x } = operationInputs(task, count);
  const d_theta = filled(gpu, "d_theta", [count], x);
  const [theta, m, v] = ["theta", "m", "v"].map((name) => persistent(gpu, name, [count]));
  const metrics = persistent(gpu, "metrics", [4]);
  const knobs = createKnobs(gpu);
  const { learningRate, beta1, beta2, eps } = ADAM;
  const schedule = { kind: "constant", learningRate, warmupSteps: 0, totalSteps: 1 } as const;
  upload(gpu, knobs, knobValues(0, { schedule, beta1, beta2, maxGradNorm: 0 }));
  const extent = { weightDecay: 0, decayEnd: 0, length: count };
  return openTape(gpu, (tape) => {
    adamw(tape, { theta, d_theta, m, v }, metrics, 0, knobs, { ...extent, beta1, beta2, eps });
    const held = [d_theta, theta, m, v, metrics, knobs];
    return { out: theta, entries: operationEntries(task, count), held };
  });
}
