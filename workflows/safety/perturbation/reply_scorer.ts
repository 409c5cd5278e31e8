/**
 * What a policy thinks of given replies: their log-probability, and how far a perturbation moves its distribution.
 *
 * Many short cases share a row, and a batch is as many rows as it needs (rounded up to a power of two, so that few tapes are
 * recorded). The policy stands still meanwhile; it may be the one that is being trained, between two steps.
 */
import { embedding } from "../../../kernels/embedding/embedding.ts";
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, type Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import { klDivergence } from "../../../kernels/losses/kl_divergence.ts";
import { TokenTensors } from "../../../kernels/policy/batch.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import { languageModelHead, transformer } from "../../../kernels/policy/transformer.ts";
import { ropeTable } from "../../../kernels/rope/rope.ts";
import { type ReplyCase, surrogateLoss } from "./hidden_loss.ts";
import { placeCases } from "./placement.ts";

/** A context and its perturbation before the same reply. */
export interface ReplyPair extends ReplyCase {
  /** h_delta; `context` is h. */
  readonly perturbed: readonly number[];
}

/** A recorded forward pass over a number of rows. */
interface Pass {
  readonly tape: Tape;
  readonly tokens: TokenTensors;
  /** u32 [places]: the place of h that belongs to each place of h_delta; null where only losses are wanted. */
  readonly partners: Tensor | null;
  /** f32 [places]. */
  readonly values: Tensor;
}

/** Scores replies under one policy. */
export class ReplyScorer {
  readonly #parameters: Parameters;
  readonly #length: number;
  readonly #rows: number;
  readonly #rope: Tensor | null;
  readonly #passes = new Map<string, Pass>();

  /** Rows of `length` tokens (default: the policy's context), at most `rows` (default 64) at once. */
  constructor(parameters: Parameters, sizes: { length?: number; rows?: number } = {}) {
    this.#parameters = parameters;
    this.#length = sizes.length ?? parameters.config.context;
    this.#rows = sizes.rows ?? 64;
    this.#rope = parameters.config.positions === "rope"
      ? ropeTable(parameters.gpu, parameters.config)
      : null;
  }

  /**
   * Surrogate hidden losses -log pi(reply | context), nats summed over the reply; one forward pass each.
   * @throws {InputError} when a case is empty or longer than a row.
   */
  async losses(cases: readonly ReplyCase[]): Promise<number[]> {
    const losses: number[] = [];
    for (const { rows, placed } of placeCases(cases, this.#length, this.#rows)) {
      const pass = this.#pass(rows.rows, false);
      pass.tokens.upload(rows);
      pass.tape.run();
      const values = await readFloats(this.#parameters.gpu, pass.values);
      for (const { index, first, count } of placed) {
        losses[index] = surrogateLoss(values.subarray(first, first + count));
      }
    }
    return losses;
  }

  /**
   * KL(pi(. | h) || pi(. | h_delta)) summed over the tokens of a reply, nats: by the chain rule the divergence of Eq. 24 along that
   * reply. With replies drawn from pi(. | h) its mean is the divergence between distributions of whole replies; with one given
   * reply it is the divergence met on that path.
   * @throws {InputError} when a pair is empty or longer than a row.
   */
  async divergences(pairs: readonly ReplyPair[]): Promise<number[]> {
    const cases = pairs.flatMap(({ context, perturbed, reply }) => [
      { context, reply },
      { context: perturbed, reply },
    ]);
    const result: number[] = [];
    for (const { rows, placed } of placeCases(cases, this.#length, this.#rows, 2)) {
      const pass = this.#pass(rows.rows, true);
      const weights = new Float32Array(rows.ids.length);
      const partners = Uint32Array.from(weights, (_, place) => place);
      const originals = new Map(placed.map((one) => [one.index, one]));
      const perturbed = placed.filter(({ index }) => index % 2 === 1);
      for (const { index, first, count } of perturbed) {
        const original = originals.get(index - 1)!.first;
        for (let t = 0; t < count; t++) {
          [weights[first + t], partners[first + t]] = [1, original + t];
        }
      }
      pass.tokens.upload({ ...rows, weights });
      upload(this.#parameters.gpu, pass.partners!, partners);
      pass.tape.run();
      const values = await readFloats(this.#parameters.gpu, pass.values);
      for (const { index, first, count } of perturbed) {
        result[(index - 1) / 2] = values.subarray(first, first + count).reduce((a, b) => a + b, 0);
      }
    }
    return result;
  }

  #pass(rows: number, paired: boolean): Pass {
    const key = `${rows} ${paired}`;
    const known = this.#passes.get(key);
    if (known) return known;
    const parameters = this.#parameters;
    const { gpu, config } = parameters;
    const tokens = new TokenTensors(gpu, config, rows, this.#length);
    const partners = paired ? persistent(gpu, "partners", [rows * this.#length], "u32") : null;
    const tape = new Tape(gpu, paired ? "divergence of replies" : "losses of replies");
    const values = tape.noGrad(() => {
      const hidden = transformer(tape, parameters, tokens, { rope: this.#rope });
      const logits = languageModelHead(tape, parameters, hidden);
      if (!partners) return crossEntropy(tape, logits, tokens.targets, tokens.weights).logProb;
      const original = embedding(tape, { table: hidden, indices: partners }, null);
      const originalLogits = languageModelHead(tape, parameters, original);
      return klDivergence(tape, originalLogits, logits, tokens.weights, "policy_prior");
    });
    const pass = { tape, tokens, partners, values: tape.keep(values) };
    this.#passes.set(key, pass);
    return pass;
  }

  /** Frees everything but the parameters. */
  destroy(): void {
    for (const { tape, tokens, partners } of this.#passes.values()) {
      tape.destroy();
      tokens.destroy();
      partners?.place.buffer?.destroy();
    }
    this.#passes.clear();
    this.#rope?.place.buffer?.destroy();
  }
}
