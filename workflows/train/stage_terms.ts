/**
 * A stage's objective (INFANT Eq. 6) from its configuration and what its terms learn from.
 */
import { InputError } from "../../kernels/errors.ts";
import { mib } from "../../kernels/gpu/device.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { arenaFloats, storedSpecs } from "../../kernels/policy/storage.ts";
import { type InfantStage, type StageConfig, stageWeights } from "../config/config.ts";
import { CapacitorTerm } from "../objective/capacitor.ts";
import { CounterfactualTerm } from "../objective/counterfactual.ts";
import type { PreferenceSource } from "../objective/pairs.ts";
import { type Anchor, onlineAnchor, PlasticityTerm } from "../objective/plasticity.ts";
import { PreferenceTerm, type Reference, type ReferenceTable } from "../objective/preference.ts";
import type { PerturbationSource, SampleSource, Term } from "../objective/term.ts";
import type { Objective } from "./program_settings.ts";

/** Weights up to this size are kept twice rather than read once in advance. */
const RESIDENT_BYTES = 64 * 2 ** 20;

/** What the terms other than imprinting learn from; what is null is only measured: such a program cannot run. */
export interface TermSources {
  /** Preference optimisation's pairs. */
  readonly pairs: PreferenceSource | null;
  /** Log-probabilities of the pairs, where the reference is precomputed; may be filled until the first step. */
  readonly references: ReferenceTable;
  /** Counterfactual imagination's perturbations. */
  readonly perturbations: PerturbationSource | null;
  /** The capacitor's sampled replies. */
  readonly samples: SampleSource | null;
  /** What plasticity holds on to. */
  readonly anchors: readonly Anchor[] | null;
}

/** No sources: to find out what a program needs. */
export const NO_SOURCES: TermSources = {
  pairs: null,
  references: new Map(),
  perturbations: null,
  samples: null,
  anchors: null,
};

/**
 * All sources of a stage.
 * @throws {InputError} when a term has a weight and nothing to learn from.
 */
export function checkedSources(stage: StageConfig, sources: TermSources): TermSources {
  const { ci, vc } = stageWeights(stage);
  const missing = ci > 0 && !sources.perturbations
    ? "ci needs perturbations"
    : vc > 0 && !sources.samples
    ? "vc needs a world model"
    : null;
  if (!missing) return sources;
  throw new InputError(
    `stage ${stage.name}: weights.${missing}, and this run has none: set it to 0`,
  );
}

/** How a stage gets its reference's log-probabilities. */
export function referenceKind(
  stage: InfantStage,
  policy: PolicyConfig,
  adapters: boolean,
): Reference["kind"] {
  const { reference } = stage.preference;
  if (reference === "precomputed") return "precomputed";
  if (adapters) return "adapters";
  if (reference === "resident") return "resident";
  return weightBytes(policy) <= RESIDENT_BYTES ? "resident" : "precomputed";
}

/** One line on the reference, for people. */
export function describeReference(kind: Reference["kind"], policy: PolicyConfig): string {
  const size = mib(weightBytes(policy));
  switch (kind) {
    case "adapters":
      return "preference reference: the policy without its adapters, read in every step";
    case "resident":
      return `preference reference: a frozen copy of the policy (${size}), read in every step`;
    case "precomputed":
      return `preference reference: log-probabilities computed before the first step; a copy would take ${size}`;
  }
}

function weightBytes(policy: PolicyConfig): number {
  return storedSpecs(policy).reduce((sum, spec) => sum + 4 * arenaFloats(spec), 0);
}

/** Whether a stage needs a frozen copy of the policy at its beginning: as prior of its KL, or as reference. */
export function needsFrozen(stage: StageConfig, policy: PolicyConfig, adapters: boolean): boolean {
  if (stage.kind === "language_modelling") return false;
  const { vi, po } = stage.weights;
  return vi > 0 && stage.rho > 0 ||
    po > 0 && referenceKind(stage, policy, adapters) === "resident";
}

/** Whether a stage looks back at the policy at its beginning, which a resumed run must then load again. */
export function needsBeginning(stage: StageConfig): boolean {
  if (stage.fisher?.kind === "synaptic") return true;
  if (stage.kind === "language_modelling") return false;
  const { vi, po } = stage.weights;
  return vi > 0 && stage.rho > 0 || po > 0;
}

/** The objective of a stage; `frozen` is its policy at the beginning, where {@linkcode needsFrozen}. */
export function stageObjective(
  stage: StageConfig,
  policy: PolicyConfig,
  adapters: boolean,
  frozen: Parameters | null,
  sources: TermSources,
): Objective {
  const weights = stageWeights(stage);
  if (stage.kind === "language_modelling") return { rho: 0, prior: null };
  const shape = {
    rows: stage.batch_size,
    length: stage.length,
    slots: stage.gradient_accumulation,
  };
  const terms: Term[] = [];
  if (weights.po > 0) {
    const kind = referenceKind(stage, policy, adapters);
    terms.push(
      new PreferenceTerm({
        ...shape,
        weight: weights.po,
        settings: {
          loss: stage.preference.loss,
          dpoBeta: stage.preference.beta,
          labelSmoothing: stage.preference.label_smoothing,
        },
        reference: kind === "resident"
          ? { kind, policy: frozen! }
          : kind === "precomputed"
          ? { kind, table: sources.references }
          : { kind },
        source: sources.pairs,
      }),
    );
  }
  if (weights.ci > 0) {
    const source = sources.perturbations;
    const couples = source?.couples ?? shape.rows * shape.length / 2;
    terms.push(
      new CounterfactualTerm({
        ...shape,
        rows: source?.rows ?? shape.rows,
        couples,
        weight: weights.ci,
        detachOriginal: stage.imagination.kl_gradient === "perturbed",
        source,
      }),
    );
  }
  if (weights.vc > 0) {
    const source = sources.samples;
    const rows = source?.rows ?? shape.rows;
    terms.push(new CapacitorTerm({ ...shape, rows, weight: weights.vc, source }));
  }
  if (weights.pl > 0) terms.push(plasticity(stage, weights.pl, sources.anchors));
  const rho = weights.vi > 0 ? stage.rho : 0;
  return { rho, prior: rho > 0 ? frozen : null, weight: weights.vi, terms };
}

function plasticity(
  stage: InfantStage,
  weight: number,
  anchors: readonly Anchor[] | null,
): PlasticityTerm {
  const { kappa, combine, decay } = stage.plasticity;
  if (anchors?.length === 0) {
    throw new InputError(
      `stage ${stage.name}: weights.pl holds on to what earlier stages found important, and none has: ` +
        `set fisher on an earlier stage, or weights.pl to 0`,
    );
  }
  // Unknown anchors take as much room as known ones.
  const known = anchors ?? [{ theta: new Map(), importance: new Map() }];
  const held = combine === "online" ? [onlineAnchor(known, decay)] : known;
  return new PlasticityTerm({ weight, kappa, anchors: held });
}
