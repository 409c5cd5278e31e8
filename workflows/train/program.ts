/**
 * One training step as a GPU program: forward, losses, backward, norm, update, in a single submission without read-back.
 *
 * Losses are sums over tokens whose weights the host has divided by the total weight of the step, so that a step over K
 * micro-batches is the same sum as one over a batch K times as large.
 *
 * In float16 (`precision: f16`, see `Parameters`) matrix products read float16 weights and inputs, the activations they leave for the
 * backward pass and the gradient of the logits are float16, everything else is float32. Measured on llvmpipe (LLVM 15, 2 shared cores,
 * 2026-11-21), f32 : f16, steps interleaved; no GPU was measured:
 *
 *                                          nursery, 16 x 64 tokens     6 layers, width 384, vocabulary 8192, 2 x 128
 *     activations and workspace, MB        17.3 : 13.1                 55.6 : 39.8
 *     the same with recomputation          16.1 : 11.5                 38.1 : 25.8
 *     weights, copies and gradients, MB     2.1 :  2.6                  110 :  138
 *     CPU ms per step, medians              200 :  208                 2564 : 2538
 *     loss after 100 and 6 steps           0.98023 : 0.98032           7.01270 : 7.01265
 *     largest relative difference of a loss   1.3e-4                      2.5e-5
 *
 * So on a software adapter float16 saves memory where activations outweigh weights, and no time.
 */
import { InputError } from "../../kernels/errors.ts";
import type { Clock } from "../../kernels/gpu/clock.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import { MetricRing } from "../../kernels/gpu/readback.ts";
import { type EncodeHook, Tape } from "../../kernels/gpu/tape.ts";
import { type CompileProgress, warm } from "../../kernels/gpu/warm.ts";
import { persistent, Tensor, upload } from "../../kernels/gpu/tensor.ts";
import { beginPath, endPath, type PathIntegral } from "../../kernels/fisher/synaptic.ts";
import { LossScaler, type LossScalerState } from "../../kernels/optimizer/loss_scaler.ts";
import { adamw, createKnobs, sgd } from "../../kernels/optimizer/optimizer.ts";
import { knobValues, learningRate } from "../../kernels/optimizer/schedule.ts";
import type { TokenTensors } from "../../kernels/policy/batch.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { languageModelHead, transformer } from "../../kernels/policy/transformer.ts";
import { overVocabulary, type TokenPart } from "../../kernels/policy/vocabulary.ts";
import { globalNorm } from "../../kernels/reduce/global_norm.ts";
import { ropeTable } from "../../kernels/rope/rope.ts";
import type { TokenBatch } from "../data/batch.ts";
import { ValueImprinting } from "../objective/imprinting.ts";
import type { Term } from "../objective/term.ts";
import { MicroBatches, tokensOf } from "./micro_batches.ts";
import type { ProgramSettings } from "./program_settings.ts";
import {
  METRIC,
  MetricLayout,
  type StepMetrics,
  stepMetrics,
  type SubmittedStep,
} from "./step_metrics.ts";

export type { StepMetrics } from "./step_metrics.ts";
export type { Objective, OptimizerState, ProgramSettings } from "./program_settings.ts";

/** Steps whose metrics fit on the GPU before they must be read. */
const RING_ROWS = 256;

/**
 * A recorded training step over one policy.
 *
 * @example Ten steps on the nursery's raw corpus
 * ```ts
 * import {
 *   initialWeights,
 *   llamaConfig,
 *   loadParameters,
 *   nursery,
 *   NurserySource,
 *   openGpu,
 *   TrainProgram,
 * } from "@infant/toolkit";
 *
 * const gpu = await openGpu();
 * const sizes = { context: 64, layers: 1, width: 32, heads: 2 };
 * const config = llamaConfig({ ...sizes, vocabSize: nursery.nurseryVocabulary.length });
 * const program = new TrainProgram(loadParameters(gpu, initialWeights(config, 1)), {
 *   rows: 4,
 *   length: 64,
 *   accumulation: 1,
 *   optimizer: "adamw",
 *   betas: [0.9, 0.99],
 *   eps: 1e-8,
 *   momentum: 0,
 *   weightDecay: 0.01,
 *   maxGradNorm: 1,
 *   schedule: { kind: "constant", learningRate: 1e-2, warmupSteps: 2, totalSteps: 10, minRatio: 1 },
 *   recompute: false,
 *   dropout: 0,
 *   seed: 1,
 *   objective: { rho: 0, prior: null },
 * });
 * const corpus = { corpus: "raw", seed: 1, promptWeight: 0.05, packing: true } as const;
 * const source = new NurserySource({ ...corpus, rows: 4, length: 64 });
 * for (let step = 0; step < 10; step++) program.step(step, [source.batch(step)]);
 * const losses = (await program.metrics()).map(({ loss }) => loss); // one read-back for all steps
 * if (losses[9] >= losses[0]) throw new Error(`nothing was learned: ${losses}`);
 * gpu.close();
 * ```
 */
