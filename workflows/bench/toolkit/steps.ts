/**
 * Training steps and the Fisher pass as workloads: the programs that `deno task train` runs.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import type { PolicyWeights } from "../../../kernels/policy/config.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { loadParameters, type Parameters } from "../../../kernels/policy/parameters.ts";
import type { TokenBatch } from "../../data/batch.ts";
import { fisherDiagonal } from "../../train/fisher.ts";
import { TrainProgram } from "../../train/program.ts";
import {
  ADAM,
  type FisherTask,
  type GptStepTask,
  type ImprintStepTask,
  INITIAL,
  type MemoryTask,
  stepTokens,
  type Workload,
} from "../contest.ts";

/** Weight of the KL in a value imprinting step; any above 0 costs the same. */
const RHO = 0.1;

type Shaped = Pick<GptStepTask, "config" | "rows" | "length">;

/** The batch of a GPT step: every token has a target of weight 1. */
export function gptBatch(task: Shaped): TokenBatch {
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

/** How the program differs from a plain step. */
interface ProgramChoice {
  readonly recompute?: boolean;
  readonly prior?: Parameters;
}

/** The training program over one batch, as a stage makes it; see {@linkcode GptStepTask} for what is left out. */
export function benchProgram(
  gpu: Gpu,
  weights: PolicyWeights,
  { rows, length }: Pick<TokenBatch, "rows" | "length">,
  { recompute = false, prior }: ProgramChoice = {},
): TrainProgram {
  const { learningRate } = ADAM;
  return new TrainProgram(loadParameters(gpu, weights), {
    rows,
    length,
    accumulation: 1,
    optimizer: "adamw",
    betas: [ADAM.beta1, ADAM.beta2],
    eps: ADAM.eps,
    momentum: 0,
    weightDecay: 0,
    maxGradNorm: null,
    schedule: { kind: "constant", learningRate, warmupSteps: 0, totalSteps: 1 },
    recompute,
    dropout: 0,
    seed: INITIAL.seed,
    objective: { rho: prior ? RHO : 0, prior: prior ?? null },
  });
}

const weightsOf = ({ config }: Shaped) => initialWeights(config, INITIAL.seed, INITIAL.std);

/** A plain step. */
export function openGptStep(gpu: Gpu, task: GptStepTask): Workload {
  const { recompute } = task;
  const program = benchProgram(gpu, weightsOf(task), task, { recompute });
  return stepsOf(program, gptBatch(task));
}

/** A step beside a frozen prior with the same weights. */
export function openImprintStep(gpu: Gpu, task: ImprintStepTask): Workload {
  const weights = weightsOf(task);
  const prior = loadParameters(gpu, weights, { trainable: false });
  const workload = stepsOf(benchProgram(gpu, weights, task, { prior }), gptBatch(task));
  return {
    ...workload,
    close() {
      workload.close();
      prior.destroy();
    },
  };
}

/** Steps of a program over one batch; metrics are read when the ring is full, and at the end. */
export function stepsOf(program: TrainProgram, batch: TokenBatch): Workload {
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

/** The bytes of a step's tapes, which exist once they are compiled. */
export function openMemory(gpu: Gpu, task: MemoryTask): Workload {
  const { recompute } = task;
  const program = benchProgram(gpu, weightsOf(task), task, { recompute }).compile();
  return {
    check: () => Promise.resolve([program.workspaceBytes]),
    run: () => Promise.resolve(),
    close() {
      program.destroy();
      program.parameters.destroy();
    },
  };
}

/** The Fisher diagonal of the trainable parameters, from making the program to reading the result. */
export function openFisher(gpu: Gpu, task: FisherTask): Workload {
  const { config, sequences, length } = task;
  const parameters = loadParameters(gpu, weightsOf({ config, rows: sequences, length }));
  const { ids } = stepTokens({ config, rows: sequences, length });
  const weights = Array.from({ length }, (_, i) => Number(i > 0));
  const examples = Array.from({ length: sequences }, (_, row) => ({
    ids: [...ids.subarray(row * length, (row + 1) * length)],
    weights,
  }));
  const estimate = () => fisherDiagonal(parameters, examples, { length });
  return {
    async check() {
      let sum = 0;
      let least = Infinity;
      for (const values of (await estimate()).values()) {
        for (const value of values) {
          sum += value;
          least = Math.min(least, value);
        }
      }
      return [sum, least];
    },
    async run(count) {
      for (let i = 0; i < count; i++) await estimate();
    },
    close: () => parameters.destroy(),
  };
}
