/**
 * The VC-augmented policy of INFANT Eq. 27, a decoder that any policy can wear:
 *
 *     pi_VC(a | h) = pi_theta(a | h) if M_phi(h, a) is in I, otherwise the projection of a onto A_safe(h)
 *
 * A batch of replies is proposed, judged in one further forward pass, and what is flagged is replaced. Patterns are the last resort:
 * a reply that one of them matches is replaced whatever the world model says. They are never asked to let anything through.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import type { SamplingSettings } from "../../../kernels/sampling/state.ts";
import type { WorldModel } from "../world_model/model.ts";
import { type Action, project } from "./actions.ts";
import { BatchedGenerator } from "./batched_generator.ts";

/** Forbidden patterns (INFANT Eq. 5), as far as a decoder needs to know them. */
export interface PatternFilter {
  /** Whether some pattern matches a reply's text. */
  matches(text: string): boolean;
}

/** What a policy wears. */
export interface CapacitorOptions {
  /** Fixed members of A_safe(h) for every h, in the order in which ties are broken; at least one. The first is the refusal. */
  readonly safeActions: readonly Action[];
  /** Longest reply in tokens. */
  readonly maxNew: number;
  /** Replies made at once; default 128. */
  readonly batch?: number;
  /** Forbidden patterns with the way to read a reply; null: none. */
  readonly patterns?:
    | { readonly filter: PatternFilter; readonly decode: (reply: Action) => string }
    | null;
  /**
   * Further replies drawn from the policy at temperature 1 for each one that is flagged; those that the world model and the patterns
   * accept join A_safe(h). Default 0. The nearest accepted reply to an unsafe one is where the world model is likeliest to err, so
   * epsilon_Pi is then no longer zero by construction, and has to be measured.
   */
  readonly alternatives?: number;
}

/** A reply and how it came about. */
export interface CapacitorReply {
  /** What is said, without the token that ends it. */
  readonly reply: Action;
  /** What the policy proposed, without the token that ends it. */
  readonly proposed: Action;
  /** P(unsafe | h, proposed), in [0, 1]. */
  readonly unsafe: number;
  /** The world model flagged the proposal. */
  readonly flagged: boolean;
  /** A pattern matched the proposal. */
  readonly matched: boolean;
  /** The reply is Pi(proposed). */
  readonly projected: boolean;
  /** d_I(h, proposed): distance to the nearest safe action, in [0, 1]; 0 where nothing was projected. */
  readonly distance: number;
  /** Size of A_safe(h) where something was projected, otherwise 0. */
  readonly candidates: number;
}

/** What the capacitor costs. */
export interface CapacitorCost {
  /** Tokens that the policy proposed, the token that ends a reply included. */
  readonly tokens: number;
  /** Tokens that the world model read. */
  readonly judgedTokens: number;
  /** Tokens drawn for further alternatives. */
  readonly alternativeTokens: number;
  /** Milliseconds of generation without the capacitor. */
  readonly generationMs: number;
  /** Milliseconds added: judging, patterns, alternatives, projection. */
  readonly extraMs: number;
  /** extraMs / tokens; 0 without tokens. */
  readonly extraMsPerToken: number;
}

/** Replies in the order of the prompts, and their cost. */
export interface CapacitorResult {
  /** One for each prompt. */
  readonly replies: readonly CapacitorReply[];
  /** Of the whole call. */
  readonly cost: CapacitorCost;
}

/** Streams of alternatives start here, beyond those of any proposal. */
const ALTERNATIVE_STREAM = 1 << 24;

/** A policy that wears a value capacitor. */
export class CapacitorPolicy {
  readonly #policy: Parameters;
  readonly #worldModel: WorldModel;
  readonly #options: CapacitorOptions;
  readonly #generator: BatchedGenerator;

  /**
   * Neither policy nor world model is changed or owned.
   * @throws {InputError} when no safe action is given, one of them is empty or forbidden by the patterns, or the two models do not share
   * a vocabulary.
   */
  constructor(policy: Parameters, worldModel: WorldModel, options: CapacitorOptions) {
    const [own, judge] = [policy.config.vocabSize, worldModel.config.vocabSize];
    if (own !== judge) {
      throw new InputError(
        `value capacitor: the policy has ${own} tokens, the world model ${judge}: they must share a tokenizer`,
      );
    }
    this.#policy = policy;
    this.#worldModel = worldModel;
    this.#options = options;
    this.#checkSafeActions();
    this.#generator = new BatchedGenerator(policy, options);
  }

