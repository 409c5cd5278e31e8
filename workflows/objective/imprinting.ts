/**
 * L_VI (INFANT Eq. 7): cross-entropy of demonstrated replies, plus rho KL(policy || prior), both means per token of weight 1.
 *
 * The KL stands inside the expectation over contexts (in print it stands outside, although it depends on h): it is averaged over its
 * own contexts, which may be fewer than those that are learned.
 */
import { InputError } from "../../kernels/errors.ts";
import type { Tape } from "../../kernels/gpu/tape.ts";
import { Tensor } from "../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../kernels/losses/cross_entropy.ts";
import { klDivergence } from "../../kernels/losses/kl_divergence.ts";
import type { TokenTensors } from "../../kernels/policy/batch.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import {
  languageModelHead,
  type PolicyInput,
  transformer,
} from "../../kernels/policy/transformer.ts";
import { sumInto } from "../../kernels/reduce/sum.ts";
import type { Term, TermContext } from "./term.ts";

/** What is imprinted, and what it is held to. */
export interface ImprintingOptions {
  /** Weight of the term in Eq. 6. */
  readonly weight: number;
  /** Demonstrations' rows in each micro-batch. */
  readonly rows: number;
  /** Weight of the KL divergence from the prior within the term. */
  readonly rho: number;
  /** The frozen prior; needed when rho > 0. */
  readonly prior: Parameters | null;
}

/** Imprinting as a term. Its rows come first in the joint micro-batch and use the batch's own `weights` and `klWeights`. */
export class ValueImprinting implements Term {
  /** Which term. */
  readonly name = "value_imprinting";
  /** In Eq. 6. */
  readonly weight: number;
  /** Demonstrations' rows. */
  readonly rows: number;
  /** `correct` counts tokens, so no factor is in it. */
  readonly metrics: readonly string[] = ["cross_entropy", "kl", "correct"];
  readonly #rho: number;
  readonly #prior: Parameters | null;

  /** @throws {InputError} when rho > 0 and there is no prior. */
  constructor({ weight, rows, rho, prior }: ImprintingOptions) {
    if (rho > 0 && !prior) throw new InputError("value imprinting with rho > 0 needs a prior");
    this.weight = weight;
    this.rows = rows;
    this.#rho = rho;
    this.#prior = prior;
  }

  /** Records both parts on the shared logits, or on some tokens of them. */
  record(tape: Tape, context: TermContext): void {
    const { tokens, logits, part, metrics, index, gradient } = context;
    const [targets, weights] = [part(tokens.targets), part(tokens.weights)];
    const { value, correct } = crossEntropy(tape, logits, targets, weights, gradient);
    sumInto(tape, value, metrics, index, { accumulate: true });
    sumInto(tape, correct, metrics, index + 2, { accumulate: true });
    const rho = this.#rho;
    if (!(rho > 0)) return;
    const klWeights = part(tokens.klWeights);
    const before = tape.noGrad(() => this.#priorLogits(tape, context));
    const kl = klDivergence(tape, logits, before, klWeights, "policy_prior", rho, gradient);
    sumInto(tape, kl, metrics, index + 1, { accumulate: true, scale: 1 / rho });
  }

  #priorLogits(tape: Tape, { tokens, part, once, rope }: TermContext): Tensor {
    const prior = this.#prior!;
    const own = firstRows(tokens, this.rows);
    const hidden = once(() => transformer(tape, prior, own, { rope }));
    return languageModelHead(tape, prior, part(hidden));
  }
}

/** The first rows of a batch as a batch; nothing is copied. */
function firstRows(tokens: TokenTensors, rows: number): PolicyInput {
  if (rows === tokens.rows) return tokens;
  const first = ({ name, dtype, place, offset }: Tensor) =>
    new Tensor(name, [rows * tokens.length], dtype, place, offset);
  const [ids, positions, starts] = [tokens.ids, tokens.positions, tokens.starts].map(first);
  return { rows, length: tokens.length, ids, positions, starts };
}
