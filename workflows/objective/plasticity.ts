/**
 * L_pl (INFANT Eq. 14): what mattered for the values learned so far is held near where it was.
 *
 * Several earlier stages are held separately, as a sum of penalties (Kirkpatrick et al., arXiv:1612.00796), or by one running penalty around
 * the last of them with a decaying sum of importances (online EWC: Schwarz et al., arXiv:1805.06370). An importance is a Fisher
 * diagonal, per sequence, or synaptic intelligence's (see `kernels/fisher/synaptic.ts`); kappa belongs to its scale.
 */
import { InputError } from "../../kernels/errors.ts";
import { ewcPenalty } from "../../kernels/fisher/fisher.ts";
import type { Tape } from "../../kernels/gpu/tape.ts";
import { persistent, Tensor, upload } from "../../kernels/gpu/tensor.ts";
import type { Term, UpdateContext } from "./term.ts";

/** Where parameters were at the end of a stage, and how much each mattered; by internal name. */
export interface Anchor {
  /** theta*. */
  readonly theta: ReadonlyMap<string, Float32Array>;
  /** F, at least 0. */
  readonly importance: ReadonlyMap<string, Float32Array>;
}

/**
 * The anchors of stages in order as one: around the last, with importance sum_i decay^(n - i) F_i.
 * @throws {InputError} when there is none, or decay is outside [0, 1].
 */
export function onlineAnchor(anchors: readonly Anchor[], decay: number): Anchor {
  if (!(decay >= 0 && decay <= 1)) {
    throw new InputError(`plasticity: decay must be in [0, 1], found ${decay}`);
  }
  const last = anchors.at(-1);
  if (!last) throw new InputError("plasticity: there is no earlier stage with an importance");
  const importance = new Map<string, Float32Array>();
  for (const name of last.importance.keys()) {
    const sum = new Float64Array(last.importance.get(name)!.length);
    for (const { importance: earlier } of anchors) {
      const values = earlier.get(name);
      for (let i = 0; i < sum.length; i++) sum[i] = decay * sum[i] + (values?.[i] ?? 0);
    }
    importance.set(name, Float32Array.from(sum));
  }
  return { theta: last.theta, importance };
}

/** What the term is made of. */
export interface PlasticityOptions {
  /** Weight of the term in Eq. 6. */
  readonly weight: number;
  /** Strength of each penalty, at least 0; its scale is that of the importances. */
  readonly kappa: number;
  /** One penalty each. */
  readonly anchors: readonly Anchor[];
}

/** The plasticity regulariser as a term; it learns from no data and is recorded once a step. */
export class PlasticityTerm implements Term {
  /** Which term. */
  readonly name = "plasticity";
  /** In Eq. 6. */
  readonly weight: number;
  /** It has no data. */
  readonly rows = 0;
  /** The sum of the penalties. */
  readonly metrics: readonly string[] = ["loss"];
  readonly #options: PlasticityOptions;
  readonly #owned: Tensor[] = [];

  /** @throws {InputError} when there is nothing to hold on to. */
  constructor(options: PlasticityOptions) {
    if (options.anchors.length === 0) {
      throw new InputError("plasticity: there is no earlier stage with an importance");
    }
    this.#options = options;
    this.weight = options.weight;
  }

  /** Records a penalty and its gradient for each anchor. */
  recordOnce(tape: Tape, { parameters, metrics, index, knobs }: UpdateContext): void {
    const { gpu, trainableEnd, theta: { place } } = parameters;
    const theta = new Tensor("trained theta", [trainableEnd], "f32", place);
    theta.grad = parameters.gradients;
    const arena = (name: string, tensors: ReadonlyMap<string, Float32Array>): Tensor => {
      const tensor = persistent(gpu, name, [trainableEnd]);
      upload(gpu, tensor, parameters.join(tensors, trainableEnd));
      this.#owned.push(tensor);
      return tensor;
    };
    for (const anchor of this.#options.anchors) {
      ewcPenalty(
        tape,
        theta,
        arena("anchor", anchor.theta),
        arena("importance", anchor.importance),
        this.weight * this.#options.kappa,
        metrics,
        index,
        { knobs, accumulate: true },
      );
    }
  }

  /** Frees the anchors. */
  destroy(): void {
    for (const tensor of this.#owned) tensor.place.buffer?.destroy();
  }
}
