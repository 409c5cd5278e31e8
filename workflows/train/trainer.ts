/**
 * The staged programme: each stage opens its data, trains, estimates its Fisher diagonal, sits the exam, and saves.
 *
 * Everything random is a function of (seed, step), so a run that is resumed from a checkpoint goes on bit for bit as if it had
 * never been stopped. The policy at the start of a value-imprinting stage is that stage's frozen prior.
 */
import { type Gpu, openGpu } from "../../kernels/gpu/device.ts";
import { settle } from "../../kernels/gpu/readback.ts";
import { upload } from "../../kernels/gpu/tensor.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { loadParameters, Parameters } from "../../kernels/policy/parameters.ts";
import { type StageConfig, stageSteps, type TrainConfig, warmupSteps } from "../config/config.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { controlScores, type Headline, headline, sitExam } from "../evaluate/nursery_exam.ts";
import { heldOutLoss } from "../evaluate/held_out_loss.ts";
import { combine, type Reporter } from "../logging/reporter.ts";
import { RunLog } from "../logging/run_log.ts";
import type { LoraAdapter } from "../model_files/lora.ts";
import { readAdapter } from "../model_files/peft.ts";
import {
  checkpointFolder,
  type CheckpointPlace,
  createRunFolder,
  pruneCheckpoints,
} from "../run_folder.ts";
import { readOptimizer, readStageState, saveCheckpoint } from "./checkpoint.ts";
import { fisherDiagonal } from "./fisher.ts";
import { adapterFrom, adapterTensors, loraForPolicy, newAdapter } from "./lora.ts";
import { loadWeights, startingPolicy } from "./policy_source.ts";
import { type ProgramSettings, type StepMetrics, TrainProgram } from "./program.ts";
import { openStageData, type StageData } from "./sources.ts";

/** What to train, where, and who listens. */
export interface TrainerRequest {
  readonly config: TrainConfig;
  readonly folder: string;
  readonly resume: CheckpointPlace | null;
  readonly reporter: Reporter;
  /** True once the run should save a checkpoint and stop. */
  readonly stopped: () => boolean;
}

/** What a run reports at its end. */
export interface TrainResult {
  /** Last checkpoint, a Hugging Face folder. */
  readonly checkpoint: string | null;
  /** Loss on held-out batches before and after each stage. */
  readonly heldOut: Readonly<Record<string, { before: number | null; after: number | null }>>;
  /** The nursery's exam, untrained and after each stage; empty for other data. */
  readonly scores: Readonly<Record<string, Headline>>;
  /** The same exam for policies that learn nothing. */
  readonly controls: Readonly<Record<string, Headline>>;
  readonly stopped: boolean;
}

