/**
 * The staged programme: each stage opens its data, trains, estimates its Fisher diagonal, sits the exam, and saves.
 *
 * Everything random is a function of (seed, step), so a run that is resumed from a checkpoint goes on bit for bit as if it had
 * never been stopped. The policy at the start of a value-imprinting stage is that stage's frozen prior.
 */
import { openGpu } from "../../kernels/gpu/device.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { loadParameters } from "../../kernels/policy/parameters.ts";
import { stageSteps } from "../config/config.ts";
import { controlScores, type Headline, headline } from "../evaluate/nursery_exam.ts";
import { combine } from "../logging/reporter.ts";
import { RunLog } from "../logging/run_log.ts";
import { checkpointFolder, createRunFolder } from "../run_folder.ts";
import { readStageState } from "./checkpoint.ts";
import { loadWeights, startingPolicy } from "./policy_source.ts";
import { openStageData } from "./sources.ts";
import { examine, type Run, type TrainerRequest, trainStage } from "./stage.ts";

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
  if (!resume) await examineUntrained(run, weights);
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

async function examineUntrained(run: Run, weights: PolicyWeights): Promise<void> {
  const parameters = loadParameters(run.gpu, weights, { trainable: false });
  await examine(run, "untrained", parameters);
  parameters.destroy();
}
