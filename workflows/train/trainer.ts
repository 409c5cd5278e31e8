/**
 * The staged programme: each stage opens its data, trains, estimates its Fisher diagonal, sits the exam, and saves.
 *
 * Everything random is a function of (seed, step), so a run that is resumed from a checkpoint goes on bit for bit as if it had
 * never been stopped. The policy at the start of a value-imprinting stage is that stage's frozen prior.
 */
import { openGpu } from "../../kernels/gpu/device.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { loadParameters } from "../../kernels/policy/parameters.ts";
import { controlScores, type Headline, headline } from "../evaluate/nursery_exam.ts";
import { readScores } from "../evaluate/scores.ts";
import { combine } from "../logging/reporter.ts";
import { RunLog } from "../logging/run_log.ts";
import { isFile } from "../model_files/files.ts";
import { checkpointFolder, createRunFolder } from "../run_folder.ts";
import { readStageState } from "./checkpoint.ts";
import { type PreparedRun, prepareRun, type TrainerRequest } from "./prepare.ts";
import { examine, type Run, trainStage } from "./stage.ts";

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
  /** It was asked to stop before its end. */
  readonly stopped: boolean;
}

/** Trains as configured. @throws {InputError} on anything wrong with configuration, model or data, before a file is written. */
export async function train(request: TrainerRequest): Promise<TrainResult> {
  const { config, folder, resume } = request;
  const gpu = await openGpu({ adapter: config.adapter ?? undefined });
  try {
    const prepared = await prepareRun(request, gpu);
    if (!resume) await createRunFolder(folder, config);
    using log = await RunLog.open({
      folder,
      stages: prepared.stages.map(({ stage: { name }, steps }) => ({ name, steps })),
      resume: resume ?? undefined,
    });
    const report = combine(log, request.reporter);
    const scores = resume ? { ...await readScores(folder) } : {};
    const { tokenizer, stages } = prepared;
    const heldOut = await earlierLosses(folder, prepared);
    const run: Run = { request, gpu, tokenizer, stages, report, log, scores, heldOut };
    describe(run, prepared.weights);
    const checkpoint = await runStages(run, prepared).finally(() => report.done());
    return { checkpoint, heldOut, scores, controls: controlsOf(run), stopped: request.stopped() };
  } finally {
    gpu.close();
  }
}

/** Held-out losses of the stages that were complete before this session, as far as their last checkpoints are still there. */
async function earlierLosses(
  folder: string,
  { stages, first }: PreparedRun,
): Promise<Run["heldOut"]> {
  const losses: Run["heldOut"] = {};
  for (const { stage, steps } of stages.slice(0, first)) {
    const checkpoint = checkpointFolder(folder, { stage: stage.name, step: steps });
    if (!await isFile(`${checkpoint}/stage.json`)) continue;
    const { heldOutBefore, heldOutAfter } = await readStageState(checkpoint);
    losses[stage.name] = { before: heldOutBefore, after: heldOutAfter };
  }
  return losses;
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

async function runStages(run: Run, prepared: PreparedRun): Promise<string> {
  const { folder, resume, stopped } = run.request;
  let { weights, resumed } = prepared;
  let checkpoint = resume && checkpointFolder(folder, resume);
  if (!resume) await examineUntrained(run, weights);
  for (let i = prepared.first; i < run.stages.length; i++) {
    // Who stops before the first step is left with a checkpoint too, to resume from.
    if (stopped() && checkpoint !== null) break;
    ({ weights, checkpoint } = await trainStage(run, i, weights, resumed));
    resumed = null;
  }
  return checkpoint!;
}

async function examineUntrained(run: Run, weights: PolicyWeights): Promise<void> {
  const { precision } = run.request.config;
  const parameters = loadParameters(run.gpu, weights, { trainable: false, precision });
  await examine(run, "untrained", parameters);
  parameters.destroy();
}