/** Everything that lives as long as the run. */
interface Run {
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

/** Trains as configured. @throws {InputError} on anything wrong with configuration, model or data, before training starts. */
export async function train(request: TrainerRequest): Promise<TrainResult> {
  const { config, folder, resume } = request;
  const start = await startingPolicy(config, resume ? checkpointFolder(folder, resume) : null);
  const stages = [];
  for (const stage of config.stages) {
    const data = await openStageData(stage, start.tokenizer, config.seed);
    stages.push({ stage, data, steps: stageSteps(stage, data.epochTokens) });
  }
  const gpu = await openGpu({ adapter: config.adapter ?? undefined });
  if (!resume) await createRunFolder(folder, config);
  using log = await RunLog.open({
    folder,
    stages: stages.map(({ stage: { name }, steps }) => ({ name, steps })),
    resume: resume ?? undefined,
  });
  const report = combine(log, request.reporter);
  const run: Run = {
    request,
    gpu,
    tokenizer: start.tokenizer,
    report,
    log,
    stages,
    scores: {},
    heldOut: {},
  };
  describe(run, start.weights);
  try {
    const checkpoint = await runStages(run, start.weights);
    const { heldOut, scores } = run;
    return { checkpoint, heldOut, scores, controls: controlsOf(run), stopped: request.stopped() };
  } finally {
    await report.done();
    gpu.close();
  }
}

/** Scores of the controls, when the policy was examined. */
function controlsOf({ scores, request: { config } }: Run): Record<string, Headline> {
  if (!config.evaluate || Object.keys(scores).length === 0) return {};
  const options = {
    dialogues: config.evaluate.dialogues,
    split: "test",
    seed: config.seed,
  } as const;
  return Object.fromEntries(
    Object.entries(controlScores(options)).map(([name, score]) => [name, headline(score)]),
  );
}

function describe(run: Run, weights: PolicyWeights): void {
  const { description, vendor } = run.gpu.info;
  const count = [...weights.tensors.values()].reduce((n, values) => n + values.length, 0);
  run.report.note(`adapter: ${description || vendor}`);
  run.report.note(`policy: ${weights.config.family}, ${count.toLocaleString("en")} parameters`);
  for (const { data } of run.stages) data.notes.forEach((line) => run.report.note(line));
}

async function runStages(run: Run, first: PolicyWeights): Promise<string | null> {
  const { config, folder, resume, stopped } = run.request;
  let weights = first;
  let checkpoint = resume ? checkpointFolder(folder, resume) : null;
  const begin = resume ? config.stages.findIndex(({ name }) => name === resume.stage) : 0;
  if (!resume) await examine(run, "untrained", weights, null);
  for (let i = begin; i < run.stages.length && !stopped(); i++) {
    const from = i === begin ? resume : null;
    if (from && (await readStageState(checkpoint!)).complete) continue;
    // The prior of a resumed stage is the policy that the stage before it left.
    const prior = from ? await priorOf(run, i) : weights;
    const trained = await trainStage(run, i, weights, prior, from);
    weights = trained.weights;
    checkpoint = trained.checkpoint;
  }
  return checkpoint;
}

/** The policy at the beginning of stage `i` of an earlier session. */
async function priorOf(run: Run, i: number): Promise<PolicyWeights> {
  const { config, folder } = run.request;
  if (i === 0) return (await startingPolicy(config, null)).weights;
  const { stage, steps } = run.stages[i - 1];
  return await loadWeights(checkpointFolder(folder, { stage: stage.name, step: steps }));
}

interface Trained {
  readonly weights: PolicyWeights;
  readonly checkpoint: string | null;
}

async function trainStage(
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
    epoch: tokens / data.epochTokens,
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
  await examine(run, stage.name, null, session);
  return await save(session, done, true, fisher);
}

async function stageFisher(
  session: Session,
  { kind, samples }: NonNullable<StageConfig["fisher"]>,
): Promise<Map<string, Float32Array>> {
  const { parameters, data, stage, run } = session;
  let examples = data.fisherExamples(samples);
  if (kind === "sampled") {
    const { sampleReplies } = await import("./sampled_replies.ts");
    examples = await sampleReplies(parameters, examples, stage.length, run.request.config.seed);
  }
  return await fisherDiagonal(parameters, examples, {
    length: stage.length,
    onProgress: () => !run.request.stopped(),
  });
}

/** Sits the nursery's exam with the session's policy, or with given weights. */
async function examine(
  run: Run,
  name: string,
  weights: PolicyWeights | null,
  session: Session | null,
): Promise<void> {
  const { evaluate, seed } = run.request.config;
  if (
    !evaluate || !run.stages.some(({ stage }) => stage.data === "nursery") || run.request.stopped()
  ) return;
  const parameters = session?.parameters ?? loadParameters(run.gpu, weights!, { trainable: false });
  try {
    const score = await sitExam(parameters, { ...evaluate, split: "test", seed });
    run.scores[name] = headline(score);
  } finally {
    if (!session) parameters.destroy();
  }
}

async function currentWeights({ parameters, adapter }: Session): Promise<PolicyWeights> {
  const weights = await parameters.weights();
  if (!adapter) return weights;
  const { mergeLora } = await import("../model_files/lora.ts");
  return mergeLora(weights, adapterFrom(adapter, await parameters.read()));
}

async function save(
  session: Session,
  done: number,
  complete: boolean,
  fisher: ReadonlyMap<string, Float32Array> | null,
): Promise<string> {
  const { run, stage, program, parameters, adapter, data } = session;
  await settle(run.gpu);
  const all = await parameters.read();
  const flat = async (tensor: typeof program.m) => {
    const { readFloats } = await import("../../kernels/gpu/readback.ts");
    return await readFloats(run.gpu, tensor);
  };
  const folder = await saveCheckpoint(run.request.folder, {
    weights: await parameters.weights(),
    adapter: adapter ? adapterFrom(adapter, all) : null,
    tokenizer: run.tokenizer,
    optimizer: { m: await flat(program.m), v: await flat(program.v) },
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
