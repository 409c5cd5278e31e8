/**
 * The diagonal Fisher information at theta*, from per-sequence gradients (INFANT Eq. 14 and 61).
 *
 * F_i = mean over sequences of (d/d theta_i of the sequence's summed log-probability)^2. The square is taken per sequence:
 * squaring the gradient of a batch would be another quantity. With the demonstrations' own replies this is the empirical
 * Fisher; with replies drawn from the policy it estimates Eq. 61, whose expectation is over the policy's actions.
 */
import { InputError } from "../../kernels/errors.ts";
import { accumulateSquares } from "../../kernels/fisher/fisher.ts";
import { type PathIntegral, synapticImportance } from "../../kernels/fisher/synaptic.ts";
import { settle } from "../../kernels/gpu/readback.ts";
import { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, Tensor, upload } from "../../kernels/gpu/tensor.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import type { TokenExample } from "../data/batch.ts";
import { padBatch } from "../data/pack/assemble.ts";
import { TrainProgram } from "./program.ts";

/** Sequences between two waits for the GPU, so that its queue stays short. */
const QUEUE = 16;

/** Shape of the estimate. */
export interface FisherOptions {
  /** Tokens per sequence; longer examples must have been cut. */
  readonly length: number;
  /** Weight of each sequence's square; default 1 / number of sequences. */
  readonly scale?: (index: number) => number;
  /** Called now and then with the number of sequences done; stops the estimate when it returns false. */
  readonly onProgress?: (done: number) => boolean | void;
}

/**
 * Diagonal Fisher of the trainable parameters by name. `examples[i].weights` above 0 mark the scored tokens (their value is
 * the token's weight in the sequence's log-probability, so use 1).
 * @throws {InputError} when there is no example, or one is longer than `options.length`.
 */
export async function fisherDiagonal(
  parameters: Parameters,
  examples: readonly TokenExample[],
  options: FisherOptions,
): Promise<Map<string, Float32Array>> {
  const { gpu } = parameters;
  if (examples.length === 0) {
    throw new InputError("Fisher estimate: there is no example with a reply to take a gradient of");
  }
  const program = new TrainProgram(parameters, {
    rows: 1,
    length: options.length,
    accumulation: 1,
    optimizer: "sgd",
    betas: [0, 0],
    eps: 1,
    momentum: 0,
    weightDecay: 0,
    maxGradNorm: null,
    schedule: { kind: "constant", learningRate: 0, warmupSteps: 0, totalSteps: 1 },
    recompute: false,
    dropout: 0,
    seed: 0,
    objective: { rho: 0, prior: null },
  });
  const fisher = persistent(gpu, "fisher", [parameters.trainableEnd]);
  const scale = options.scale ?? (() => 1 / examples.length);
  const squares = new Map<number, Tape>();
  try {
    for (let i = 0; i < examples.length; i++) {
      const weight = scale(i);
      if (!squares.has(weight)) {
        const tape = new Tape(gpu, "squares");
        accumulateSquares(tape, parameters.gradients!, fisher, weight);
        squares.set(weight, tape);
      }
      const tape = squares.get(weight)!;
      const batch = padBatch([examples[i]], options.length);
      program.gradientOnly(batch, 1, (encoder) => tape.encode(encoder));
      if ((i + 1) % QUEUE === 0) {
        await settle(gpu);
        if (options.onProgress?.(i + 1) === false) break;
      }
    }
    return await parameters.read(fisher);
  } finally {
    program.destroy();
    squares.forEach((tape) => tape.destroy());
    fisher.place.buffer!.destroy();
  }
}

/** Synaptic intelligence's importance by name, from a stage's path and the trained parameters at its beginning. */
export async function pathImportance(
  parameters: Parameters,
  { path }: PathIntegral,
  start: ReadonlyMap<string, Float32Array>,
  damping: number,
): Promise<Map<string, Float32Array>> {
  const { gpu, trainableEnd } = parameters;
  const theta = new Tensor("trained theta", [trainableEnd], "f32", parameters.theta.place);
  const from = persistent(gpu, "theta at the beginning", [trainableEnd]);
  const importance = persistent(gpu, "importance", [trainableEnd]);
  upload(gpu, from, parameters.join(start, trainableEnd));
  const tape = new Tape(gpu, "importance");
  try {
    synapticImportance(tape, theta, from, path, importance, damping);
    tape.run();
    return await parameters.read(importance);
  } finally {
    tape.destroy();
    for (const tensor of [from, importance]) tensor.place.buffer!.destroy();
  }
}
