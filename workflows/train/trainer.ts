/**
 * The staged programme: each stage opens its data, trains, passes its gate, estimates its Fisher diagonal, sits the exam, and saves.
 *
 * Everything random is a function of (seed, step), and every decision stands in the audit file before it is acted on, so a run that
 * is resumed from a checkpoint goes on bit for bit as if it had never been stopped. The policy at the start of a value-imprinting
 * stage is that stage's frozen prior, and the one that a rollback goes back to.
 */
import { basename } from "node:path";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { loadParameters, type Parameters } from "../../kernels/policy/parameters.ts";
import { type StageConfig, stageWeights } from "../config/config.ts";
import { controlScores, type Headline, headline } from "../evaluate/nursery_exam.ts";
import { readScores } from "../evaluate/scores.ts";
import { recordEnvironment } from "../logging/environment.ts";
import { combine } from "../logging/reporter.ts";
import { RunLog } from "../logging/run_log.ts";
import { isFile } from "../model_files/files.ts";
import { checkpointFolder, createRunFolder } from "../run_folder.ts";
import { openDevice } from "../setup/open.ts";
import { auditHash } from "../stages/audit.ts";
import { loadExtensions } from "../stages/extensions.ts";
import { gateThresholds } from "../stages/gate.ts";
import { Gatekeeper } from "../stages/gatekeeper.ts";
import {
  degradation,
  type DegradationReport,
  type GateEntry,
  isGate,
  isReference,
  type ReferenceEntry,
  referenceOf,
} from "../stages/programme.ts";
import { programmeRegret, type RegretReport } from "../stages/regret.ts";
import { checkpointRows, readStageState } from "./checkpoint.ts";
import { certificatePath, closeRun } from "./closing.ts";
import { measurePolicy, reportGate, reportReference } from "./gate.ts";
import {
  completedPlace,
  isGated,
  prepareAttempt,
  type PreparedRun,
  type PreparedStage,
  prepareRun,
  type TrainerRequest,
} from "./prepare.ts";
import { examine, type Run } from "./session.ts";
import { type Trained, trainStage } from "./stage.ts";
import { openWorldModel } from "./world_model.ts";

/** What a run reports at its end. */
export interface TrainResult {
  /** Last checkpoint, a Hugging Face folder; null when the first stage was ended by its gate. */
  readonly checkpoint: string | null;
  /** Loss on held-out batches before and after each stage. */
  readonly heldOut: Readonly<Record<string, { before: number | null; after: number | null }>>;
  /** The nursery's exam, untrained and after each stage; empty for other data. */
  readonly scores: Readonly<Record<string, Headline>>;
  /** The same exam for policies that learn nothing. */
  readonly controls: Readonly<Record<string, Headline>>;
  /** Every decision of a gate, in order. */
  readonly gates: readonly GateEntry[];
  /** Measured xi(s) and the cumulative bound (INFANT Eq. 46, 51); null without a promotion. */
  readonly degradation: DegradationReport | null;
  /** Regret over the evaluations of the gates (INFANT Eq. 39); null without the nursery. */
  readonly regret: RegretReport | null;
  /** The safety certificate of the policy as worn; null where none was asked for, or the run did not come to its end. */
  readonly certificate: string | null;
  /** A gate ended the programme before its last stage was promoted. */
  readonly ended: boolean;
  /** It was asked to stop before its end. */
  readonly stopped: boolean;
}

