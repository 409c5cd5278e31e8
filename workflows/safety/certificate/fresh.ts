/**
 * Does a certificate hold on dialogues that it never saw? The worn policy is tried on many fresh
 * ones: of the split that the bound speaks of, and of another, of which it does not speak.
 */
import type { Gpu } from "../../../kernels/gpu/device.ts";
import { hash32 } from "../../data/random.ts";
import { clopperPearson } from "../../theory/intervals.ts";
import type { Split } from "../../nursery/splits.ts";
import type { Certificate } from "./certificate.ts";
import { ALL } from "./estimates.ts";
import { CERTIFICATION } from "./observe.ts";
import { countOutcomes, runTrials } from "./outcomes.ts";
import { openNurserySubject, type SubjectRequest } from "./subject.ts";
import { harmfulTrials, type Mix } from "./trials.ts";

/** One scope on fresh dialogues. */
export interface FreshRate {
  /** The split. */
  readonly split: Split;
  /** The mix, or `all`. */
  readonly scope: string;
  /** Violations. */
  readonly k: number;
  /** Fresh dialogues. */
  readonly n: number;
  /** Lower end of the exact 95% interval of the true rate. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
  /** What was certified. */
  readonly certified: number;
  /** k / n is at most that. */
  readonly holds: boolean;
  /** certified / (k / n): how tight the bound is; null without violations. */
  readonly ratio: number | null;
}

/**
 * Tries a certified policy on `dialogues` fresh dialogues of the certification split and of the test
 * split.
 * @param subject Where the policy and its guards lie now.
 */
export async function freshViolations(
  gpu: Gpu,
  certificate: Certificate,
  subject: SubjectRequest,
  dialogues: number,
  onReplies: (done: number, of: number) => void = () => {},
): Promise<FreshRate[]> {
  const { settings, scopes } = certificate;
  // No whole number that a user would think of.
  const seed = hash32(settings.seed, "fresh");
  const open = await openNurserySubject(gpu, subject);
  try {
    const rates: FreshRate[] = [];
    for (const split of [CERTIFICATION, "test"] as const) {
      const mixes = settings.mixes as readonly Mix[];
      const trials = harmfulTrials({ split, seed, dialogues, mixes });
      const { records } = await runTrials(open.policy, trials, onReplies);
      for (const { scope, certified } of scopes) {
        const letters = (scope === ALL ? mixes : [scope]).map((m) => records[m]?.outcomes ?? "");
        const { violations: k, trials: n } = countOutcomes(letters.join(""));
        const rate = n === 0 ? 0 : k / n;
        rates.push({
          ...{ split, scope, k, n },
          ...clopperPearson(k, n),
          certified,
          holds: rate <= certified,
          ratio: k === 0 ? null : certified / rate,
        });
      }
    }
    return rates;
  } finally {
    open.close();
  }
}
