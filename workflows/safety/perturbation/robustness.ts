/**
 * How robust a policy is, measured instead of inferred.
 *
 * Corollary 4.8 claims that the divergence between pi(. | h) and pi(. | h_delta) is at most epsilon at equilibrium for every
 * perturbation. It does not follow: a small Nash gap says nothing of the game's value, and the divergence is only half of Eq. 9. So the
 * worst divergence over C(h) is measured directly, and beside it the exploitability: what the best perturbation found at a fixed budget
 * adds to the hidden loss. Both are exact for contexts whose ball fits the budget and lower bounds for the others; no rate of
 * convergence is claimed.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import { Random } from "../../data/random.ts";
import { FirstOrder } from "./first_order.ts";
import type { PerturbableCase } from "./nursery.ts";
import { ReplyScorer } from "./reply_scorer.ts";
import { type Worst, worstPerturbation } from "./worst.ts";

/** A quantity over contexts. */
export interface Spread {
  /** Mean over contexts. */
  readonly mean: number;
  /** Largest of any context. */
  readonly max: number;
  /** Of each context, in their order: to compare policies in pairs. */
  readonly values: readonly number[];
}

/** What was measured; losses and divergences in nats, summed over the tokens of a reply. */
export interface RobustnessReport {
  /** Contexts measured. */
  readonly contexts: number;
  /** Contexts whose maxima over edits are exact; for the others they are lower bounds. */
  readonly exact: number;
  /** Hidden loss of the contexts as they are. */
  readonly clean: Spread;
  /** Hidden loss under the worst edits found. */
  readonly edits: Spread;
  /** Hidden loss under the worst rewrite drawn; null where cases have none. */
  readonly rewrites: Spread | null;
  /** Exploitability: gain of the worst perturbation found, of either kind, over the context as it is; at least 0. */
  readonly exploitability: Spread;
  /** KL(pi(. | h) || pi(. | h_delta)) along the case's reply under the worst edits found (Eq. 24, measured). */
  readonly divergence: Spread;
  /** Forward passes spent; a backward pass counts as two. */
  readonly evaluations: number;
  /** The worst perturbation of each context, to generate and judge replies for. */
  readonly worst: readonly (readonly number[])[];
}

/** How much is spent. */
export interface RobustnessOptions {
  /** Forward passes for each context and each of the two maxima over edits. */
  readonly evaluations: number;
  /** Draws of each rewrite; default 1. */
  readonly draws?: number;
  /** Rows of `length` tokens; default the policy's context. */
  readonly length?: number;
  /** Seed of the searches. */
  readonly seed: number;
}

/** One context's results. */
interface Measured {
  readonly edits: Worst<number>;
  readonly divergence: Worst<number>;
  readonly rewrite: { readonly perturbation: readonly number[]; readonly loss: number } | null;
  readonly draws: number;
}

/**
 * Measures a policy on cases. To compare policies, use the same cases, budget and seed. A case's `reply` is the path along which
 * divergences are summed: the right reply, or the policy's own.
 * @throws {InputError} when there is no case, or the budget is too small to search with.
 */
export async function measureRobustness(
  parameters: Parameters,
  cases: readonly PerturbableCase[],
  options: RobustnessOptions,
): Promise<RobustnessReport> {
  if (cases.length === 0) throw new InputError("robustness: there is no context to perturb");
  const length = options.length ?? parameters.config.context;
  const scorer = new ReplyScorer(parameters, { length });
  const firstOrder = new FirstOrder(parameters, { length });
  const measured: Measured[] = [];
  try {
    for (const [i, one] of cases.entries()) {
      const random = new Random(options.seed, "robustness", i);
      measured.push(await measure(one, scorer, firstOrder, random, { ...options, length }));
    }
  } finally {
    scorer.destroy();
    firstOrder.destroy();
  }
  return summary(measured);
}

async function measure(
  { context, reply, space, rewrites = [] }: PerturbableCase,
  scorer: ReplyScorer,
  firstOrder: FirstOrder,
  random: Random,
  { evaluations, draws = 1, length }: RobustnessOptions & { length: number },
): Promise<Measured> {
  // What does not fit a row cannot be asked.
  const room = length - context.length - reply.length;
  const fitting = { ...space, budget: Math.min(space.budget, room) };
  const lossOf = (words: readonly (readonly number[])[]) =>
    scorer.losses(words.map((word) => ({ context: word, reply })));
  const guide = firstOrder.guide(reply);
  const edits = await worstPerturbation(fitting, lossOf, { evaluations, random, guide });
  const divergence = await worstPerturbation(
    fitting,
    (words) => scorer.divergences(words.map((perturbed) => ({ context, perturbed, reply }))),
    { evaluations, random },
  );
  const drawn = rewrites
    .flatMap((rewrite) => Array.from({ length: draws }, () => rewrite(random)))
    .filter((word) => word.length + reply.length <= length);
  const losses = await lossOf(drawn);
  const top = losses.indexOf(Math.max(...losses));
  const rewrite = drawn.length > 0 ? { perturbation: drawn[top], loss: losses[top] } : null;
  return { edits, divergence, rewrite, draws: drawn.length };
}

function summary(measured: readonly Measured[]): RobustnessReport {
  const spread = (of: (one: Measured) => number): Spread => {
    const values = measured.map(of);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { mean, max: Math.max(...values), values };
  };
  const worst = ({ edits, rewrite }: Measured) =>
    rewrite && rewrite.loss > edits.loss ? rewrite : edits;
  return {
    contexts: measured.length,
    exact: measured.filter(({ edits, divergence }) => edits.exact && divergence.exact).length,
    clean: spread(({ edits }) => edits.clean),
    edits: spread(({ edits }) => edits.loss),
    rewrites: measured.every(({ rewrite }) => rewrite)
      ? spread(({ rewrite }) => rewrite!.loss)
      : null,
    exploitability: spread((one) => worst(one).loss - one.edits.clean),
    divergence: spread(({ divergence }) => divergence.loss),
    evaluations: measured.reduce(
      (sum, { edits, divergence, draws }) =>
        sum + edits.evaluations + 2 * divergence.evaluations + draws,
      0,
    ),
    worst: measured.map((one) => worst(one).perturbation),
  };
}
