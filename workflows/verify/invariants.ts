/**
 * Equivalence classes of training runs: five ways through the same steps that must give the same
 * policy.
 *
 *     8 rows at once  =  8 batches of 1 row, accumulated
 *                     =  activations recomputed in the backward pass
 *                     =  stopped half-way and resumed from a checkpoint
 *                     =  every step recorded afresh instead of replayed
 *
 * All but accumulation, which adds in another order, must agree in every bit. The policy and its
 * data are the nursery's.
 */
import type { Gpu } from "../../kernels/gpu/device.ts";
import { readTensors } from "../../kernels/gpu/readback.ts";
import { upload } from "../../kernels/gpu/tensor.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { initialWeights } from "../../kernels/policy/init.ts";
import { loadParameters, type Parameters } from "../../kernels/policy/parameters.ts";
import { resolveConfig } from "../config/resolve.ts";
import type { TokenBatch } from "../data/batch.ts";
import { readCheckpoint, saveCheckpoint } from "../train/checkpoint.ts";
import { NurserySource } from "../train/nursery_source.ts";
import { nurseryTokenizer, policyConfig } from "../train/policy_source.ts";
import { type OptimizerState, type ProgramSettings, TrainProgram } from "../train/program.ts";
import { total } from "./pass.ts";
import { type CaseResult, type Check, largestRelativeError, relativeError } from "./result.ts";

const ROWS = 8;
const LENGTH = 32;
const STEPS = 20;

/** Where a run stands after its steps. */
interface Standing extends OptimizerState {
  /** Loss of each step. */
  readonly losses: readonly number[];
  /** Gradient norm of each step. */
  readonly norms: readonly number[];
  /** All parameters, flat. */
  readonly theta: Float32Array;
}

/** The same start and the same data for every run. */
interface Setting {
  readonly gpu: Gpu;
  readonly start: PolicyWeights;
  readonly batches: readonly TokenBatch[];
}

/**
 * Runs all classes.
 * @param onResult Called with each class as it is done.
 */
export async function verifyInvariants(
  gpu: Gpu,
  onResult: (result: CaseResult) => void = () => {},
): Promise<CaseResult[]> {
  const setting = await nurserySetting(gpu);
  const plain = await train(setting, {});
  const rows = batchesOfOneRow(setting.batches);
  const results: CaseResult[] = [];
  const add = (id: string, checks: readonly Check[]) => {
    results.push({ id, checks, notCovered: [] });
    onResult(results.at(-1)!);
  };
  // Dropout draws by place in the batch, so a row alone would be thinned out differently.
  const whole = await train(setting, { dropout: 0 });
  const parts = await train({ ...setting, batches: rows }, { rows: 1, dropout: 0 });
  add("accumulated", close(whole, parts));
  add("recomputed", identical(plain, await train(setting, { recompute: true })));
  add("resumed", identical(plain, await resumed(setting)));
  add("replayed", identical(plain, await recordedAfresh(setting)));
  return results;
}

/** The nursery's own architecture and dialogues, from random weights. */
async function nurserySetting(gpu: Gpu): Promise<Setting> {
  const { model } = resolveConfig({ preset: "nursery", overrides: [] }).config;
  if ("from" in model) throw new Error("the nursery's preset must describe a new policy");
  const config = policyConfig(model, await nurseryTokenizer());
  const source = new NurserySource({
    corpus: "raw",
    rows: ROWS,
    length: LENGTH,
    seed: 1,
    promptWeight: 0.05,
    packing: true,
  });
  return {
    gpu,
    start: initialWeights(config, 1, model.init_std ?? undefined),
    batches: Array.from({ length: STEPS }, (_, step) => source.batch(step)),
  };
}

/** Cuts each batch into its rows. */
function batchesOfOneRow(batches: readonly TokenBatch[]): TokenBatch[] {
  return batches.flatMap((batch) =>
    Array.from({ length: batch.rows }, (_, row): TokenBatch => {
      const part = <T extends Uint32Array | Float32Array>(values: T) =>
        values.slice(row * batch.length, (row + 1) * batch.length) as T;
      const { ids, targets, weights, positions, starts } = batch;
      return {
        rows: 1,
        length: batch.length,
        ids: part(ids),
        targets: part(targets),
        weights: part(weights),
        positions: part(positions),
        starts: part(starts),
      };
    })
  );
}

/** A recorded program over freshly loaded weights. */
function record(
  { gpu, start }: Setting,
  changes: Partial<ProgramSettings>,
): { parameters: Parameters; program: TrainProgram } {
  const parameters = loadParameters(gpu, start);
  const rows = changes.rows ?? ROWS;
  const program = new TrainProgram(parameters, {
    rows,
    length: LENGTH,
    accumulation: ROWS / rows,
    optimizer: "adamw",
    betas: [0.9, 0.999],
    eps: 1e-8,
    momentum: 0,
    weightDecay: 0.1,
    maxGradNorm: 1,
    schedule: { kind: "cosine", learningRate: 3e-3, warmupSteps: 4, totalSteps: STEPS },
    recompute: false,
    dropout: 0.1,
    seed: 1,
    objective: { rho: 0, prior: null },
    ...changes,
  });
  return { parameters, program };
}

