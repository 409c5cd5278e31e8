/**
 * The inner maximum of INFANT Eq. 11, max over C(h) of the hidden loss: exact where C(h) can be enumerated, otherwise the worst
 * that a search met.
 *
 * A search gives a lower bound and says so: the true maximum is at least this bad. It spends a budget counted in forward passes.
 * Each round changes the worst sequence so far by one allowed edit, so that no proposal can leave C(h). Which edits are tried
 * first is decided by a guide: first-order scores of the loss (HotFlip, Ebrahimi et al. 2018; GCG, Zou et al. 2023), or chance.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Random } from "../../data/random.ts";
import { EditBall } from "./ball.ts";
import {
  allowedEdits,
  applyEdit,
  type Edit,
  type EditSpace,
  type WholeEditSpace,
  wholeSpace,
} from "./edit_space.ts";

/** Hidden losses of several sequences, in their order; each costs one forward pass. */
export type BatchLoss<T> = (
  words: readonly (readonly T[])[],
) => readonly number[] | Promise<readonly number[]>;

/** The worst perturbation that is known. */
export interface Worst<T> {
  /** h_delta; the sequence itself where no edit is worse. */
  readonly perturbation: readonly T[];
  /** Its hidden loss. */
  readonly loss: number;
  /** Hidden loss of the sequence itself. */
  readonly clean: number;
  /** True: the maximum over all of C(h). False: a lower bound of it. */
  readonly exact: boolean;
  /** Forward passes spent; a backward pass counts as two. */
  readonly evaluations: number;
}

/** An edit with what a guide expects it to add to the loss. */
export interface Guess<T> {
  /** One allowed edit. */
  readonly edit: Edit<T>;
  /** Predicted gain. */
  readonly gain: number;
}

/** Predicts the gain of every allowed edit. */
export interface Guide<T> {
  /** Forward passes that a prediction takes; a backward pass counts as two. */
  cost(space: WholeEditSpace<T>): number;
  /** Guesses in any order. */
  predict(space: WholeEditSpace<T>): Promise<readonly Guess<T>[]> | readonly Guess<T>[];
}

/** A guide is asked only where it costs at most this share of a round's forward passes. */
const MOST_GUIDANCE = 0.5;

/** Sequences given to the loss at once. */
const BATCH = 256;

/** The maximum over a whole ball, and all members that reach it in the ball's order. */
export interface ExactMaximum<T> extends Worst<T> {
  /** Every maximiser; `perturbation` is the first. With more than one, Danskin's gradient (Eq. 62) is not unique. */
  readonly maximisers: readonly (readonly T[])[];
}

/**
 * Evaluates every member of a ball; of equal ones the first in the ball's order is the perturbation.
 * @param limit most members to evaluate.
 * @throws {InputError} when the ball has more members than `limit`, or a loss is not a number.
 */
export async function exactMaximum<T>(
  ball: EditBall<T>,
  loss: BatchLoss<T>,
  limit = 100_000,
): Promise<ExactMaximum<T>> {
  if (ball.size > BigInt(limit)) {
    throw new InputError(
      `exact maximum: the ball has ${ball.size} members, at most ${limit} are evaluated: ` +
        `lower k_max, use a smaller alphabet, or search instead`,
    );
  }
  let best = -Infinity;
  let maximisers: T[][] = [];
  let [clean] = await lossesOf(loss, [ball.space.word]);
  let evaluations = 1;
  for (const batch of batchesOf(ball, BATCH)) {
    const losses = await lossesOf(loss, batch);
    evaluations += batch.length;
    batch.forEach((member, i) => {
      if (losses[i] > best) [best, maximisers] = [losses[i], []];
      if (losses[i] === best) maximisers.push(member);
    });
  }
  clean = Math.min(clean, best); // a batched loss may differ in its last bit
  return { perturbation: maximisers[0], maximisers, loss: best, clean, exact: true, evaluations };
}

/** The items in order, `size` at a time. */
function* batchesOf<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    if (batch.push(item) < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** How a search goes about it. */
export interface SearchOptions<T> {
  /** Forward passes to spend, at least 2. */
  readonly evaluations: number;
  /** Decides which edits come first where there is no guide, and between edits of equal promise. */
  readonly random: Random;
  /** Predicts gains; absent: edits are tried in random order. */
  readonly guide?: Guide<T>;
}

/**
 * Greedy search over at most k_max rounds of one edit each. It goes on from a round's worst edit even where that is better than
 * the sequence before it, since two edits may do what neither does alone; the worst of all sequences met is returned.
 * @throws {InputError} when the budget is too small or a loss is not a number.
 */
export async function searchMaximum<T>(
  space: EditSpace<T>,
  loss: BatchLoss<T>,
  { evaluations: most, random, guide }: SearchOptions<T>,
): Promise<Worst<T>> {
  if (!(most >= 2)) {
    throw new InputError(`search: needs at least 2 evaluations, found ${most}: raise the budget`);
  }
  let current = wholeSpace(space);
  const [clean] = await lossesOf(loss, [current.word]);
  let worst = { perturbation: current.word, loss: clean };
  let spent = 1;
  for (let round = current.budget; round > 0 && spent < most; round--) {
    const share = Math.ceil((most - spent) / round);
    const cost = guide?.cost(current) ?? Infinity;
    const guided = cost <= MOST_GUIDANCE * share;
    const edits = guided
      ? interleaved(await guide!.predict(current), random)
      : shuffled(allowedEdits(current), random);
    if (guided) spent += cost;
    const tries = edits.slice(0, guided ? share - cost : share);
    if (tries.length === 0) break;
    const next = tries.map((edit) => applyEdit(current, edit));
    const losses = await lossesOf(loss, next.map(({ word }) => word));
    spent += tries.length;
    const top = losses.indexOf(Math.max(...losses));
    current = next[top];
    if (losses[top] > worst.loss) worst = { perturbation: current.word, loss: losses[top] };
  }
  return { ...worst, clean, exact: false, evaluations: spent };
}

/** The kinds of edit in turn, each the most promising first: a first-order guess is worth more for some kinds than for others. */
function interleaved<T>(guesses: readonly Guess<T>[], random: Random): Edit<T>[] {
  const byKind = Map.groupBy(shuffled(guesses, random), ({ edit }) => edit.kind);
  const lists = [...byKind.values()].map((list) => list.sort((a, b) => b.gain - a.gain));
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? []))
    .flat().map(({ edit }) => edit);
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return random.sample(items, items.length);
}

/** Exact where the ball fits the budget of forward passes, otherwise a search with that budget. */
export async function worstPerturbation<T>(
  space: EditSpace<T>,
  loss: BatchLoss<T>,
  options: SearchOptions<T>,
): Promise<Worst<T>> {
  const ball = new EditBall(space);
  if (ball.size < BigInt(options.evaluations)) {
    return await exactMaximum(ball, loss, options.evaluations);
  }
  return await searchMaximum(space, loss, options);
}

async function lossesOf<T>(
  loss: BatchLoss<T>,
  words: readonly (readonly T[])[],
): Promise<readonly number[]> {
  const losses = await loss(words);
  const bad = losses.findIndex(Number.isNaN);
  if (losses.length !== words.length || bad >= 0) {
    const what = bad >= 0 ? `a loss that is not a number for sequence ${bad}` : "too few losses";
    throw new InputError(`hidden loss: ${what}, of ${words.length} sequences: check the policy`);
  }
  return losses;
}
