/**
 * The toolkit itself as a contestant: the kernels and the training program that `deno task train` runs.
 */
import declared from "../../deno.json" with { type: "json" };
import type { Gpu } from "../../kernels/gpu/device.ts";
import { readFloats } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../kernels/gpu/tensor.ts";
import { matmul } from "../../kernels/matmul/matmul.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { Generator } from "../../kernels/policy/generate.ts";
import { initialWeights, normalValues } from "../../kernels/policy/init.ts";
import { loadParameters } from "../../kernels/policy/parameters.ts";
import { arithmeticRoof, copyRoof } from "../../kernels/roof/roof.ts";
import type { TokenBatch } from "../data/batch.ts";
import { TrainProgram } from "../train/program.ts";
import {
  ADAM,
  type GenerateTask,
  type GptStepTask,
  INITIAL,
  type Library,
  matmulInputs,
  type MatmulTask,
  RECURRENCE,
  sampledEntries,
  stepTokens,
  storedShapes,
  type Task,
  type Workload,
} from "./contest.ts";
import { nurseryBatch, nurseryWeights } from "./nursery.ts";

/** The toolkit on an open device. */
export function toolkit(gpu: Gpu): Library {
  return {
    name: "infant",
    version: declared.version,
    adapter: gpu.info.description,
    open: (task) => open(gpu, task),
  };
}

async function open(gpu: Gpu, task: Task): Promise<Workload> {
  switch (task.kind) {
    case "wait":
      return openArithmetic(gpu, 1024);
    case "arithmetic":
      return openArithmetic(gpu, task.values);
    case "copy":
      return openCopy(gpu, task.bytes / 4);
    case "matmul":
      return openMatmul(gpu, task);
    case "gpt step":
      return openStep(
        gpu,
        initialWeights(task.config, INITIAL.seed, INITIAL.std),
        gptBatch(task),
      );
    case "nursery step":
      return openStep(gpu, await nurseryWeights(), nurseryBatch());
    case "generate":
      return openGenerate(gpu, task);
  }
}

/** A tape whose replays overwrite `out`. Its end is awaited by reading one small tensor that comes last in the queue. */
function openTape(
  gpu: Gpu,
  out: Tensor,
  held: readonly Tensor[],
  entries: readonly number[],
  record: (tape: Tape) => void,
): Workload {
  const tape = new Tape(gpu, "bench");
  record(tape);
  const last = persistent(gpu, "last", [4]);
  return {
    async check() {
      tape.run();
      const values = await readFloats(gpu, out);
      return entries.map((at) => values[at]);
    },
    async run(count) {
      for (let i = 0; i < count; i++) tape.run();
      await readFloats(gpu, last);
    },
    close() {
      tape.destroy();
      for (const tensor of [out, last, ...held]) tensor.place.buffer!.destroy();
    },
  };
}

function openArithmetic(gpu: Gpu, values: number): Workload {
  const start = persistent(gpu, "start", [values]);
  const out = persistent(gpu, "out", [values]);
  upload(gpu, start, Float32Array.from({ length: values }, (_, i) => i / values));
  const entries = [0, values - 1];
  return openTape(
    gpu,
    out,
    [start],
    entries,
    (tape) => arithmeticRoof(tape, start, out, RECURRENCE),
  );
}

function openCopy(gpu: Gpu, values: number): Workload {
  const from = persistent(gpu, "from", [values]);
  const to = persistent(gpu, "to", [values]);
  upload(gpu, from, Float32Array.from({ length: values }, (_, i) => i % 4096));
  return openTape(gpu, to, [from], [0, values - 1], (tape) => copyRoof(tape, from, to));
}

function openMatmul(gpu: Gpu, task: MatmulTask): Workload {
  const { form, m, n, schedule } = task;
  const shapes = storedShapes(task);
  const inputs = matmulInputs(task);
  const a = persistent(gpu, "A", shapes.a);
  const b = persistent(gpu, "B", shapes.b);
  const out = persistent(gpu, "C", [m, n]);
  upload(gpu, a, inputs.a);
  upload(gpu, b, inputs.b);
  return openTape(gpu, out, [a, b], sampledEntries(task), (tape) => {
    matmul(tape, form, a, b, { out, schedule });
  });
}

/** The batch of a GPT step: every token has a target of weight 1. */
export function gptBatch(task: GptStepTask): TokenBatch {
  const { rows, length } = task;
  const count = rows * length;
  return {
    rows,
    length,
    ...stepTokens(task),
    weights: new Float32Array(count).fill(1),
    positions: Uint32Array.from({ length: count }, (_, i) => i % length),
    starts: new Uint32Array(count),
  };
}

/** The training program over one batch, as a stage makes it; see {@linkcode GptStepTask} for what is left out. */
export function benchProgram(gpu: Gpu, weights: PolicyWeights, batch: TokenBatch): TrainProgram {
  return new TrainProgram(loadParameters(gpu, weights), {
    rows: batch.rows,
    length: batch.length,
    accumulation: 1,
    optimizer: "adamw",
    betas: [ADAM.beta1, ADAM.beta2],
    eps: ADAM.eps,
    momentum: 0,
    weightDecay: 0,
    maxGradNorm: null,
    schedule: {
      kind: "constant",
      learningRate: ADAM.learningRate,
      warmupSteps: 0,
      totalSteps: 1,
    },
    recompute: false,
    dropout: 0,
    seed: INITIAL.seed,
    objective: { rho: 0, prior: null },
  });
}

function openStep(gpu: Gpu, weights: PolicyWeights, batch: TokenBatch): Workload {
  const program = benchProgram(gpu, weights, batch);
  let step = 0;
  const check = async (count: number): Promise<number[]> => {
    const losses: number[] = [];
    const read = async () => losses.push(...(await program.metrics()).map(({ loss }) => loss));
    for (let i = 0; i < count; i++) {
      if (program.metricsDue) await read();
      program.step(step++, [batch]);
    }
    await read();
    return losses;
  };
  return {
    check,
    run: async (count) => void await check(count),
    close() {
      program.destroy();
      program.parameters.destroy();
    },
  };
}

function openGenerate(gpu: Gpu, task: GenerateTask): Workload {
  const { config, batch, promptLength, maxNew } = task;
  const weights = initialWeights(config, INITIAL.seed, INITIAL.std);
  const parameters = loadParameters(gpu, weights, { trainable: false });
  const generator = new Generator(parameters, { batch, maxNew, capacity: promptLength + maxNew });
  const ids = normalValues(batch * promptLength, 1, INITIAL.seed, 2)
    .map((x) => Math.floor(Math.abs(x) * 1e4) % config.vocabSize);
  const prompts = Array.from(
    { length: batch },
    (_, row) => [...ids.subarray(row * promptLength, (row + 1) * promptLength)],
  );
  const settings = { temperature: 1, seed: INITIAL.seed, padToken: 0 };
  return {
    async check() {
      const replies = await generator.generate(prompts, settings);
      return replies.flatMap(({ logProbs }) => logProbs);
    },
    async run(count) {
      for (let i = 0; i < count; i++) await generator.generate(prompts, settings);
    },
    close() {
      generator.destroy();
      parameters.destroy();
    },
  };
}
