/**
 * How an adversary proposes perturbations: a walk along the context that can never leave C(h).
 *
 * From left to right, each item is kept, dropped, replaced, or followed by an inserted one; once k_max edits are spent, everything
 * else is kept. So d_edit(h, h_delta) <= k_max holds for every proposal whatever the network says. Before the walk one choice is
 * made: to edit, or to ask in the manner of one of the given rewrites (for example a family of attacks), which are a second, finite
 * set of perturbations outside the edit ball.
 *
 * A blind adversary has a fixed distribution over these choices, about k_max edits a context; the network's scores are added to its
 * log-probabilities, so a network that knows nothing is the blind adversary.
 */
import type { Random } from "../../data/random.ts";
import type { EditSpace, WholeEditSpace } from "./edit_space.ts";
import { wholeSpace } from "./edit_space.ts";

/** Something that can be perturbed. */
export interface Perturbable {
  /** The context's tokens and the edits allowed on them. */
  readonly space: EditSpace<number>;
  /** Rewrites of the whole context, always of the same kinds in the same order; absent or empty: edits only. */
  readonly rewrites?: readonly ((random: Random) => readonly number[])[];
}

/** A choice that was made, with the probabilities it was made from. */
export interface Decision {
  /** Row of scores: the item's index, or for the choice between edits and rewrites the number of items. */
  readonly row: number;
  /** Probability of each choice; 0 for those that are not allowed. */
  readonly probabilities: Float64Array;
  /** The same under the blind adversary. */
  readonly blind: Float64Array;
  /** Index of the choice. */
  readonly chosen: number;
}

/** A perturbation, and how it came about. */
export interface Proposal {
  /** h_delta. */
  readonly perturbation: readonly number[];
  /** Number of the rewrite, or null for edits. */
  readonly rewrite: number | null;
  /** The choices, for the score function. */
  readonly decisions: readonly Decision[];
}

/** Choices at an item: keep, drop, replace by each letter of the alphabet, put each letter behind. */
export function editChoices(alphabet: number): number {
  return 2 + 2 * alphabet;
}

/** Share of a walk's items at which the blind adversary edits at most. */
const MOST_EDITED = 0.5;

/** Proposes perturbations of one context; made once, sampled often. */
export class Proposer {
  readonly #space: WholeEditSpace<number>;
  readonly #rewrites: NonNullable<Perturbable["rewrites"]>;
  /** Distribution over choices by item, then over editing and rewrites; null where there is no choice. */
  readonly #rows: readonly ({ p: Float64Array; blind: Float64Array } | null)[];

  /**
   * `scores(row)` are the network's scores of the choices of a row (see {@linkcode Decision}); null: the blind adversary.
   * @throws {InputError} when the space is not well formed.
   */
  constructor(target: Perturbable, scores: ((row: number) => ArrayLike<number>) | null) {
    this.#space = wholeSpace(target.space);
    this.#rewrites = target.rewrites ?? [];
    const rows = [...this.#editRows(), this.#rewriteRow()];
    this.#rows = rows.map((blind, row) =>
      blind && { blind, p: scores ? tilt(blind, scores(row)) : blind }
    );
  }

  /** The blind adversary at each item. */
  #editRows(): (Float64Array | null)[] {
    const { word, alphabet, budget, editable, open } = this.#space;
    const choices = word.map((own, i) => {
      const allowed = new Float64Array(editChoices(alphabet.length));
      if (editable[i]) allowed[1] = 1;
      alphabet.forEach((item, a) => {
        if (editable[i] && item !== own) allowed[2 + a] = 1;
        if (open[i + 1]) allowed[2 + alphabet.length + a] = 1;
      });
      return allowed;
    });
    const counts = choices.map((allowed) => allowed.reduce((sum, one) => sum + one, 0));
    const edited = Math.min(MOST_EDITED, budget / Math.max(1, counts.filter((n) => n > 0).length));
    return choices.map((allowed, i) => {
      if (counts[i] === 0 || budget === 0) return null;
      const blind = allowed.map((one) => one * edited / counts[i]);
      blind[0] = 1 - edited;
      return blind;
    });
  }

  #rewriteRow(): Float64Array | null {
    const choices = 1 + this.#rewrites.length;
    return choices > 1 ? new Float64Array(choices).fill(1 / choices) : null;
  }

  /** A random perturbation; within the budget unless it is a rewrite. */
  sample(random: Random): Proposal {
    const { word } = this.#space;
    const decisions: Decision[] = [];
    const choose = (row: number): number => {
      const known = this.#rows[row];
      if (!known) return 0;
      const chosen = draw(known.p, random);
      decisions.push({ row, probabilities: known.p, blind: known.blind, chosen });
      return chosen;
    };
    const rewrite = choose(word.length) - 1;
    if (rewrite >= 0) {
      return { perturbation: this.#rewrites[rewrite](random), rewrite, decisions };
    }
    return { perturbation: this.#walk(choose), rewrite: null, decisions };
  }

  #walk(choose: (row: number) => number): number[] {
    const { word, alphabet, budget } = this.#space;
    const edited: number[] = [];
    let left = budget;
    word.forEach((item, i) => {
      const choice = left > 0 ? choose(i) : 0;
      if (choice > 0) left--;
      const inserted = choice - 2 - alphabet.length;
      if (choice === 0 || inserted >= 0) edited.push(item);
      else if (choice > 1) edited.push(alphabet[choice - 2]);
      if (inserted >= 0) edited.push(alphabet[inserted]);
    });
    return edited;
  }
}

/** p(a) proportional to blind(a) exp(score(a)). */
function tilt(blind: Float64Array, scores: ArrayLike<number>): Float64Array {
  let most = -Infinity;
  blind.forEach((p, a) => most = p > 0 ? Math.max(most, scores[a]) : most);
  const weights = blind.map((p, a) => p > 0 ? p * Math.exp(scores[a] - most) : 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

function draw(probabilities: Float64Array, random: Random): number {
  let rest = random.unit();
  let last = 0;
  for (let a = 0; a < probabilities.length; a++) {
    if (probabilities[a] <= 0) continue;
    last = a;
    rest -= probabilities[a];
    if (rest < 0) break;
  }
  return last;
}

/**
 * d/d scores of -(advantage) log p(choices) + pull KL(p || blind) at the visited rows, added to `gradient(row)`.
 * The first part is REINFORCE (Williams 1992); the second keeps the adversary looking elsewhere too.
 */
export function addScoreGradient(
  { decisions }: Proposal,
  advantage: number,
  pull: number,
  gradient: (row: number) => Float32Array,
): void {
  for (const { row, probabilities, blind, chosen } of decisions) {
    const into = gradient(row);
    const logRatio = probabilities.map((p, a) => p > 0 ? Math.log(p / blind[a]) : 0);
    const kl = probabilities.reduce((sum, p, a) => sum + p * logRatio[a], 0);
    probabilities.forEach((p, a) => {
      into[a] += advantage * (p - Number(a === chosen)) + pull * p * (logRatio[a] - kl);
    });
  }
}

/** Rewards less the mean of the others' (leave one out): unbiased, and free of what all samples of a context share. */
export function leaveOneOut(rewards: readonly number[]): number[] {
  const sum = rewards.reduce((a, b) => a + b, 0);
  const others = rewards.length - 1;
  return rewards.map((reward) => others === 0 ? 0 : reward - (sum - reward) / others);
}
