/**
 * One attempt at a stage: step until its gate promotes or ends it (or until asked to stop), report, estimate the Fisher diagonal, sit
 * the exam, save.
 */
import { readTensors } from "../../kernels/gpu/readback.ts";
import { upload } from "../../kernels/gpu/tensor.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { type StageConfig, stageWeights } from "../config/config.ts";
import { hash32 } from "../data/random.ts";
import { heldOutLoss } from "../evaluate/held_out_loss.ts";
import type { GateAction } from "../stages/gate.ts";
import type { Gatekeeper } from "../stages/gatekeeper.ts";
import { mergeLora } from "../model_files/lora.ts";
import { checkpointFolder, pruneCheckpoints } from "../run_folder.ts";
import { type ReadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { stageAnchors } from "./anchors.ts";
import { compilationNotes } from "./compiling.ts";
import { fisherDiagonal, pathImportance } from "./fisher.ts";
import { measurePolicy, reportGate } from "./gate.ts";
import { LiveSources } from "./live.ts";
import { adapterFrom, adapterTensors, newAdapter } from "./lora.ts";
import type { PreparedStage } from "./prepare.ts";
import { sampleReplies } from "./sampled_replies.ts";
import { lookBack, reportPreferences } from "./stage_preferences.ts";
import { examine, type Run, type Session } from "./session.ts";
import { buildStage } from "./stage_program.ts";
import { logRow } from "./stage_rows.ts";
import { checkedSources, NO_SOURCES } from "./stage_terms.ts";

/** What an attempt at a stage leaves behind. */
export interface Trained {
  readonly weights: PolicyWeights;
  readonly checkpoint: string;
  /** How it ended: `promote` where there is no gate; null: asked to stop. */
  readonly end: Exclude<GateAction, "wait" | "hold"> | null;
}

/**
 * Trains a stage from `weights`, or goes on from a checkpoint in the middle of it. `weights` are the stage's prior and what
 * lies under its adapters in either case.
 */
export async function trainStage(
  run: Run,
  { stage, data, steps }: PreparedStage,
  weights: PolicyWeights,
  resumed: ReadCheckpoint | null,
  gate: Gatekeeper | null,
): Promise<Trained> {
  const { gpu, report, request: { config } } = run;
  const adapter = resumed?.adapter ??
    (config.lora && newAdapter(weights.config, config.lora, config.seed));
  const { seed, precision } = config;
  const { lossScale } = resumed?.state ?? {};
  const { every, hold_learning_rate_ratio: ratio } = config.gate ?? {};
  const portions = gate && every && ratio ? { every, ratio } : undefined;
  const shape = { policy: weights.config, adapter, stage, steps, portions };
  const references = new Map<number, readonly [number, number]>();
  const anchors = await stageAnchors(run.request, run.stages, run.audit.entries, stage);
  let live: LiveSources | null = null;
  const sources = (policy: Parameters) => {
    if (stage.kind !== "language_modelling") {
      const { tokenizer, judge } = run;
      const own = hash32(seed, "live", stage.name);
      live = new LiveSources(policy, { stage, data, tokenizer, judge, seed: own });
    }
    const pairs = data.pairs && data.pairs.source;
    return checkedSources(stage, { ...NO_SOURCES, pairs, references, anchors, ...live?.sources });
  };
  const options = { ...shape, seed, precision, lossScale, sources };
  const { parameters, prior, program, destroy } = buildStage(gpu, options);
  try {
    prior?.load(weights.tensors);
    parameters.load(weights.tensors);
    report.stage(stage.name, gate?.total ?? steps);
    await program.warm(compilationNotes(stage.name, report));
    const most = steps + (gate ? config.gate!.max_holds * config.gate!.every : 0);
    const begun = data.pairs &&
      await lookBack(parameters, stage, data.pairs, most, references, report);
    if (resumed && !adapter) parameters.load(resumed.weights.tensors);
    if (adapter) parameters.load(adapterTensors(adapter));
    if (resumed?.optimizer) {
      upload(gpu, program.m, resumed.optimizer.m);
      upload(gpu, program.v, resumed.optimizer.v);
      if (program.path && resumed.optimizer.path) {
        upload(gpu, program.path.path, resumed.optimizer.path);
      }
    }
    const start = adapter
      ? adapterTensors(newAdapter(weights.config, config.lora!, config.seed))
      : weights.tensors;
    const { heldOutBefore, unlogged = [], unloggedLive = [] } = resumed?.state ?? {};
    const before = heldOutBefore ?? await heldOutLoss(parameters, data.heldOut);
    const task = {
      run,
      stage,
      data,
      steps,
      gate,
      program,
      parameters,
      adapter,
      before,
      begun,
      start,
    };
    if (resumed?.adversary) live!.restore(resumed.adversary);
    const session: Session = {
      ...task,
      live,
      unlogged: [...unlogged],
      unloggedLive: [...unloggedLive],
      warned: new Set(),
    };
    const loop = await steppingLoop(session, resumed?.state.step ?? 0);
    const finished = await finishStage(session, loop);
    return { weights: await currentWeights(session), ...finished };
  } finally {
    destroy();
    (live as LiveSources | null)?.destroy();
  }
}

/** How far the steps went, and how they ended. */
interface Stepped extends Pick<Trained, "end"> {
  readonly done: number;
}

/** Steps until the end, until the gate ends the attempt, or until asked to stop. */
async function steppingLoop(session: Session, first: number): Promise<Stepped> {
  const { run, stage, steps, gate, data, program, unlogged } = session;
  const k = stage.gradient_accumulation;
  let done = first;
  while (!run.request.stopped()) {
    if (gate?.due(done)) {
      const action = await passGate(session, gate, done);
      if (action !== "wait" && action !== "hold") return { done, end: action };
      if (action === "hold") run.report.stage(stage.name, gate.total);
    }
    const total = gate?.total ?? steps;
    if (done === total) return { done, end: "promote" };
    const imprinted = stageWeights(stage).vi > 0 ? k : 0;
    const batches = await Promise.all(
      Array.from({ length: imprinted }, (_, j) => data.source.batch(done * k + j)),
    );
    if (program.needsPreparation) await program.prepare(done);
    program.step(done, batches);
    if (session.live) session.unloggedLive.push(session.live.report());
    done++;
    const ends = done === total || gate?.due(done);
    const logs = done % stage.log_every === 0 || ends;
    if (logs || program.metricsDue) unlogged.push(...await program.metrics());
    if (logs) logRow(session, done);
    if (done === total) continue;
    if (stage.eval_every > 0 && done % stage.eval_every === 0) {
      const eval_loss = await heldOutLoss(session.parameters, data.heldOut);
      if (eval_loss !== null) run.report.metrics(done, { eval_loss });
    }
    if (stage.save_every > 0 && done % stage.save_every === 0 && !ends) {
      await save(session, done, null);
    }
  }
  return { done, end: null };
}

/**
 * Lets the gate evaluate and decide. The checkpoint is written first, so that who is killed here evaluates the same policy again; a
 * decision that the audit file holds already is not made twice.
 * @returns null when asked to stop before a decision.
 */
async function passGate(
  session: Session,
  gate: Gatekeeper,
  done: number,
): Promise<GateAction | null> {
  const { run, parameters } = session;
  const known = gate.recorded(done);
  if (known) return known.action;
  await save(session, done, null);
  const maturity = await measurePolicy(run, parameters, gate.metrics);
  if (maturity === null) return null;
  const entry = await gate.decide(done, maturity, run.log.rows);
  reportGate(run, entry);
  return entry.action;
}

/** End of an attempt, or of the session in the middle of one. Who is stopped here measures again after a resume. */
async function finishStage(
  session: Session,
  { done, end }: Stepped,
): Promise<Pick<Trained, "checkpoint" | "end">> {
  const { run, stage, data, parameters, before, begun } = session;
  const halted = async () => ({ checkpoint: await save(session, done, null), end: null });
  if (end === null) return await halted();
  if (end !== "promote") {
    return {
      checkpoint: checkpointFolder(run.request.folder, { stage: stage.name, step: done }),
      end,
    };
  }
  const after = await heldOutLoss(parameters, data.heldOut);
  let fisher: Map<string, Float32Array> | null = null;
  if (stage.fisher && !run.request.stopped()) fisher = await stageFisher(session, stage.fisher);
  await examine(run, stage.name, parameters);
  if (run.request.stopped()) return await halted();
  run.heldOut[stage.name] = { before, after };
  if (after !== null) run.report.metrics(done, { eval_loss: after });
  if (data.pairs && begun) {
    await reportPreferences(parameters, stage, data.pairs, begun, done, run.report);
  }
  return { checkpoint: await save(session, done, { after, fisher }), end };
}

async function stageFisher(
  session: Session,
  { kind, samples, damping }: NonNullable<StageConfig["fisher"]>,
): Promise<Map<string, Float32Array>> {
  const { parameters, data, stage, run, program, start } = session;
  if (kind === "synaptic") {
    run.report.note(`${stage.name}: importance from the path of ${stage.name} (synaptic)`);
    return await pathImportance(parameters, program.path!, start, damping);
  }
  let examples = data.fisherExamples(samples);
  if (kind === "sampled") {
    examples = await sampleReplies(parameters, examples, stage.length, run.request.config.seed);
  }
  const asked = examples.length < samples ? ` of the ${samples} asked for` : "";
  run.report.note(
    `${stage.name}: Fisher diagonal from ${examples.length}${asked} sequences (${kind})`,
  );
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

/** What is known at a stage's end only. */
interface StageEnd {
  /** Held-out loss. */
  readonly after: number | null;
  readonly fisher: ReadonlyMap<string, Float32Array> | null;
}

/** Writes a checkpoint, of the complete stage where `end` is given: one read-back for the metrics, one for the weights, then the files. */
async function save(
  session: Session,
  done: number,
  end: StageEnd | null,
): Promise<string> {
  const { run, stage, program, parameters, before, unlogged } = session;
  unlogged.push(...await program.metrics());
  const [theta, m, v, path] = await readTensors(run.gpu, [
    parameters.theta,
    program.m,
    program.v,
    ...(program.path ? [program.path.path] : []),
  ]) as Float32Array[];
  const all = parameters.split(theta);
  const adapter = session.adapter && adapterFrom(session.adapter, all);
  const weights = parameters.weightsOf(all);
  const folder = await saveCheckpoint(run.request.folder, {
    weights: adapter ? mergeLora(weights, adapter) : weights,
    adapter,
    tokenizer: run.tokenizer,
    optimizer: { m, v, path },
    adversary: await session.live?.read() ?? null,
    fisher: end && end.fisher,
    state: {
      stage: stage.name,
      step: done,
      tokens: done * program.tokensPerStep,
      complete: end !== null,
      heldOutBefore: before,
      heldOutAfter: end && end.after,
      unlogged,
      unloggedLive: session.unloggedLive,
      lossScale: program.lossScale,
    },
    trainerState: run.log.state(),
  });
  await run.log.writeState();
  await pruneCheckpoints(run.request.folder, stage.name, stage.save_total_limit);
  return folder;
}
