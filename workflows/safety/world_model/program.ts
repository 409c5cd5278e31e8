/**
 * One training step of a world model as a GPU program: forward, binary cross-entropy at the replies' last tokens, backward, norm and
 * update in a single submission without read-back.
 */
import { MetricRing } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import { adamw, createKnobs } from "../../../kernels/optimizer/optimizer.ts";
import {
  knobValues,
  learningRate,
  type ScheduleSettings,
} from "../../../kernels/optimizer/schedule.ts";
import { TokenTensors } from "../../../kernels/policy/batch.ts";
import { classifierHead } from "../../../kernels/policy/heads.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import { transformer } from "../../../kernels/policy/transformer.ts";
import { globalNorm } from "../../../kernels/reduce/global_norm.ts";
import { sumInto } from "../../../kernels/reduce/sum.ts";
import { ropeTable } from "../../../kernels/rope/rope.ts";
import type { TokenBatch } from "../../data/batch.ts";

/** Places in the metrics that each step leaves on the GPU. */
const METRIC = { loss: 0, correct: 1, gradNorm: 2, notFinite: 3 } as const;
/** Length of that vector. */
const METRICS = 4;
/** Steps whose metrics fit on the GPU before they must be read. */
const RING_ROWS = 256;

/** Replies packed into rows, with where each ends and its class. */
export interface ReplyBatch {
  /** Several replies a row, each seeing itself alone. */
  readonly tokens: TokenBatch;
  /** Place (row * length + position) of each reply's last token, all distinct. */
  readonly lastRows: Uint32Array;
  /** Class of each reply: 1 is unsafe. */
  readonly classes: Uint32Array;
}

/** What stays the same from step to step. */
export interface WorldModelProgramSettings {
  /** Rows of a batch. */
  readonly rows: number;
  /** Tokens of each row. */
  readonly length: number;
  /** Replies of a batch. */
  readonly replies: number;
  /** Learning rate by step. */
  readonly schedule: ScheduleSettings;
  /** AdamW's decay rates, each in [0, 1). */
  readonly betas: readonly [number, number];
  /** Decoupled weight decay of the matrices. */
  readonly weightDecay: number;
  /** Gradients are scaled down to this norm. */
  readonly maxGradNorm: number;
}

/** What is known of a step when its metrics are read. */
export interface WorldModelMetrics {
  /** Binary cross-entropy in nats per reply. */
  readonly loss: number;
  /** Share of replies classified rightly at P(unsafe) = 1/2. */
  readonly accuracy: number;
  /** Global norm before clipping. */
  readonly gradNorm: number;
  /** Of this step. */
  readonly learningRate: number;
  /** The gradient was not finite and the update was left out. */
  readonly skipped: boolean;
}

/** A recorded training step over a world model's parameters. */
export class WorldModelProgram {
  /** What stays the same. */
  readonly settings: WorldModelProgramSettings;
  readonly #parameters: Parameters;
  readonly #tokens: TokenTensors;
  readonly #lastRows: Tensor;
  readonly #classes: Tensor;
  readonly #weights: Tensor;
  readonly #moments: readonly [Tensor, Tensor];
  readonly #metrics: Tensor;
  readonly #knobs: Tensor;
  readonly #rope: Tensor | null;
  readonly #ring: MetricRing;
  readonly #tape: Tape;
  readonly #rates: number[] = [];

  /** Records the step. */
  constructor(parameters: Parameters, settings: WorldModelProgramSettings) {
    const { gpu, config, trainableEnd } = parameters;
    const { rows, length, replies } = settings;
    this.settings = settings;
    this.#parameters = parameters;
    this.#tokens = new TokenTensors(gpu, config, rows, length);
    this.#lastRows = persistent(gpu, "last rows", [replies], "u32");
    this.#classes = persistent(gpu, "classes", [replies], "u32");
    this.#weights = persistent(gpu, "reply weights", [replies]);
    upload(gpu, this.#weights, new Float32Array(replies).fill(1 / replies));
    this.#moments = [
      persistent(gpu, "first moment", [trainableEnd]),
      persistent(gpu, "second moment", [trainableEnd]),
    ];
    this.#metrics = persistent(gpu, "metrics", [METRICS]);
    this.#knobs = createKnobs(gpu);
    this.#rope = config.positions === "rope" ? ropeTable(gpu, config) : null;
    this.#ring = new MetricRing(gpu, this.#metrics, RING_ROWS);
    this.#tape = new Tape(gpu, "world model");
    this.#record();
  }

  #record(): void {
    const tape = this.#tape;
    const parameters = this.#parameters;
    const { betas: [beta1, beta2], weightDecay } = this.settings;
    const [m, v] = this.#moments;
    const hidden = transformer(tape, parameters, this.#tokens, { rope: this.#rope });
    const logits = classifierHead(tape, parameters, hidden, this.#lastRows);
    const { value, correct } = crossEntropy(tape, logits, this.#classes, this.#weights);
    sumInto(tape, value, this.#metrics, METRIC.loss);
    sumInto(tape, correct, this.#metrics, METRIC.correct);
    tape.backward();
    globalNorm(tape, parameters.gradients!, this.#metrics, METRIC.gradNorm);
    const arenas = { theta: parameters.theta, d_theta: parameters.gradients!, m, v };
    adamw(tape, arenas, this.#metrics, METRIC.gradNorm, this.#knobs, {
      weightDecay,
      decayEnd: parameters.decayEnd,
      length: parameters.trainableEnd,
      beta1,
      beta2,
      eps: 1e-8,
    });
  }

  /** True when the metrics of earlier steps must be read before the next step. */
  get metricsDue(): boolean {
    return this.#ring.full;
  }

  /** Submits step number `step` (from 0); does not wait. */
  step(step: number, batch: ReplyBatch): void {
    const { gpu, gradients } = this.#parameters;
    const { schedule, betas, maxGradNorm } = this.settings;
    this.#tokens.upload(batch.tokens);
    upload(gpu, this.#lastRows, batch.lastRows);
    upload(gpu, this.#classes, batch.classes);
    const knobs = { schedule, beta1: betas[0], beta2: betas[1], maxGradNorm };
    upload(gpu, this.#knobs, knobValues(step, knobs));
    const encoder = gpu.device.createCommandEncoder({ label: "world model step" });
    encoder.clearBuffer(gradients!.place.buffer!);
    this.#tape.encode(encoder);
    this.#ring.record(encoder);
    gpu.device.queue.submit([encoder.finish()]);
    gpu.counts.submits++;
    gpu.check();
    this.#rates.push(learningRate(step, schedule));
  }

  /** Reads the metrics of all steps since the last call, oldest first: one read-back. */
  async metrics(): Promise<WorldModelMetrics[]> {
    const rows = await this.#ring.drain();
    return rows.map((row) => ({
      loss: row[METRIC.loss],
      accuracy: row[METRIC.correct] / this.settings.replies,
      gradNorm: row[METRIC.gradNorm],
      learningRate: this.#rates.shift()!,
      skipped: row[METRIC.notFinite] !== 0,
    }));
  }

  /** Frees everything but the parameters. */
  destroy(): void {
    this.#tape.destroy();
    this.#tokens.destroy();
    this.#ring.destroy();
    const own = [this.#lastRows, this.#classes, this.#weights, ...this.#moments];
    for (const tensor of [...own, this.#metrics, this.#knobs, this.#rope]) {
      tensor?.place.buffer?.destroy();
    }
  }
}
