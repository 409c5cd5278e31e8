/**
 * The world model M_phi of INFANT Definition 3.6: P(unsafe | h, a) for a reply a to a context h.
 *
 * It is a transformer of the policy's own kind with two classes read at the last token of the reply, the only one that has seen all
 * of it; softmax over two classes is the logistic function of their difference, so its cross-entropy is the binary one. A policy's
 * weights are a good beginning: what tells a recipe can be asked what a recipe is.
 *
 * M_phi(h, a) is in I (Eq. 25, 27) when P(unsafe) is at most the threshold. What cannot be judged counts as unsafe: a reply that does
 * not fit the context, or a score that is not a number.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import type { PolicyConfig, PolicyWeights } from "../../../kernels/policy/config.ts";
import { type HeadTensor, readHeads, scoreHeadSpecs } from "../../../kernels/policy/heads.ts";
import { normalValues } from "../../../kernels/policy/init.ts";
import { Parameters } from "../../../kernels/policy/parameters.ts";
import { Scorer } from "./scorer.ts";

/** Class 0 is safe, class 1 unsafe. */
export const CLASSES = 2;

/** The head's name in model files. */
const HEAD = "score.weight";

/** Standard deviation of a new head; small, so that training begins near P(unsafe) = 1/2. */
const HEAD_STD = 0.02;

/** A world model on the host. */
export interface WorldModelWeights {
  /** The body; it needs no output head, so its embedding counts as tied. */
  readonly body: PolicyWeights;
  /** [2, width]: logits of safe and unsafe from the last hidden state. */
  readonly head: HeadTensor;
}

/** A context and a reply to it, in token ids; the reply may or may not end in the end-of-text token. */
export interface Judgeable {
  /** h: the prompt, up to where the reply begins. */
  readonly prompt: readonly number[];
  /** a: the reply. */
  readonly reply: readonly number[];
}

/** A body without output head: `head.weight` has no part in judging. */
export function bodyOf({ config, tensors }: PolicyWeights): PolicyWeights {
  const own = [...tensors].filter(([name]) => name !== "head.weight");
  return { config: { ...config, tiedHead: true }, tensors: new Map(own) };
}

/** A world model to be trained: a policy's body under a new head. */
export function untrainedWorldModel(policy: PolicyWeights, seed: number): WorldModelWeights {
  const { width } = policy.config;
  const data = normalValues(CLASSES * width, HEAD_STD, seed, 0);
  return { body: bodyOf(policy), head: { shape: [CLASSES, width], data } };
}

/**
 * Parameters of a world model on the GPU.
 * @throws {InputError} when the head is not [2, width].
 */
export function worldModelParameters(
  gpu: Gpu,
  { body, head }: WorldModelWeights,
  trainable: boolean,
): Parameters {
  const { width } = body.config;
  if (head.shape[0] !== CLASSES || head.shape[1] !== width) {
    throw new InputError(`world model: ${HEAD} must be [2, ${width}], found [${head.shape}]`);
  }
  const extra = scoreHeadSpecs(body.config, CLASSES);
  const parameters = new Parameters(gpu, body.config, { extra, trainable });
  parameters.load(body.tensors);
  parameters.load(new Map([[HEAD, head.data]]));
  return parameters;
}

/** Reads a world model back. */
export async function worldModelWeights(parameters: Parameters): Promise<WorldModelWeights> {
  const heads = await readHeads(parameters, scoreHeadSpecs(parameters.config, CLASSES));
  return { body: await parameters.weights(), head: heads.get(HEAD)! };
}

/**
 * What the world model reads of a context and a reply: both, and the end-of-text token. Where that is too long, the prompt loses
 * its oldest tokens after the first; null when the reply alone is too long to be read whole.
 */
export function readable({ prompt, reply }: Judgeable, config: PolicyConfig): number[] | null {
  const { context, eosTokenId: eos } = config;
  const ended = eos === null || reply[reply.length - 1] === eos ? reply : [...reply, eos];
  const room = context - ended.length;
  if (room < 1) return null;
  if (prompt.length <= room) return [...prompt, ...ended];
  return [prompt[0], ...prompt.slice(prompt.length - room + 1), ...ended];
}

/** M_phi with its threshold, ready to judge. */
export class WorldModel {
  /** The architecture of its body. */
  readonly config: PolicyConfig;
  /** Replies that score above this are flagged. */
  readonly threshold: number;
  readonly #parameters: Parameters;
  readonly #scorer: Scorer;

  /** @throws {InputError} when the threshold is no number, or the head does not fit. */
  constructor(gpu: Gpu, weights: WorldModelWeights, threshold: number) {
    if (Number.isNaN(threshold)) throw new InputError("world model: the threshold is not a number");
    this.config = weights.body.config;
    this.threshold = threshold;
    this.#parameters = worldModelParameters(gpu, weights, false);
    this.#scorer = new Scorer(this.#parameters);
  }

  /**
   * P(unsafe | h, a) of each, in [0, 1]; 1 where the reply is too long to be read. One read-back. A score depends on its own context
   * and reply alone, to the last bit.
   */
  async score(pairs: readonly Judgeable[]): Promise<number[]> {
    const texts = pairs.map((pair) => readable(pair, this.config));
    const read = texts.filter((text) => text !== null);
    const scores = await this.#scorer.score(read);
    let next = 0;
    return texts.map((text) => text === null ? 1 : scores[next++]);
  }

  /** Whether a score says M_phi(h, a) is outside I. */
  flags(score: number): boolean {
    return !(score <= this.threshold); // so that NaN is flagged
  }

  /** Kernel launches of judging one batch. */
  get dispatches(): number {
    return this.#scorer.dispatches;
  }

  /** Frees everything. */
  destroy(): void {
    this.#scorer.destroy();
    this.#parameters.destroy();
  }
}
