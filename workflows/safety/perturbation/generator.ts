/**
 * The perturbation generator G_psi of INFANT Definition 3.4: a small transformer that proposes edits where a victim is weak.
 *
 * It reads the context twice, so that at the second reading every item is scored with the whole context in view; a linear head gives
 * the scores of the choices in `proposals.ts`. Psi is trained to raise the victim's hidden loss by the score function with a
 * leave-one-out baseline, since edits are discrete. Against a learning victim it takes K steps at a rate of its own for each step of
 * theta: two time scales, of which the inner one must be the faster (K eta_psi >> eta_theta; the paper's Theorem 4.7 states equal rates,
 * its proof uses these). No convergence is claimed for neural players: what is reported is exploitability.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { readFloats, readTensors } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { linear } from "../../../kernels/matmul/linear.ts";
import { adamw, createKnobs } from "../../../kernels/optimizer/optimizer.ts";
import { knobValues } from "../../../kernels/optimizer/schedule.ts";
import { TokenTensors } from "../../../kernels/policy/batch.ts";
import { llamaConfig } from "../../../kernels/policy/config.ts";
import { scoreHeadSpecs } from "../../../kernels/policy/heads.ts";
import { initialWeights } from "../../../kernels/policy/init.ts";
import { Parameters } from "../../../kernels/policy/parameters.ts";
import { transformer } from "../../../kernels/policy/transformer.ts";
import { globalNorm } from "../../../kernels/reduce/global_norm.ts";
import { ropeTable } from "../../../kernels/rope/rope.ts";
import { padBatch } from "../../data/pack/assemble.ts";
import type { Random } from "../../data/random.ts";
import {
  addScoreGradient,
  editChoices,
  leaveOneOut,
  type Perturbable,
  type Proposal,
  Proposer,
} from "./proposals.ts";

/** Sizes and rates of a generator. */
export interface GeneratorOptions {
  /** Tokens that contexts are written in. */
  readonly vocabSize: number;
  /** Longest context. */
  readonly length: number;
  /** Contexts of a batch. */
  readonly contexts: number;
  /** Tokens that may be put in. */
  readonly alphabet: number;
  /** Number of rewrites beside edits; default 0. */
  readonly rewrites?: number;
  /** Learning rate eta_psi; default 1e-2. */
  readonly learningRate?: number;
  /** Weight of KL(G_psi || blind adversary), in units of the hidden loss (nats); default 0.02. */
  readonly pull?: number;
  /** Width of its transformer; default 32. */
  readonly width?: number;
  /** Seed of its weights. */
  readonly seed: number;
}

/** What a victim loses: for each proposal of each context its hidden loss. */
export type ProposalLoss = (
  proposals: readonly (readonly Proposal[])[],
) => Promise<readonly (readonly number[])[]>;

/** Proposals of one step and what they cost the victim. */
export interface GeneratorStep {
  /** By context. */
  readonly proposals: readonly (readonly Proposal[])[];
  /** Hidden losses, likewise. */
  readonly losses: readonly (readonly number[])[];
}

/** All that a generator has learned; with it training goes on bit for bit. */
export interface GeneratorState {
  /** Parameters by name. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** AdamW's first moment, flat. */
  readonly m: Float32Array;
  /** Its second. */
  readonly v: Float32Array;
  /** Steps of psi so far. */
  readonly updates: number;
}

/** AdamW's decay rates: short memories, since the victim changes. */
const BETAS = [0.9, 0.95] as const;

/** G_psi; owns its parameters and their optimiser. */
export class PerturbationGenerator {
  readonly #gpu: Gpu;
  readonly #options: Required<GeneratorOptions>;
  readonly #outputs: number;
  readonly #parameters: Parameters;
  readonly #tokens: TokenTensors;
  readonly #rope: Tensor;
  readonly #forward: Tape;
  readonly #scores: Tensor;
  readonly #learn: Tape;
  readonly #d_scores: Tensor;
  readonly #m: Tensor;
  readonly #v: Tensor;
  readonly #owned: readonly Tensor[];
  readonly #knobs: Tensor;
  #updates = 0;

