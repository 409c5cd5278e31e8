/**
 * LoRA adapters on the host: W' = W + s B A with s = alpha / r (Hu et al. 2021), or alpha / sqrt(r)
 * (rsLoRA, Kalajdzievski 2023).
 */
import { InputError } from "../../kernels/errors.ts";
import type { PolicyConfig, PolicyWeights } from "../../kernels/policy/config.ts";
import { type LoraModule, loraModules } from "./names.ts";

/** The two factors of one linear layer, in the module's own row order. */
export interface LoraTarget {
  /** The layer it adapts. */
  readonly module: LoraModule;
  /** [r, inFeatures] */
  readonly A: Float32Array;
  /** [rowCount, r] */
  readonly B: Float32Array;
}

/** An adapter of a policy. */
export interface LoraAdapter {
  /** Rank. */
  readonly r: number;
  /** Numerator of the scale. */
  readonly alpha: number;
  /** Dropout on the adapter's input while training, 0 to 1. */
  readonly dropout: number;
  /** rsLoRA: scale by alpha / sqrt(r). */
  readonly rankStabilised: boolean;
  /** The adapted layers. */
  readonly targets: readonly LoraTarget[];
}

/** Factor before B A. */
export function loraScale(adapter: Pick<LoraAdapter, "r" | "alpha" | "rankStabilised">): number {
  return adapter.alpha / (adapter.rankStabilised ? Math.sqrt(adapter.r) : adapter.r);
}

/**
 * The modules that PEFT's `target_modules` selects.
 * @param target `"all-linear"`, or names: a module is meant by its full name or by the end of it
 * after a dot.
 * @throws {InputError} naming an entry that selects nothing.
 */
export function selectModules(
  config: PolicyConfig,
  target: "all-linear" | readonly string[],
): LoraModule[] {
  const all = loraModules(config);
  if (target === "all-linear") return all;
  const means = (name: string, module: LoraModule) =>
    module.hfModule === name || module.hfModule.endsWith(`.${name}`);
  for (const name of target) {
    if (!all.some((module) => means(name, module))) {
      const names = [...new Set(all.map(({ hfModule }) => hfModule.split(".").at(-1)))];
      throw new InputError(
        `target_modules: no linear layer of this ${config.family} is called "${name}"; ` +
          `it has ${names.join(", ")} ("all-linear" means all of them)`,
      );
    }
  }
  return all.filter((module) => target.some((name) => means(name, module)));
}

/** Adds s B A to the rows of one parameter; sums in float64, rounded once. */
function mergeTarget(weight: Float32Array, target: LoraTarget, r: number, scale: number): void {
  const { A, B, module: { rowStart, rowCount, inFeatures, rowOrder } } = target;
  const delta = new Float64Array(inFeatures);
  for (let i = 0; i < rowCount; i++) {
    const feature = rowOrder ? rowOrder[i] : i;
    delta.fill(0);
    for (let k = 0; k < r; k++) {
      const b = B[feature * r + k];
      const a = A.subarray(k * inFeatures, (k + 1) * inFeatures);
      for (let j = 0; j < inFeatures; j++) delta[j] += b * a[j];
    }
    const row = (rowStart + i) * inFeatures;
    for (let j = 0; j < inFeatures; j++) weight[row + j] += scale * delta[j];
  }
}

/**
 * The policy with the adapter folded into its weights; the given weights are not changed.
 * @throws {InputError} when a target is not a module of this policy.
 */
export function mergeLora(weights: PolicyWeights, adapter: LoraAdapter): PolicyWeights {
  const tensors = new Map(weights.tensors);
  const copied = new Set<string>();
  for (const target of adapter.targets) {
    const { parameter, hfModule } = target.module;
    const weight = tensors.get(parameter);
    if (!weight) throw new InputError(`adapter: this policy has no module "${hfModule}"`);
    if (!copied.has(parameter)) tensors.set(parameter, weight.slice());
    copied.add(parameter);
    mergeTarget(tensors.get(parameter)!, target, adapter.r, loraScale(adapter));
  }
  return { config: weights.config, tensors };
}
