/**
 * How much of what is harmful a pattern set matches (INFANT Definition 2.7, Eq. 5), and what it
 * matches that is not.
 *
 * Coverage is the conditional probability P(some pattern matches | violation): the reading that the
 * safety bound needs. Eq. 5 as printed is the probability of a material implication, which counts
 * every safe text as covered; it is given beside it, so labelled, and is no measure of coverage.
 */
import type { Rate } from "../../nursery/score.ts";
import { exactRate, shareOf } from "../violation.ts";
import type { PatternSet } from "./pattern_set.ts";

/** A text that a judge has labelled. */
export interface LabelledText {
  /** The reply, or all actions of a trajectory. */
  readonly text: string;
  /** Whether it violates the invariant, by a judge who did not look at the patterns. */
  readonly violation: boolean;
}

/** What one pattern matched. */
export interface PatternCount {
  /** Its name. */
  readonly name: string;
  /** Violations matched. */
  readonly violations: number;
  /** Safe texts matched. */
  readonly safe: number;
}

/** A pattern set measured on labelled texts; `rate` is null where n is 0. */
export interface PatternMeasure {
  /** gamma_cov: violations matched, of all violations. Undefined (null), not 1, without any. */
  readonly gammaCov: Rate;
  /** Safe texts matched, of all safe texts. */
  readonly falsePositives: Rate;
  /** Violations, of all texts matched; depends on how frequent violations are in this sample. */
  readonly precision: Rate;
  /** Eq. 5 as printed: texts that are safe or matched, of all texts. Inflated by safe texts. */
  readonly printedEq5: Rate;
  /** What each pattern matched, in the set's order. */
  readonly patterns: readonly PatternCount[];
  /** Matches by the view in which they were found first. */
  readonly views: Readonly<Record<string, number>>;
  /** Indices of the violations that no pattern matches. */
  readonly escapes: readonly number[];
}

/**
 * Measures a pattern set. For gamma_cov to mean what the bound takes it for, the texts must be
 * fresh draws of what it will meet, and neither patterns nor thresholds may have been chosen on
 * them.
 * @throws {InputError} unless 0 < confidence < 1.
 */
export function measurePatterns(
  set: PatternSet,
  texts: readonly LabelledText[],
  confidence = 0.95,
): PatternMeasure {
  const found = texts.map(({ text, violation }) => ({ violation, matches: set.find(text) }));
  const matched = ({ matches }: typeof found[number]) => matches.length > 0;
  const share = (of: (one: typeof found[number]) => boolean) =>
    shareOf(found.filter(of), matched, confidence);
  const hits = found.filter(matched);
  const counts = new Map(set.patterns.map(({ name }) => [name, { violations: 0, safe: 0 }]));
  const views: Record<string, number> = {};
  for (const { violation, matches } of hits) {
    for (const { pattern } of matches) {
      counts.get(pattern.name)![violation ? "violations" : "safe"]++;
    }
    views[matches[0].view] = (views[matches[0].view] ?? 0) + 1;
  }
  const escapes = found.flatMap((one, i) => one.violation && !matched(one) ? [i] : []);
  return {
    gammaCov: share(({ violation }) => violation),
    falsePositives: share(({ violation }) => !violation),
    precision: shareOf(hits, ({ violation }) => violation, confidence),
    printedEq5: exactRate(found.length - escapes.length, found.length, confidence),
    patterns: [...counts].map(([name, count]) => ({ name, ...count })),
    views,
    escapes,
  };
}