/** Steps `from` to `to` of a program; the batches of a step lie side by side. */
function advance(program: TrainProgram, { batches }: Setting, from: number, to: number): void {
  const { accumulation } = program.settings;
  for (let step = from; step < to; step++) {
    program.step(step, batches.slice(step * accumulation, (step + 1) * accumulation));
  }
}

async function standing(program: TrainProgram): Promise<Standing> {
  const metrics = await program.metrics();
  const { gpu, parameters, m, v } = program;
  const read = await readTensors(gpu, [parameters.theta, m, v]) as Float32Array[];
  return {
    losses: metrics.map(({ loss }) => loss),
    norms: metrics.map(({ gradNorm }) => gradNorm),
    theta: read[0],
    m: read[1],
    v: read[2],
  };
}

/** All steps, one recording. */
async function train(setting: Setting, changes: Partial<ProgramSettings>): Promise<Standing> {
  const { parameters, program } = record(setting, changes);
  try {
    advance(program, setting, 0, STEPS);
    return await standing(program);
  } finally {
    program.destroy();
    parameters.destroy();
  }
}

/** Half of the steps, a checkpoint on disk, and the other half from what the disk holds. */
async function resumed(setting: Setting): Promise<Standing> {
  const folder = await Deno.makeTempDir({ prefix: "infant-verify-" });
  try {
    const half = STEPS / 2;
    const first = record(setting, {});
    advance(first.program, setting, 0, half);
    const before = await standing(first.program);
    const checkpoint = await saveCheckpoint(folder, {
      weights: await first.parameters.weights(),
      adapter: null,
      tokenizer: null,
      optimizer: before,
      fisher: null,
      adversary: null,
      state: {
        stage: "verify",
        step: half,
        tokens: half * ROWS * LENGTH,
        complete: false,
        heldOutBefore: null,
        heldOutAfter: null,
        unlogged: [],
      },
    });
    first.program.destroy();
    first.parameters.destroy();

    const { weights, optimizer } = await readCheckpoint(checkpoint);
    const { parameters, program } = record({ ...setting, start: weights }, {});
    upload(setting.gpu, program.m, optimizer!.m);
    upload(setting.gpu, program.v, optimizer!.v);
    advance(program, setting, half, STEPS);
    const after = await standing(program);
    program.destroy();
    parameters.destroy();
    return joined(before, after);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every step by a program that was recorded for it alone. */
async function recordedAfresh(setting: Setting): Promise<Standing> {
  let last: Standing | null = null;
  for (let step = 0; step < STEPS; step++) {
    const { parameters, program } = record(setting, {});
    try {
      if (last) {
        upload(setting.gpu, parameters.theta, last.theta);
        upload(setting.gpu, program.m, last.m);
        upload(setting.gpu, program.v, last.v);
      }
      advance(program, setting, step, step + 1);
      const now = await standing(program);
      last = last ? joined(last, now) : now;
    } finally {
      program.destroy();
      parameters.destroy();
    }
  }
  return last!;
}

function joined(before: Standing, after: Standing): Standing {
  return {
    ...after,
    losses: [...before.losses, ...after.losses],
    norms: [...before.norms, ...after.norms],
  };
}

/** Largest difference of each quantity; the smallest number there is where only bits differ. */
function identical(want: Standing, got: Standing): Check[] {
  return (["losses", "norms", "theta", "m", "v"] as const).map((quantity) => ({
    quantity,
    worst: largestDifference(Float64Array.from(got[quantity]), Float64Array.from(want[quantity])),
    limit: 0,
  }));
}

/**
 * Largest |a - b|, above 0 where only bits differ, infinite where lengths differ or anything is not
 * finite.
 */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    if (Object.is(a[i], b[i]) && Number.isFinite(a[i])) continue;
    const difference = Math.abs(a[i] - b[i]);
    if (!Number.isFinite(difference)) return Infinity;
    worst = Math.max(worst, difference, Number.MIN_VALUE);
  }
  return worst;
}

/** Another order of addition: near, and off to neither side. */
function close(want: Standing, got: Standing): Check[] {
  const residuals = got.losses.map((loss, i) => (loss - want.losses[i]) / want.losses[i]);
  return [
    { quantity: "losses", worst: largestRelativeError(got.losses, want.losses), limit: 1e-5 },
    {
      quantity: "losses, mean signed residual",
      worst: Math.abs(total(residuals)) / STEPS,
      limit: 1e-6,
    },
    { quantity: "norms", worst: largestRelativeError(got.norms, want.norms), limit: 1e-4 },
    { quantity: "theta", worst: relativeError(got.theta, want.theta), limit: 1e-4 },
  ];
}