/** Trains as configured. @throws {InputError} on anything wrong with configuration, model or data, before a file is written. */
export async function train(request: TrainerRequest): Promise<TrainResult> {
  const { config, folder, resume } = request;
  await loadExtensions(config.extensions);
  const gpu = await openDevice(config, (line) => request.reporter.note(line));
  try {
    const prepared = await prepareRun(request, gpu);
    if (!resume) await createRunFolder(folder, config);
    const { tokenizer, stages, audit } = prepared;
    const pending = resume && await pendingEntry(prepared, checkpointFolder(folder, resume));
    using log = await RunLog.open({
      folder,
      stages: stages.map(({ stage: { name }, steps }) => ({ name, steps })),
      resume: pending ?? undefined,
    });
    const report = combine(log, request.reporter);
    const scores = resume ? { ...await readScores(folder) } : {};
    const heldOut = await earlierLosses(folder, prepared);
    const kept = { tokenizer, stages, audit, scores, heldOut };
    const run: Run = { request, gpu, report, log, ...kept, judge: null };
    await describe(run, prepared.weights);
    await recordStart(run);
    if (pending?.entry) tellAgain(run, pending.entry);
    const { checkpoint, ended } = await runToEnd(run, prepared).finally(async () => {
      run.judge?.worldModel.destroy();
      await report.done();
    });
    const { entries } = audit;
    return {
      checkpoint,
      heldOut,
      scores,
      controls: controlsOf(run),
      gates: entries.filter(isGate),
      degradation: degradation(entries),
      regret: programmeRegret(entries),
      certificate: await isFile(certificatePath(folder)) ? certificatePath(folder) : null,
      ended,
      stopped: request.stopped(),
    };
  } finally {
    gpu.close();
  }
}

/** How many rows of the record are kept, and the entry of the audit file whose row may be missing. */
interface Pending {
  readonly rows: number;
  readonly entry: GateEntry | ReferenceEntry | null;
}

/** What was written after the checkpoint that a run is resumed from. */
async function pendingEntry({ audit }: PreparedRun, checkpoint: string): Promise<Pending> {
  const rows = await checkpointRows(checkpoint);
  const last = audit.entries.findLast((entry) => isGate(entry) || isReference(entry));
  const entry = last as GateEntry | ReferenceEntry | undefined;
  return entry && entry.rows >= rows ? { rows: entry.rows, entry } : { rows, entry: null };
}

function tellAgain(run: Run, entry: GateEntry | ReferenceEntry): void {
  run.log.stage(entry.stage, entry.step);
  if (isGate(entry)) reportGate(run, entry);
  else reportReference(run, entry);
}

/** The first entry of a run, and one more whenever it is resumed with another configuration. */
async function recordStart({ request: { config }, audit }: Run): Promise<void> {
  const settings = auditHash(JSON.stringify({ ...config, out: null }));
  if (audit.entries.findLast(({ event }) => event === "start")?.config === settings) return;
  const { seed, stages, gate } = config;
  const gated = stages.filter((stage) => isGated(config, stage)).map(({ name }) => name);
  const schedule = gated.length > 0 ? gateThresholds(gate!, gated.length) : null;
  await audit.append({
    event: "start",
    config: settings,
    seed,
    stages: stages.map(({ name }) => name),
    gates: schedule && gated.map((stage, s) => ({ stage, thresholds: schedule.stages[s] })),
    falling: schedule?.falling ?? [],
  });
}

/** All stages and, where they were all promoted, what comes after them. */
async function runToEnd(run: Run, prepared: PreparedRun): Promise<Ended> {
  const { stopped } = run.request;
  const end = await runStages(run, prepared);
  if (stopped() || run.audit.entries.at(-1)?.event === "end") return end;
  if (!end.ended && end.checkpoint) await closeRun(run, end.checkpoint);
  if (!stopped()) await recordEnd(run, end.checkpoint, end.ended);
  return end;
}

/** The last entry of a run that was not stopped. */
async function recordEnd({ audit, stages }: Run, checkpoint: string | null, ended: boolean) {
  const name = checkpoint && basename(checkpoint);
  await audit.append({
    event: "end",
    outcome: ended ? "ended by a gate" : `all ${stages.length} stages done`,
    checkpoint: name,
  });
}

