/**
 * Replies to learn from by the value capacitor's loss (INFANT Eq. 13):
 *
 *     L_VC = E_h E_{a ~ pi_theta(. | h)} [ 1{M_phi(h, a) not in I} d_I(h, a) ]
 *
 * The expectation is over the policy's own actions, so its gradient is the score function's, E[cost grad log pi(a | h)]. From K replies
 * to one context, each reply's baseline is the mean cost of the other K - 1 (Kool, van Hoof & Welling 2019; Mnih & Rezende 2016): it
 * does not depend on the reply itself, so the gradient stays unbiased while what is common to all replies cancels. The loss is blind to
 * unsafe replies that the world model misses; nothing pulls on those.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import type { TokenExample } from "../../data/batch.ts";
import { padBatch } from "../../data/pack/assemble.ts";
import { hash32 } from "../../data/random.ts";
import type { SampledBatch, SampleSource } from "../../objective/term.ts";
import type { WorldModel } from "../world_model/model.ts";
import { type Action, project } from "./actions.ts";
import { BatchedGenerator } from "./batched_generator.ts";

/**
 * cost_i minus the mean of the other costs of the same context. Averaged over the K replies, weight_i grad log pi(a_i | h) is an
 * unbiased estimate of the gradient of E[cost].
 * @throws {InputError} for fewer than two costs: there is nothing to compare with.
 */
export function leaveOneOutAdvantages(costs: readonly number[]): number[] {
  if (costs.length < 2) {
    throw new InputError(
      `leave-one-out baseline: at least 2 replies a context, found ${costs.length}`,
    );
  }
  const sum = costs.reduce((a, b) => a + b);
  return costs.map((cost) => cost - (sum - cost) / (costs.length - 1));
}

/** What a capacitor batch is made of. */
export interface CapacitorLossOptions {
  /** Contexts of each micro-batch: prompts of token ids, never the same for two (step, slot) unless the data are few. */
  readonly contexts: (step: number, slot: number) => readonly (readonly number[])[];
  /** How many contexts that is. */
  readonly contextsPerBatch: number;
  /** Replies to each context, at least 2. */
  readonly repliesPerContext: number;
  /** The fixed safe replies; see `CapacitorOptions.safeActions`. */
  readonly safeActions: readonly Action[];
  /** Longest reply in tokens. */
  readonly maxNew: number;
  /** Tokens of a row of the batch; a context and its reply must fit. */
  readonly length: number;
  /** Seed of sampling. */
  readonly seed: number;
}

/** Samples replies from the live policy and weighs them by what the world model says of them. */
export class CapacitorSource implements SampleSource {
  readonly rows: number;
  readonly #policy: Parameters;
  readonly #worldModel: WorldModel;
  readonly #options: CapacitorLossOptions;
  readonly #generator: BatchedGenerator;

  /**
   * Makes a generator over the policy's parameters, wherever training moves them.
   * @throws {InputError} for fewer than two replies a context, or without a safe action.
   */
  constructor(policy: Parameters, worldModel: WorldModel, options: CapacitorLossOptions) {
    const { contextsPerBatch, repliesPerContext, safeActions, maxNew } = options;
    if (repliesPerContext < 2) {
      throw new InputError(
        `value capacitor: at least 2 replies a context are needed for a baseline, found ${repliesPerContext}`,
      );
    }
    if (safeActions.length === 0) {
      throw new InputError("value capacitor: name at least one safe reply, the refusal");
    }
    this.rows = contextsPerBatch * repliesPerContext;
    this.#policy = policy;
    this.#worldModel = worldModel;
    this.#options = options;
    this.#generator = new BatchedGenerator(policy, { maxNew, batch: Math.min(this.rows, 128) });
  }

  /** Micro-batch `slot` of a step: K replies to each context, drawn from pi_theta as it stands (temperature 1, nothing cut off). */
  async batch(step: number, slot: number): Promise<SampledBatch> {
    const { contexts, contextsPerBatch, repliesPerContext, length, seed } = this.#options;
    const asked = contexts(step, slot);
    if (asked.length !== contextsPerBatch) {
      throw new InputError(
        `value capacitor: expected ${contextsPerBatch} contexts for step ${step}, found ${asked.length}`,
      );
    }
    const { padTokenId, eosTokenId } = this.#policy.config;
    const prompts = asked.flatMap((prompt) =>
      Array.from({ length: repliesPerContext }, () => prompt)
    );
    const replies = await this.#generator.generate(prompts, {
      temperature: 1,
      seed: hash32(seed, "capacitor loss", step, slot),
      padToken: padTokenId ?? eosTokenId ?? 0,
      stopTokens: eosTokenId === null ? [] : [eosTokenId],
    });
    const actions = replies.map(({ ids }) =>
      ids[ids.length - 1] === eosTokenId ? ids.slice(0, -1) : ids
    );
    const scores = await this.#worldModel.score(
      actions.map((reply, i) => ({ prompt: prompts[i], reply })),
    );
    const flagged = scores.map((score) => this.#worldModel.flags(score));
    const costs = actions.map((action, i) =>
      flagged[i] ? project(action, this.#options.safeActions).distance : 0
    );
    const advantages = asked.flatMap((_, c) =>
      leaveOneOutAdvantages(costs.slice(c * repliesPerContext, (c + 1) * repliesPerContext))
    );
    const examples = replies.map(({ ids }, i): TokenExample => ({
      ids: [...prompts[i], ...ids],
      weights: [...prompts[i].map(() => 0), ...ids.map(() => advantages[i])],
    }));
    return {
      tokens: padBatch(examples, length, padTokenId ?? 0),
      replies: replies.length,
      cost: costs.reduce((a, b) => a + b, 0),
      unsafe: flagged.filter(Boolean).length,
    };
  }

  /** Frees the generator. */
  destroy(): void {
    this.#generator.destroy();
  }
}