export class TrainProgram {
  /** Where it runs. */
  readonly gpu: Gpu;
  /** What is trained. */
  readonly parameters: Parameters;
  /** What stays the same from step to step. */
  readonly settings: ProgramSettings;
  /** First moment, over the trainable part of the arena. */
  readonly m: Tensor;
  /** Second moment; the first one again for SGD. */
  readonly v: Tensor;
  /** Path integral of synaptic intelligence; null where none is gathered. */
  readonly path: PathIntegral | null;
  readonly #tokens: TokenTensors;
  readonly #metrics: Tensor;
  readonly #knobs: Tensor;
  readonly #rope: Tensor | null;
  readonly #gradient: Tape;
  readonly #update: Tape;
  readonly #ring: MetricRing;
  readonly #pending: SubmittedStep[] = [];
  readonly #scaler: LossScaler | null;
  /** Terms of weight above 0, value imprinting first. */
  readonly #terms: readonly Term[];
  readonly #layout: MetricLayout;
  readonly #microBatches: MicroBatches;

  /**
   * Records the step; {@linkcode TrainProgram.compile} or the first step builds it.
   * @throws {InputError} when nothing is trainable, or no term learns from data.
   */
  constructor(parameters: Parameters, settings: ProgramSettings) {
    const { gpu, config } = parameters;
    if (!parameters.gradients) throw new InputError("nothing to train: every parameter is frozen");
    this.gpu = gpu;
    this.parameters = parameters;
    this.settings = settings;
    this.#scaler = settings.lossScale ? new LossScaler(settings.lossScale) : null;
    const floats = parameters.trainableEnd;
    this.m = persistent(gpu, "first moment", [floats]);
    this.v = settings.optimizer === "adamw" ? persistent(gpu, "second moment", [floats]) : this.m;
    const flat = (name: string) => persistent(gpu, name, [floats]);
    this.path = settings.path
      ? { before: flat("theta before"), gradient: flat("own gradient"), path: flat("path") }
      : null;
    this.#terms = termsOf(settings);
    this.#layout = new MetricLayout(this.#terms);
    this.#tokens = tokensOf(gpu, config, this.#terms, settings);
    this.#microBatches = new MicroBatches(this.#terms, this.#tokens, settings);
    this.#metrics = persistent(gpu, "metrics", [this.#layout.length]);
    this.#knobs = createKnobs(gpu);
    this.#rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
    this.#ring = new MetricRing(gpu, this.#metrics, RING_ROWS);
    this.#gradient = this.#recordGradient();
    this.#update = this.#recordUpdate();
  }

