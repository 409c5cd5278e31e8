/**
 * Adaptive expansion of F_harm (INFANT section 8.1(4)): coverage below 1 means that violations
 * escape, so patterns are proposed from the escapes, and only those are accepted that hold a stated
 * precision on texts that nobody looked at when they were proposed.
 *
 * The precision that is tested is the marginal one, over texts that the set does not match already:
 * a proposal may not live on what older patterns caught. Its lower limit is exact and holds for all
 * tests of one expansion together (Bonferroni over `maxTests`, fixed beforehand). Coverage after the
 * expansion must be measured on a third set.
 */
import { InputError } from "../../../kernels/errors.ts";
import { clopperPearsonLower } from "../../theory/intervals.ts";
import { type Candidate, type CandidateOptions, proposeCandidates } from "./candidates.ts";
import type { LabelledText } from "./coverage.ts";
import { type Pattern, PatternSet } from "./pattern_set.ts";
import type { View } from "./views.ts";

/** Most candidates that are looked at. */
const MOST_CONSIDERED = 200;

/** How an expansion decides. */
export interface ExpansionOptions extends Omit<CandidateOptions, "minPrecision"> {
  /** The precision that an accepted pattern holds, in (0, 1). */
  readonly precision: number;
  /** Confidence that all accepted patterns hold it, in (0, 1). */
  readonly confidence: number;
  /** Most candidates tested on the held-out texts. */
  readonly maxTests: number;
  /** Category of the new patterns. */
  readonly category: string;
}

/** Settings without further word. */
export const DEFAULT_EXPANSION: ExpansionOptions = {
  precision: 0.9,
  confidence: 0.95,
  maxTests: 20,
  maxTokens: 3,
  maxGap: 6,
  minSupport: 5,
  category: "expansion",
};

/** One candidate that was considered, in order. */
export interface ExpansionEntry {
  /** The pattern. */
  readonly pattern: Pattern;
  /** Escapes that only it would catch, and harmless develop texts that it matches. */
  readonly develop: { readonly escapes: number; readonly harmless: number };
  /**
   * Held-out texts that it newly matches, and how many of them are violations; null where it matches
   * too few to tell, so that their labels were not looked at and no test was spent.
   */
  readonly heldOut: { readonly matched: number; readonly violations: number | null };
  /** Exact lower limit of its precision, for all tests together; null when it was not tested. */
  readonly precisionLow: number | null;
  /** Whether the limit reaches the wanted precision. */
  readonly accepted: boolean;
  /** The decision in words. */
  readonly reason: string;
}

/** A larger set and how it came about. */
export interface Expansion {
  /** The old patterns and the accepted ones. */
  readonly set: PatternSet;
  /** Every candidate considered, accepted or not. */
  readonly log: readonly ExpansionEntry[];
  /** Candidates that were proposed; only the most useful are considered. */
  readonly proposed: number;
}

function check({ precision, confidence, maxTests }: ExpansionOptions): void {
  for (const [name, value] of Object.entries({ precision, confidence })) {
    if (!(value > 0 && value < 1)) {
      throw new InputError(`expansion: ${name} must lie between 0 and 1, found ${value}`);
    }
  }
  if (!Number.isInteger(maxTests) || maxTests < 1) {
    throw new InputError(`expansion: maxTests must be a whole number from 1, found ${maxTests}`);
  }
}

/** A labelled text that no pattern matches yet, in the spellings of the set. */
interface Open extends LabelledText {
  readonly views: readonly View[];
}

function openTexts(set: PatternSet, texts: readonly LabelledText[]): Open[] {
  return texts.map(({ text, violation }) => ({ text, violation, views: set.views(text) }))
    .filter(({ text, views }) => !set.matches(text, views));
}

/** Gives candidates one by one: always the one that catches most of the escapes still open. */
class Queue {
  #pool: { readonly candidate: Candidate; readonly gain: number }[];
  readonly #open: Set<number>;
  readonly #minSupport: number;