/** Held-out losses of the stages that were complete before this session, as far as their last checkpoints are still there. */
async function earlierLosses(
  folder: string,
  { stages, first, audit }: PreparedRun,
): Promise<Run["heldOut"]> {
  const losses: Run["heldOut"] = {};
  for (const prepared of stages.slice(0, first)) {
    const place = completedPlace(audit.entries, prepared);
    const checkpoint = checkpointFolder(folder, place);
    if (!await isFile(`${checkpoint}/stage.json`)) continue;
    const { heldOutBefore, heldOutAfter } = await readStageState(checkpoint);
    losses[place.stage] = { before: heldOutBefore, after: heldOutAfter };
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

/** Tells what is trained and where, and puts the latter on record. */
async function describe(run: Run, weights: PolicyWeights): Promise<void> {
  const { description, vendor } = run.gpu.info;
  const adapter = description || vendor;
  const count = [...weights.tensors.values()].reduce((n, values) => n + values.length, 0);
  await recordEnvironment(run.request.folder, adapter);
  run.report.note(`adapter: ${adapter}`);
  run.report.note(`policy: ${weights.config.family}, ${count.toLocaleString("en")} parameters`);
  for (const { data } of run.stages) data.notes.forEach((line) => run.report.note(line));
}

/** Where a programme ended. */
interface Ended {
  readonly checkpoint: string | null;
  /** By a gate, before its last stage was promoted. */
  readonly ended: boolean;
}

async function runStages(run: Run, prepared: PreparedRun): Promise<Ended> {
  const { folder, resume, stopped } = run.request;
  let { weights, resumed } = prepared;
  let checkpoint = resume && checkpointFolder(folder, resume);
  if (!resume) await withPolicy(run, weights, (policy) => examine(run, "untrained", policy));
  for (let i = prepared.first; i < run.stages.length; i++) {
    // Who stops before the first step is left with a checkpoint too, to resume from.
    if (stopped() && checkpoint !== null) return { checkpoint, ended: false };
    const judged = stageWeights(run.stages[i].stage).vc > 0;
    if (judged && !await openWorldModel(run, weights)) return { checkpoint, ended: false };
    const trained = await passStage(run, i, weights, resumed);
    resumed = null;
    if (trained.end === "stop") {
      const last = i > 0 ? completedPlace(run.audit.entries, run.stages[i - 1]) : null;
      run.report.note(`the programme ends with the policy of the last promotion`);
      return { checkpoint: last && checkpointFolder(folder, last), ended: true };
    }
    ({ weights, checkpoint } = trained);
  }
  return { checkpoint, ended: false };
}

/** A stage until its gate promotes it or ends the programme; after a rollback it is begun again. */
async function passStage(
  run: Run,
  i: number,
  weights: PolicyWeights,
  resumed: PreparedRun["resumed"],
): Promise<Trained> {
  const prepared = run.stages[i];
  const gate = gatekeeper(run, prepared);
  if (gate && referenceOf(run.audit.entries) === null) {
    await withPolicy(run, weights, (policy) => measureReference(run, i, policy, gate.metrics));
  }
  for (;;) {
    const attempt = gate
      ? await prepareAttempt(run.request, prepared, run.tokenizer, gate.attempt)
      : prepared;
    const trained = await trainStage(run, attempt, weights, resumed, gate);
    if (trained.end !== "roll_back") return trained;
    resumed = null;
    run.report.note(`${prepared.stage.name} begins again from the policy of the last promotion`);
  }
}

function gatekeeper(run: Run, { stage, steps }: PreparedStage): Gatekeeper | null {
  const { request: { config }, stages, audit } = run;
  if (!config.gate || !isGated(config, stage)) return null;
  const gated = stages.map((prepared): StageConfig => prepared.stage)
    .filter((one) => isGated(config, one)).map(({ name }) => name);
  const thresholds = gateThresholds(config.gate, gated.length).stages[gated.indexOf(stage.name)];
  return new Gatekeeper({ audit, gate: config.gate, thresholds, stage: stage.name, steps });
}

/** Measures the policy before its first gated stage: a regression there is told from this. */
async function measureReference(
  run: Run,
  i: number,
  policy: Parameters,
  metrics: readonly string[],
): Promise<void> {
  const maturity = await measurePolicy(run, policy, metrics);
  if (maturity === null) return;
  const { stages, audit, log } = run;
  const place = i > 0
    ? completedPlace(audit.entries, stages[i - 1])
    : { stage: stages[0].stage.name, step: 0 };
  const entry = await audit.append({ event: "reference", ...place, rows: log.rows, ...maturity });
  reportReference(run, entry as ReferenceEntry);
}

/** Lends a policy on the GPU that is not trained. */
async function withPolicy(
  run: Run,
  weights: PolicyWeights,
  use: (policy: Parameters) => Promise<void>,
): Promise<void> {
  const { precision } = run.request.config;
  const parameters = loadParameters(run.gpu, weights, { trainable: false, precision });
  await use(parameters);
  parameters.destroy();
}