  /** Whether the policy or its adapters drop anything. */
  get #drops(): boolean {
    return this.settings.dropout > 0 || (this.parameters.lora?.dropout ?? 0) > 0;
  }

  #recordGradient(): Tape {
    const { settings, parameters } = this;
    const tokens = this.#tokens;
    const tape = new Tape(this.gpu, "gradient");
    const options = {
      rope: this.#rope,
      recompute: settings.recompute,
      dropout: this.#drops ? { rate: settings.dropout, seed: tokens.seed } : null,
    };
    const hidden = transformer(tape, parameters, tokens, options);
    const made = new Map<Term, Tensor>();
    const record = (logits: Tensor, part: TokenPart) => {
      let firstRow = 0;
      for (const term of this.#terms) {
        const once = (make: () => Tensor) => made.get(term) ?? made.set(term, make()).get(term)!;
        const context = { ...this.#context(term), tokens, logits, part, once, firstRow };
        term.record?.(tape, context);
        firstRow += term.rows;
      }
    };
    // Other terms join tokens of different rows and need all logits at once.
    if (this.#terms.every(({ name, rows }) => name === "value_imprinting" || rows === 0)) {
      overVocabulary(tape, parameters, hidden, record);
    } else record(languageModelHead(tape, parameters, hidden), (perToken) => perToken);
    tape.backward();
    return tape;
  }

  /** What every recording of a term sees. */
  #context(term: Term) {
    return {
      parameters: this.parameters,
      slots: this.settings.accumulation,
      rope: this.#rope,
      gradient: this.#scaler ? "f16" as const : "f32" as const,
      metrics: this.#metrics,
      index: this.#layout.indexOf(term),
    };
  }

  #recordUpdate(): Tape {
    const { settings, parameters } = this;
    const tape = new Tape(this.gpu, "update");
    const gradients = parameters.gradients!;
    // The trained parameters come first; what adapters leave frozen lies behind them.
    const { trainableEnd } = parameters;
    const theta = new Tensor("trained theta", [trainableEnd], "f32", parameters.theta.place);
    if (this.path) beginPath(tape, theta, gradients, this.path, this.#knobs);
    for (const term of this.#terms) {
      term.recordOnce?.(tape, {
        ...this.#context(term),
        knobs: this.#knobs,
        normIndex: METRIC.gradNorm,
      });
    }
    globalNorm(tape, gradients, this.#metrics, METRIC.gradNorm);
    const arenas = { theta, d_theta: gradients, m: this.m, v: this.v };
    const extent = {
      weightDecay: settings.weightDecay,
      decayEnd: parameters.decayEnd,
      length: trainableEnd,
    };
    if (settings.optimizer === "adamw") {
      const [beta1, beta2] = settings.betas;
      const moments = { beta1, beta2, eps: settings.eps };
      adamw(tape, arenas, this.#metrics, METRIC.gradNorm, this.#knobs, { ...extent, ...moments });
    } else {
      const momentum = { momentum: settings.momentum };
      sgd(tape, arenas, this.#metrics, METRIC.gradNorm, this.#knobs, { ...extent, ...momentum });
    }
    if (this.path) endPath(tape, theta, this.path, this.#metrics, METRIC.gradNorm);
    parameters.recordOperands(tape);
    return tape;
  }

  /** Builds all pipelines; slow the first time on a machine. `onPipeline` hears each kernel's name. */
  compile(onPipeline?: (kernel: string) => void): this {
    this.#gradient.compile(onPipeline);
    this.#update.compile(onPipeline);
    return this;
  }

  /** Waits until all pipelines are compiled: up to some seconds the first time on a software adapter. */
  warm(onKernel?: CompileProgress): Promise<void> {
    return warm([this.#gradient, this.#update], onKernel);
  }

  /** Kernel launches of one step. */
  get dispatchesPerStep(): number {
    return this.settings.accumulation * this.#gradient.dispatchCount + this.#update.dispatchCount;
  }

  /** Bytes of activations and workspace. */
  get workspaceBytes(): number {
    return this.#gradient.bytes + this.#update.bytes;
  }

  /** True when the metrics of earlier steps must be read before the next step. */
  get metricsDue(): boolean {
    return this.#ring.full;
  }

  /** Tokens of a step, padding included, over all terms. */
  get tokensPerStep(): number {
    return this.settings.accumulation * this.#tokens.rows * this.#tokens.length;
  }

  /** Terms of weight above 0, value imprinting first. */
  get terms(): readonly Term[] {
    return this.#terms;
  }

  /** Whether a step needs {@linkcode TrainProgram.prepare} before it. */
  get needsPreparation(): boolean {
    return this.#terms.some((term) => term.prepare);
  }

  /** Lets the terms make what step number `step` learns from; they may sample from the policy as it is now. */
  async prepare(step: number): Promise<void> {
    await this.#microBatches.prepare(step);
  }

  /**
   * Submits step number `step` (from 0) over `accumulation` batches of demonstrations (none where imprinting has no weight); does not wait.
   * @throws {InputError} when a term has nothing to learn from, or batches do not fit.
   */
  step(step: number, batches: readonly TokenBatch[]): void {
    const lossScale = this.#scaler?.scale ?? 1;
    this.#microBatches.upload(step, batches, lossScale);
    this.#writeKnobs(step);
    const encoder = this.gpu.device.createCommandEncoder({ label: "training step" });
    encoder.clearBuffer(this.parameters.gradients!.place.buffer!);
    encoder.clearBuffer(this.#metrics.place.buffer!);
    for (let slot = 0; slot < this.settings.accumulation; slot++) {
      this.#microBatches.select(encoder, slot);
      this.#gradient.encode(encoder);
    }
    this.#update.encode(encoder);
    this.#ring.record(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
    this.gpu.counts.submits++;
    this.gpu.check();
    const scored = batches.reduce(
      (n, { weights }) => n + weights.reduce((k, w) => k + Number(w > 0), 0),
      0,
    );
    this.#pending.push({
      learningRate: learningRate(step, this.settings.schedule),
      scored,
      lossScale,
    });
  }

  #writeKnobs(step: number): void {
    const { schedule, betas, maxGradNorm } = this.settings;
    const knobs = {
      schedule,
      beta1: betas[0],
      beta2: betas[1],
      maxGradNorm: maxGradNorm ?? 0,
      lossScale: this.#scaler?.scale,
    };
    upload(this.gpu, this.#knobs, knobValues(step, knobs));
  }

  /** State of the loss scale, for a checkpoint; null where there is none. */
  get lossScale(): LossScalerState | null {
    return this.#scaler?.state ?? null;
  }

  /**
   * Lets the loss scale learn from finished steps, oldest first; later steps use the new one. Since the host hears of an overflow
   * only when it reads metrics, all steps since share one scale: once it changed, the rest of them say nothing about the new one.
   * To resume exactly, call this at the same steps with the same rows.
   */
  adjustLossScale(rows: readonly StepMetrics[]): void {
    for (const { lossScale, skipped } of rows) {
      if (lossScale === this.#scaler?.scale) this.#scaler.update(skipped);
    }
  }

  /** Gradients alone, without update, metrics or loss scale: for Fisher estimates and tests. Clears the gradient first. */
  gradientOnly(batch: TokenBatch, weightScale: number, after?: EncodeHook): void {
    this.#tokens.upload(batch, { weightScale });
    const encoder = this.gpu.device.createCommandEncoder({ label: "gradient" });
    encoder.clearBuffer(this.parameters.gradients!.place.buffer!);
    encoder.clearBuffer(this.#metrics.place.buffer!);
    this.#tokens.select(encoder, 0);
    this.#gradient.encode(encoder);
    after?.(encoder);
    this.gpu.device.queue.submit([encoder.finish()]);
    this.gpu.counts.submits++;
  }

  /** Reads the metrics of all steps since the last call, oldest first: one read-back. */
  async metrics(): Promise<StepMetrics[]> {
    const { rho } = this.settings.objective;
    const rows = await this.#ring.drain();
    return rows.map((row) => stepMetrics(row, this.#layout, rho, this.#pending.shift()!));
  }

  /** Time per kernel of one gradient pass over the current batch, and of one more update. */
  async profile(): Promise<{ readonly gradient: Clock; readonly update: Clock }> {
    return { gradient: await this.#gradient.profile(), update: await this.#update.profile() };
  }

  /** Frees everything but the parameters. */
  destroy(): void {
    this.#gradient.destroy();
    this.#update.destroy();
    this.#tokens.destroy();
    this.#ring.destroy();
    const own = [
      this.m,
      this.v,
      this.#metrics,
      this.#knobs,
      this.#rope,
      ...Object.values(this.path ?? {}),
    ];
    for (const tensor of new Set(own)) tensor?.place.buffer?.destroy();
  }
}

/** The objective's terms that count, value imprinting first. */
function termsOf({ objective, rows }: ProgramSettings): readonly Term[] {
  const { rho, prior, weight = 1, terms = [] } = objective;
  const imprinting = weight > 0 ? [new ValueImprinting({ weight, rows, rho, prior })] : [];
  return [...imprinting, ...terms.filter((term) => term.weight > 0)];
}