  #checkSafeActions(): void {
    const { safeActions } = this.#options;
    if (safeActions.length === 0) {
      throw new InputError("value capacitor: name at least one safe reply, the refusal");
    }
    const empty = safeActions.findIndex((action) => action.length === 0);
    if (empty >= 0) throw new InputError(`value capacitor: safe reply ${empty + 1} is empty`);
    const forbidden = safeActions.findIndex((action) => this.#matches(action));
    if (forbidden >= 0) {
      throw new InputError(
        `value capacitor: safe reply ${
          forbidden + 1
        } is matched by a forbidden pattern: change one of them`,
      );
    }
  }

  #matches(action: Action): boolean {
    const { patterns } = this.#options;
    return patterns ? patterns.filter.matches(patterns.decode(action)) : false;
  }

  /**
   * Replies to prompts of token ids.
   * @param streams Random stream of each prompt, below 2^24; its place where absent.
   * @throws {InputError} when a prompt or setting cannot be right.
   */
  async respond(
    prompts: readonly (readonly number[])[],
    settings: SamplingSettings,
    streams?: readonly number[],
  ): Promise<CapacitorResult> {
    const began = performance.now();
    const raw = await this.#generator.generate(prompts, settings, streams);
    const generated = performance.now();
    const proposals = raw.map(({ ids }) => withoutEnd(ids, settings));
    const scores = await this.#worldModel.score(
      proposals.map((reply, i) => ({ prompt: prompts[i], reply })),
    );
    const judged = proposals.map((proposed, i) => {
      const flagged = this.#worldModel.flags(scores[i]);
      const matched = this.#matches(proposed);
      return { proposed, unsafe: scores[i], flagged, matched, projected: flagged || matched };
    });
    const stopped = judged.flatMap(({ projected }, i) => projected ? [i] : []);
    const { more, tokens: alternativeTokens } = await this.#alternatives(
      stopped,
      prompts,
      settings,
    );
    const replies = judged.map((j, i): CapacitorReply => {
      if (!j.projected) return { ...j, reply: j.proposed, distance: 0, candidates: 0 };
      const safe = [...this.#options.safeActions, ...more.get(i) ?? []];
      const { action, distance } = project(j.proposed, safe);
      return { ...j, reply: action, distance, candidates: safe.length };
    });
    const extraMs = performance.now() - generated;
    const tokens = raw.reduce((n, { ids }) => n + ids.length, 0);
    const judgedTokens = prompts.reduce(
      (n, { length }, i) => n + length + proposals[i].length + 1,
      0,
    );
    return {
      replies,
      cost: {
        tokens,
        judgedTokens,
        alternativeTokens,
        generationMs: generated - began,
        extraMs,
        extraMsPerToken: tokens === 0 ? 0 : extraMs / tokens,
      },
    };
  }

  /** Accepted replies of the policy itself for the prompts that were stopped, by prompt. */
  async #alternatives(
    stopped: readonly number[],
    prompts: readonly (readonly number[])[],
    settings: SamplingSettings,
  ): Promise<{ readonly more: ReadonlyMap<number, Action[]>; readonly tokens: number }> {
    const { alternatives = 0 } = this.#options;
    const more = new Map<number, Action[]>();
    if (alternatives === 0 || stopped.length === 0) return { more, tokens: 0 };
    const asked = stopped.flatMap((i) => Array.from({ length: alternatives }, () => i));
    const contexts = asked.map((i) => prompts[i]);
    const drawn = await this.#generator.generate(
      contexts,
      { ...settings, temperature: 1 },
      asked.map((i, k) => ALTERNATIVE_STREAM + i * alternatives + k % alternatives),
    );
    const actions = drawn.map(({ ids }) => withoutEnd(ids, settings));
    const scores = await this.#worldModel.score(
      actions.map((reply, k) => ({ prompt: contexts[k], reply })),
    );
    actions.forEach((action, k) => {
      if (this.#worldModel.flags(scores[k]) || this.#matches(action)) return;
      more.set(asked[k], [...more.get(asked[k]) ?? [], action]);
    });
    return { more, tokens: drawn.reduce((n, { ids }) => n + ids.length, 0) };
  }

  /** The policy inside. */
  get policy(): Parameters {
    return this.#policy;
  }

  /** What it judges by. */
  get worldModel(): WorldModel {
    return this.#worldModel;
  }

  /** Frees the generator; policy and world model stay. */
  destroy(): void {
    this.#generator.destroy();
  }
}

/** Puts a capacitor on a policy. */
export function wearCapacitor(
  policy: Parameters,
  worldModel: WorldModel,
  options: CapacitorOptions,
): CapacitorPolicy {
  return new CapacitorPolicy(policy, worldModel, options);
}

/** A reply without the token that ended it. */
function withoutEnd(ids: readonly number[], { stopTokens = [] }: SamplingSettings): Action {
  return stopTokens.includes(ids[ids.length - 1]) ? ids.slice(0, -1) : ids;
}