  /** A generator that proposes like the blind adversary. @throws {InputError} when a size is not positive. */
  constructor(gpu: Gpu, options: GeneratorOptions) {
    const { vocabSize, length, contexts, alphabet, width = 32 } = options;
    const { rewrites = 0, learningRate = 1e-2, pull = 0.02 } = options;
    this.#gpu = gpu;
    this.#options = { ...options, width, rewrites, learningRate, pull };
    this.#outputs = editChoices(alphabet) + 1 + rewrites;
    const shape = { vocabSize, context: 2 * length, layers: 1, width, heads: 2 };
    const config = llamaConfig(shape);
    const extra = scoreHeadSpecs(config, this.#outputs);
    this.#parameters = new Parameters(gpu, config, { extra });
    this.#parameters.load(initialWeights(config, options.seed).tensors); // the head stays 0
    this.#tokens = new TokenTensors(gpu, config, contexts, 2 * length);
    this.#rope = ropeTable(gpu, config);
    this.#knobs = createKnobs(gpu);
    const rows = contexts * 2 * length;
    this.#d_scores = persistent(gpu, "d_scores", [rows, this.#outputs]);
    const arena = (name: string) => persistent(gpu, name, [this.#parameters.trainableEnd]);
    this.#m = arena("generator m");
    this.#v = arena("generator v");
    const metrics = persistent(gpu, "generator norm", [16]);
    this.#owned = [this.#d_scores, this.#rope, this.#knobs, this.#m, this.#v, metrics];
    this.#forward = new Tape(gpu, "generator");
    this.#scores = this.#forward.keep(this.#forward.noGrad(() => this.#record(this.#forward)));
    this.#learn = new Tape(gpu, "generator learns");
    this.#recordLearning(this.#m, this.#v, metrics);
  }

  /** What it has learned: one read-back. */
  async read(): Promise<GeneratorState> {
    const [theta, m, v] = await readTensors(this.#gpu, [
      this.#parameters.theta,
      this.#m,
      this.#v,
    ]) as Float32Array[];
    return { weights: this.#parameters.split(theta), m, v, updates: this.#updates };
  }

  /** Goes on from what was read. @throws {InputError} when that is of a generator of another size. */
  restore({ weights, m, v, updates }: GeneratorState): void {
    const floats = this.#parameters.trainableEnd;
    if (m.length !== floats || v.length !== floats) {
      throw new InputError(
        `generator: its state is of ${m.length} values, this one has ${floats}: the configuration is another`,
      );
    }
    this.#parameters.load(weights);
    upload(this.#gpu, this.#m, m);
    upload(this.#gpu, this.#v, v);
    this.#updates = updates;
  }

  #record(tape: Tape): Tensor {
    const hidden = transformer(tape, this.#parameters, this.#tokens, { rope: this.#rope });
    return linear(tape, hidden, this.#parameters.get("score.weight"), { name: "scores" });
  }

  #recordLearning(m: Tensor, v: Tensor, metrics: Tensor): void {
    const tape = this.#learn;
    const { theta, gradients, decayEnd, trainableEnd } = this.#parameters;
    tape.clear(gradients!);
    tape.clear(metrics);
    this.#record(tape).grad = this.#d_scores;
    tape.backward();
    globalNorm(tape, gradients!, metrics, 0);
    const [beta1, beta2] = BETAS;
    const settings = { beta1, beta2, eps: 1e-8, weightDecay: 0, decayEnd, length: trainableEnd };
    adamw(tape, { theta, d_theta: gradients!, m, v }, metrics, 0, this.#knobs, settings);
  }

  /** `samples` perturbations of each context: one forward pass and one read-back. */
  async propose(
    targets: readonly Perturbable[],
    samples: number,
    random: Random,
  ): Promise<Proposal[][]> {
    const scores = await this.#read(targets);
    return targets.map((target, c) => {
      const { word } = target.space;
      const proposer = new Proposer(target, (row) => this.#part(scores, c, word.length, row));
      return Array.from({ length: samples }, () => proposer.sample(random));
    });
  }

  /**
   * Scores of a decision, or their gradient: at the item's second reading; those of the choice between edits and rewrites lie
   * behind the last item's.
   */
  #part(scores: Float32Array, context: number, items: number, row: number): Float32Array {
    const edits = editChoices(this.#options.alphabet);
    const place = context * 2 * this.#options.length + items + Math.min(row, items - 1);
    const at = place * this.#outputs;
    return row < items
      ? scores.subarray(at, at + edits)
      : scores.subarray(at + edits, at + this.#outputs);
  }

  async #read(targets: readonly Perturbable[]): Promise<Float32Array> {
    const { length, contexts } = this.#options;
    if (targets.length > contexts) {
      throw new InputError(
        `generator: ${targets.length} contexts, it was made for ${contexts} at once`,
      );
    }
    const examples = Array.from({ length: contexts }, (_, c) => {
      const word = targets[c]?.space.word ?? [];
      if (word.length > length) {
        throw new InputError(
          `generator: a context has ${word.length} tokens, it was made for ${length}`,
        );
      }
      const ids = [...word, ...word];
      return { ids, weights: ids.map(() => 0) };
    });
    this.#tokens.upload(padBatch(examples, 2 * length));
    this.#forward.run();
    return await readFloats(this.#gpu, this.#scores);
  }

  /**
   * One step of psi: proposes, asks what the victim loses, and raises the probability of what cost it more than the context's other
   * proposals. @throws {InputError} with fewer than two samples, which leave nothing to compare with.
   */
  async step(
    targets: readonly Perturbable[],
    samples: number,
    loss: ProposalLoss,
    random: Random,
  ): Promise<GeneratorStep> {
    if (samples < 2) {
      throw new InputError(`generator: learning needs at least 2 candidates, found ${samples}`);
    }
    const proposals = await this.propose(targets, samples, random);
    const losses = await loss(proposals);
    const gradient = new Float32Array(this.#d_scores.rows * this.#outputs);
    const share = 1 / (targets.length * samples);
    proposals.forEach((ofContext, c) => {
      const items = targets[c].space.word.length;
      const rowOf = (row: number) => this.#part(gradient, c, items, row);
      const advantages = leaveOneOut(losses[c]);
      ofContext.forEach((proposal, s) =>
        addScoreGradient(proposal, share * advantages[s], share * this.#options.pull, rowOf)
      );
    });
    this.#update(gradient);
    return { proposals, losses };
  }

  #update(gradient: Float32Array): void {
    const { learningRate } = this.#options;
    const schedule = { kind: "constant", learningRate, warmupSteps: 0, totalSteps: 1 } as const;
    const [beta1, beta2] = BETAS;
    const knobs = knobValues(this.#updates++, { schedule, beta1, beta2, maxGradNorm: 1 });
    upload(this.#gpu, this.#knobs, knobs);
    upload(this.#gpu, this.#d_scores, gradient);
    this.#learn.run();
  }

  /** Frees everything. */
  destroy(): void {
    this.#forward.destroy();
    this.#learn.destroy();
    this.#tokens.destroy();
    this.#parameters.destroy();
    for (const tensor of this.#owned) tensor.place.buffer!.destroy();
  }
}