  constructor(candidates: readonly Candidate[], escapes: number, minSupport: number) {
    this.#pool = candidates.map((candidate) => ({ candidate, gain: candidate.escapes.length }));
    this.#open = new Set(Array(escapes).keys());
    this.#minSupport = minSupport;
  }

  next(): { readonly candidate: Candidate; readonly gain: number } | null {
    this.#pool = this.#pool.map(({ candidate }) => ({
      candidate,
      gain: candidate.escapes.filter((i) => this.#open.has(i)).length,
    })).filter(({ gain }) => gain >= this.#minSupport);
    if (this.#pool.length === 0) return null;
    const best = this.#pool.reduce((a, b) => b.gain > a.gain ? b : a);
    this.#pool.splice(this.#pool.indexOf(best), 1);
    return best;
  }

  accept({ escapes }: Candidate): void {
    escapes.forEach((i) => this.#open.delete(i));
  }
}

/**
 * Expands a pattern set.
 * @param develop Labelled texts to propose from: independent draws, in the proportion in which
 *     violations occur.
 * @param heldOut Other such draws, to accept or reject by. A precision that is shown on them holds
 *     for what they are drawn from: to hold for unseen topics, they must hold unseen topics.
 * @throws {InputError} for a precision or confidence outside (0, 1).
 */
export function expandPatterns(
  set: PatternSet,
  develop: readonly LabelledText[],
  heldOut: readonly LabelledText[],
  options: Partial<ExpansionOptions> = {},
): Expansion {
  const settings = { ...DEFAULT_EXPANSION, ...options };
  check(settings);
  const { precision, confidence, maxTests, category, minSupport } = settings;
  const level = 1 - (1 - confidence) / maxTests;
  const fewest = fewestToShow(precision, 1 - level);

  const missed = openTexts(set, develop);
  const spelled = (violation: boolean) =>
    missed.filter((one) => one.violation === violation).map(({ views }) => views[0].text);
  const escapes = spelled(true);
  const candidates = proposeCandidates(escapes, spelled(false), {
    ...settings,
    minPrecision: precision,
  });

  const queue = new Queue(candidates, escapes.length, minSupport);
  const log: ExpansionEntry[] = [];
  const accepted: Pattern[] = [];
  let unmatched = openTexts(set, heldOut);
  for (let tests = 0; tests < maxTests && log.length < MOST_CONSIDERED;) {
    const best = queue.next();
    if (!best) break;
    const { regex, harmless } = best.candidate;
    const pattern = {
      name: `${category} ${set.patterns.length + log.length + 1}`,
      category,
      regex,
    };
    const alone = new PatternSet(pattern.name, [pattern], set.normalisation);
    const matched = new Set(unmatched.filter(({ text, views }) => alone.matches(text, views)));
    const develop = { escapes: best.gain, harmless };
    if (matched.size < fewest) {
      log.push({
        pattern,
        develop,
        heldOut: { matched: matched.size, violations: null },
        precisionLow: null,
        accepted: false,
        reason: `${matched.size} newly matched held-out texts are too few: ${fewest} are needed ` +
          `to show a precision of ${precision}`,
      });
      continue;
    }
    tests++;
    const violations = [...matched].filter(({ violation }) => violation).length;
    const low = clopperPearsonLower(violations, matched.size, level);
    const holds = low >= precision;
    const reason =
      `${violations} of ${matched.size} newly matched held-out texts are violations: ` +
      `precision >= ${low.toFixed(3)} at ${100 * confidence}% over ${maxTests} tests ` +
      `${holds ? "holds" : "does not reach"} ${precision}`;
    log.push({
      pattern,
      develop,
      heldOut: { matched: matched.size, violations },
      precisionLow: low,
      accepted: holds,
      reason,
    });
    if (!holds) continue;
    accepted.push({ ...pattern, note: reason });
    queue.accept(best.candidate);
    unmatched = unmatched.filter((one) => !matched.has(one));
  }
  return { set: set.with(accepted), log, proposed: candidates.length };
}

/** Fewest texts, violations all, that show a precision with this tail: precision^n <= tail. */
function fewestToShow(precision: number, tail: number): number {
  return Math.ceil(Math.log(tail) / Math.log(precision));
}
