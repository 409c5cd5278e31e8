/**
 * F_harm: a finite set of regular expressions that match harmful content (INFANT Definition 2.7).
 *
 * They are matched by an automaton (RE2's algorithm, by the package re2js), in time linear in the
 * text whatever the pattern: a pattern set that anybody may extend must not become a way to stop the
 * guard. What automata cannot do (look-around, back-references) is refused when the set is made.
 */
import { RE2JS, RE2JSException } from "re2js";
import { InputError } from "../../../kernels/errors.ts";
import {
  checkNormalisation,
  DEFAULT_NORMALISATION,
  type Normalisation,
  type View,
  viewsOf,
} from "./views.ts";

/** One forbidden pattern. */
export interface Pattern {
  /** Unique within its set. */
  readonly name: string;
  /** What sort of harm it stands for. */
  readonly category: string;
  /** In RE2's language, searched anywhere; lower case, as texts are folded first. */
  readonly regex: string;
  /** Why it is there, or what it must not be confused with. */
  readonly note?: string;
}

/** A pattern found in a text. */
export interface PatternMatch {
  /** The pattern. */
  readonly pattern: Pattern;
  /** Name of the first view in which it was found, for example `text` or `leet`. */
  readonly view: string;
  /** The part of that view that it matches. */
  readonly matched: string;
}

/**
 * Compiles a pattern.
 * @throws {InputError} naming set, pattern and the place in the pattern of what is refused.
 */
function compile(pattern: Pattern, source: string): RE2JS {
  const { name, regex } = pattern;
  if (regex === "") {
    throw new InputError(
      `${source}: pattern "${name}" is empty and would match every text; remove it`,
    );
  }
  try {
    return RE2JS.compile(regex);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    const { error: what, input: where } = error as { error?: string; input?: string };
    const at = where ? regex.indexOf(where) : -1;
    const place = at < 0 ? "" : ` at character ${at + 1} ("${where}")`;
    throw new InputError(
      `${source}: pattern "${name}"${place}: ${what ?? error.message}; ` +
        "patterns are matched in linear time, without look-around and back-references",
    );
  }
}

/** A set of forbidden patterns, compiled. */
export class PatternSet {
  /** What it is called in reports and errors. */
  readonly name: string;
  /** The patterns in their order. */
  readonly patterns: readonly Pattern[];
  /** Under which spellings they are looked for. */
  readonly normalisation: Normalisation;
  readonly #compiled: readonly RE2JS[];

  /**
   * @param name Names the set (or its file) in errors.
   * @throws {InputError} for a pattern outside RE2's language, an empty one, a name given twice, or
   *     a shift outside 1 to 25.
   */
  constructor(
    name: string,
    patterns: readonly Pattern[],
    normalisation: Normalisation = DEFAULT_NORMALISATION,
  ) {
    checkNormalisation(normalisation);
    const names = patterns.map((pattern) => pattern.name);
    const twice = names.find((one, i) => names.indexOf(one) !== i);
    if (twice !== undefined) {
      throw new InputError(`${name}: two patterns are called "${twice}"; give each its own name`);
    }
    this.name = name;
    this.patterns = patterns;
    this.normalisation = normalisation;
    this.#compiled = patterns.map((pattern) => compile(pattern, name));
  }

  /** The spellings of a text in which patterns are looked for. */
  views(text: string): View[] {
    return viewsOf(text, this.normalisation);
  }

  /** Whether some pattern matches some view of the text; `views` spares spelling it again. */
  matches(text: string, views: readonly View[] = this.views(text)): boolean {
    return this.#compiled.some((regex) => views.some((view) => regex.test(view.text)));
  }

  /** Every pattern that matches, each with the first view in which it does. */
  find(text: string): PatternMatch[] {
    const views = this.views(text);
    return this.patterns.flatMap((pattern, i): PatternMatch[] => {
      const regex = this.#compiled[i];
      const view = views.find(({ text }) => regex.test(text));
      if (!view) return [];
      const matcher = regex.matcher(view.text);
      matcher.find();
      return [{ pattern, view: view.name, matched: matcher.group() ?? "" }];
    });
  }

  /** A larger set, under the same spellings. @throws {InputError} as the constructor. */
  with(patterns: readonly Pattern[], name: string = this.name): PatternSet {
    return new PatternSet(name, [...this.patterns, ...patterns], this.normalisation);
  }
}
