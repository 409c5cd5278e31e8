/**
 * One stage: step until its end (or until asked to stop), report, estimate the Fisher diagonal, sit the exam, save.
 */
import type { Gpu } from "../../kernels/gpu/device.ts";
import { readTensors } from "../../kernels/gpu/readback.ts";
import { upload } from "../../kernels/gpu/tensor.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { loadParameters, Parameters } from "../../kernels/policy/parameters.ts";
import { type StageConfig, type TrainConfig, warmupSteps } from "../config/config.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { heldOutLoss } from "../evaluate/held_out_loss.ts";
import { type Headline, headline, sitExam } from "../evaluate/nursery_exam.ts";
import { recordScores } from "../evaluate/scores.ts";
import type { Reporter } from "../logging/reporter.ts";
import type { RunLog } from "../logging/run_log.ts";
import { type LoraAdapter, mergeLora } from "../model_files/lora.ts";
import { readAdapter } from "../model_files/peft.ts";
import { checkpointFolder, type CheckpointPlace, pruneCheckpoints } from "../run_folder.ts";
import { readOptimizer, saveCheckpoint } from "./checkpoint.ts";
import { fisherDiagonal } from "./fisher.ts";
import { adapterFrom, adapterTensors, loraForPolicy, newAdapter } from "./lora.ts";
import { type ProgramSettings, type StepMetrics, TrainProgram } from "./program.ts";
import { sampleReplies } from "./sampled_replies.ts";
import type { StageData } from "./sources.ts";

/** What to train, where, and who listens. */
export interface TrainerRequest {
  readonly config: TrainConfig;
  readonly folder: string;
  readonly resume: CheckpointPlace | null;
  readonly reporter: Reporter;
  /** True once the run should save a checkpoint and stop. */
  readonly stopped: () => boolean;
}

/** Everything that lives as long as the run. */
export interface Run {
  readonly request: TrainerRequest;
  readonly gpu: Gpu;
  readonly tokenizer: Tokenizer | null;
  readonly report: Reporter;
  readonly log: RunLog;
  readonly stages: readonly {
    readonly stage: StageConfig;
    readonly data: StageData;
    readonly steps: number;
  }[];
  readonly scores: Record<string, Headline>;
  readonly heldOut: Record<string, { before: number | null; after: number | null }>;
}

/** What a stage leaves behind. */
export interface Trained {
  readonly weights: PolicyWeights;
  readonly checkpoint: string | null;
}

/** Trains stage `i` from `weights`, or goes on from a checkpoint in the middle of it. */
export async function trainStage(
  run: Run,
  i: number,
  weights: PolicyWeights,
  priorWeights: PolicyWeights,
  from: CheckpointPlace | null,
): Promise<Trained> {
  const { gpu, report } = run;
  const { config, folder } = run.request;
  const { stage, data, steps } = run.stages[i];
  const resumed = from ? checkpointFolder(folder, from) : null;
  const adapter = await adapterOf(config, weights, resumed);
  const parameters = new Parameters(gpu, weights.config, {
    lora: adapter ? loraForPolicy(adapter, adapter.targets.map(({ module }) => module)) : null,
  });
  parameters.load(weights.tensors);
  if (adapter) parameters.load(adapterTensors(adapter));
  const imprint = stage.kind === "value_imprinting" && stage.rho > 0 ? stage.rho : 0;
  const prior = imprint ? loadParameters(gpu, priorWeights, { trainable: false }) : null;
  const program = new TrainProgram(
    parameters,
    programSettings(stage, steps, config.seed, imprint, prior),
  );
  report.stage(stage.name, steps);
  program.compile();
  if (resumed) {
    const moments = await readOptimizer(resumed, parameters.trainableEnd);
    upload(gpu, program.m, moments.m);
    upload(gpu, program.v, moments.v);
  }
  const session = { run, stage, data, steps, program, parameters, adapter, config: weights.config };
  const before = from ? null : await heldOutLoss(parameters, data.heldOut);
  try {
    const done = await steppingLoop(session, from?.step ?? 0);
    const checkpoint = await finishStage(session, done, before);
    const merged = await currentWeights(session);
    return { weights: merged, checkpoint };
  } finally {
    program.destroy();
    parameters.destroy();
    prior?.destroy();
  }
}

function programSettings(
  stage: StageConfig,
  steps: number,
  seed: number,
  rho: number,
  prior: Parameters | null,
): ProgramSettings {
  return {
    rows: stage.batch_size,
    length: stage.length,
    accumulation: stage.gradient_accumulation,
    optimizer: stage.optimizer,
    betas: stage.betas,
    eps: stage.eps,
    momentum: stage.momentum,
    weightDecay: stage.weight_decay,
    maxGradNorm: stage.max_grad_norm,
    schedule: {
      kind: stage.schedule,
      learningRate: stage.learning_rate,
      warmupSteps: warmupSteps(stage, steps),
      totalSteps: steps,
      minRatio: stage.min_learning_rate_ratio,
    },
    recompute: stage.recompute,
    dropout: stage.dropout,
    seed,
    objective: { rho, prior },
  };
}

async function adapterOf(
  config: TrainConfig,
  weights: PolicyWeights,
  resumed: string | null,
): Promise<LoraAdapter | null> {
  if (!config.lora) return null;
  return resumed
    ? await readAdapter(resumed, weights.config)
    : newAdapter(weights.config, config.lora, config.seed);
}

/** A stage under way. */
interface Session {
  readonly run: Run;
  readonly stage: StageConfig;
  readonly data: StageData;
  readonly steps: number;
  readonly program: TrainProgram;
  readonly parameters: Parameters;
  readonly adapter: LoraAdapter | null;
  readonly config: PolicyWeights["config"];
}

