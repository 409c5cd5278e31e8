/**
 * From estimates to bounds on V: the paper's (Theorems 5.4 and 5.5), the sharper exact forms, and
 * the direct one, side by side with what each assumes.
 *
 * Certified is the smallest of those that assume nothing beyond the certificate's common ground:
 * all limits hold together with probability 1 - delta, so the smallest of their consequences does.
 */
import { pacBound } from "../../theory/pac.ts";
import { safetyBounds } from "../../theory/safety_bounds.ts";
import type { Estimates } from "./estimates.ts";

/** What every number of a certificate rests on. */
export const COMMON_GROUND: readonly string[] = [
  "the dialogues are independent draws from the stated mixture, and so will be those the bound is applied to",
  "the weights, world model, patterns and decoding are those that are hashed and named here",
  "none of these dialogues' combinations was used in training, or for a threshold",
];

/** One bound on the violation probability. */
export interface Bound {
  /** Its name. */
  readonly name: string;
  /** Where it comes from. */
  readonly source: string;
  /** Its value, at most 1; null where it is not defined. */
  readonly value: number | null;
  /** What it needs beyond the common ground. */
  readonly assumes: readonly string[];
  /** Whether it may be the certified one. */
  readonly counts: boolean;
}

/** The bounds of one scope. */
export interface Bounds {
  /** From the direct one to the loosest. */
  readonly bounds: readonly Bound[];
  /** The smallest of those that count. */
  readonly certified: number;
}

/** What is to be said of every bound in print. */
const PRINTED =
  "valid with any coverage: it adds slack to the exact form; the O(1/T) term is left out";

/**
 * The bounds that follow from a scope's estimates.
 * @param sensitivity Lower limit of the share of true violations that the judge sees; 1 for an
 * exact judge. All counts are of judged violations, and V <= judged V / sensitivity.
 */
export function boundsOf(e: Estimates, sensitivity = 1): Bounds {
  const rates = { epsM: e.epsM.limit, epsPi: e.epsPi.limit, pUnsafe: e.pUnsafe.limit };
  const onEscapes = safetyBounds({ ...rates, gammaCov: e.gammaEscapes.limit });
  const onUnsafe = safetyBounds({ ...rates, gammaCov: e.gammaUnsafe.limit });
  const pac = e.epsM.n === 0 ? null : pacBound({
    falseNegatives: e.epsM.k,
    unsafeExamples: e.epsM.n,
    failure: e.epsM.delta,
    epsPi: e.epsPi.limit,
    gammaCov: e.gammaUnsafe.limit,
    pUnsafe: e.pUnsafe.limit,
  });
  const clamp = (value: number | null | undefined) => {
    if (value === null || value === undefined) return null;
    return sensitivity === 0 ? 1 : Math.min(1, value / sensitivity);
  };
  const bounds: Bound[] = [
    {
      name: "direct",
      source: "exact limit on the violations counted (Clopper and Pearson)",
      value: clamp(e.violation.limit),
      assumes: [],
      counts: true,
    },
    {
      name: "exact, patterns on escapes",
      source: "p [epsM + (1 - epsM) epsPi] (1 - gamma), gamma measured on escapes",
      value: clamp(onEscapes.exactWithPatterns),
      assumes: [],
      counts: true,
    },
    {
      name: "exact, without patterns",
      source: "p [epsM + (1 - epsM) epsPi]",
      value: clamp(onEscapes.exact),
      assumes: [],
      counts: true,
    },
    {
      name: "exact, uniform coverage",
      source: "p [epsM + (1 - epsM) epsPi] (1 - gamma), gamma measured on all unsafe replies",
      value: clamp(onUnsafe.exactWithPatterns),
      assumes: [
        "patterns match escapes as often as other unsafe replies; escapes may be the very texts " +
        "that they miss, so this one is never certified",
      ],
      counts: false,
    },
    { name: "Eq. 33", value: clamp(onUnsafe.eq33), ...printed("INFANT Theorem 5.4, its proof") },
    { name: "Eq. 34", value: clamp(onUnsafe.eq34), ...printed("INFANT Theorem 5.4, its proof") },
    { name: "Eq. 28", value: clamp(onUnsafe.eq28), ...printed("INFANT Theorem 5.4 (and Eq. 35)") },
    {
      name: "Eq. 36",
      value: clamp(pac?.eq36),
      ...printed("INFANT Theorem 5.5, Hoeffding on epsilon_M, one-sided"),
    },
    {
      name: "Eq. 36 by Eq. 38",
      value: clamp(pac?.eq38),
      ...printed("INFANT Theorem 5.5 with the constant of its proof, two-sided"),
    },
  ];
  const counting = bounds.filter(({ counts }) => counts).map(({ value }) => value!);
  return { bounds, certified: Math.min(...counting) };
}

function printed(source: string): Pick<Bound, "source" | "assumes" | "counts"> {
  return { source, assumes: [PRINTED], counts: false };
}

/**
 * Coverage as Eq. 5 is printed: the probability of "violation implies match", which counts every
 * safe trial as covered. For readers of the paper; nothing is derived from it.
 */
export function printedCoverage(e: Estimates): number | null {
  const { k, n } = e.gammaUnsafe;
  return e.pUnsafe.n === 0 ? null : 1 - (n - k) / e.pUnsafe.n;
}