/** Steps until the end or until asked to stop; returns the number of steps done. */
async function steppingLoop(session: Session, first: number): Promise<number> {
  const { run, stage, steps, data, program } = session;
  const k = stage.gradient_accumulation;
  let done = first;
  while (done < steps && !run.request.stopped()) {
    const batches = await Promise.all(
      Array.from({ length: k }, (_, j) => data.source.batch(done * k + j)),
    );
    program.step(done, batches);
    done++;
    if (done % stage.log_every === 0 || done === steps || program.metricsDue) {
      await logSteps(session, done);
    }
    if (done === steps) break;
    if (stage.eval_every > 0 && done % stage.eval_every === 0) {
      run.report.metrics(done, {
        eval_loss: await heldOutLoss(session.parameters, data.heldOut) ?? NaN,
      });
    }
    if (stage.save_every > 0 && done % stage.save_every === 0) {
      await save(session, done, false, null);
    }
  }
  await logSteps(session, done);
  return done;
}

/** Reads the metrics since the last time, in one read-back, and reports their mean as one row. */
async function logSteps({ stage, program, run, data }: Session, done: number): Promise<void> {
  const rows = await program.metrics();
  if (rows.length === 0) return;
  const mean = (of: (row: StepMetrics) => number) =>
    rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  const last = rows[rows.length - 1];
  const tokens = done * stage.gradient_accumulation * data.source.tokensPerBatch;
  const epoch: Record<string, number> = data.epochTokens === null
    ? {}
    : { epoch: tokens / data.epochTokens };
  const kl: Record<string, number> = stage.kind === "value_imprinting"
    ? { kl: mean((row) => row.kl) }
    : {};
  run.report.step({
    step: done,
    loss: mean((row) => row.loss),
    tokens,
    grad_norm: mean((row) => row.gradNorm),
    learning_rate: last.learningRate,
    mean_token_accuracy: mean((row) => row.accuracy),
    ...epoch,
    ...kl,
  });
  const skipped = rows.filter((row) => row.skipped).length;
  if (skipped > 0) {
    run.report.note(
      `warning: ${skipped} of the last ${rows.length} steps had a gradient that is not finite and changed nothing; ` +
        `lower learning_rate if this goes on`,
    );
  }
}

/** End of a stage, or of the session in the middle of one. */
async function finishStage(session: Session, done: number, before: number | null): Promise<string> {
  const { run, stage, steps, data, parameters } = session;
  if (done < steps) return await save(session, done, false, null);
  const after = await heldOutLoss(parameters, data.heldOut);
  run.heldOut[stage.name] = { before, after };
  if (after !== null) run.report.metrics(done, { eval_loss: after });
  let fisher: Map<string, Float32Array> | null = null;
  if (stage.fisher) {
    run.report.note(
      `${stage.name}: Fisher diagonal from ${stage.fisher.samples} sequences (${stage.fisher.kind})`,
    );
    fisher = await stageFisher(session, stage.fisher);
  }
  await examine(run, stage.name, parameters);
  return await save(session, done, true, fisher);
}

async function stageFisher(
  session: Session,
  { kind, samples }: NonNullable<StageConfig["fisher"]>,
): Promise<Map<string, Float32Array>> {
  const { parameters, data, stage, run } = session;
  let examples = data.fisherExamples(samples);
  if (kind === "sampled") {
    examples = await sampleReplies(parameters, examples, stage.length, run.request.config.seed);
  }
  return await fisherDiagonal(parameters, examples, {
    length: stage.length,
    onProgress: () => !run.request.stopped(),
  });
}

async function currentWeights({ parameters, adapter }: Session): Promise<PolicyWeights> {
  const weights = await parameters.weights();
  if (!adapter) return weights;
  return mergeLora(weights, adapterFrom(adapter, await parameters.read()));
}

/** Writes a checkpoint: one read-back, then the files. */
async function save(
  session: Session,
  done: number,
  complete: boolean,
  fisher: ReadonlyMap<string, Float32Array> | null,
): Promise<string> {
  const { run, stage, program, parameters, adapter, data } = session;
  const [theta, m, v] = await readTensors(run.gpu, [
    parameters.theta,
    program.m,
    program.v,
  ]) as Float32Array[];
  const all = parameters.split(theta);
  const folder = await saveCheckpoint(run.request.folder, {
    weights: parameters.weightsOf(all),
    adapter: adapter ? adapterFrom(adapter, all) : null,
    tokenizer: run.tokenizer,
    optimizer: { m, v },
    fisher,
    state: {
      stage: stage.name,
      step: done,
      tokens: done * stage.gradient_accumulation * data.source.tokensPerBatch,
      complete,
      scores: run.scores[stage.name] as unknown as Record<string, unknown> | undefined,
    },
  });
  await run.log.writeState(folder);
  await run.log.writeState();
  await pruneCheckpoints(run.request.folder, stage.name, stage.save_total_limit);
  return folder;
}

/**
 * Sits the nursery's exam with a policy on the GPU and remembers its scores; nothing happens where no stage learns from the
 * nursery or `evaluate` is null.
 */
export async function examine(run: Run, name: string, parameters: Parameters): Promise<void> {
  const { evaluate, seed } = run.request.config;
  const nursery = run.stages.some(({ stage }) => stage.data === "nursery");
  if (!evaluate || !nursery || run.request.stopped()) return;
  const score = await sitExam(parameters, { ...evaluate, split: "test", seed });
  run.scores[name] = headline(score);
  await recordScores(run.request.folder, name, run.scores[name]);
}
