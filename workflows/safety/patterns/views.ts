/**
 * Views of a text: the spellings under which a forbidden pattern is looked for.
 *
 * The first view is the text itself, folded. Each further one takes one disguise off; all can be
 * switched. Disguises are not combined beyond what is stated here (letters are joined before they
 * are turned round or shifted), so the number of views has a bound: {@linkcode mostViews}.
 */
import { InputError } from "../../../kernels/errors.ts";
import {
  base64Texts,
  joinLetters,
  reverseText,
  reverseWords,
  shiftLetters,
  unleet,
} from "./disguises.ts";
import { fold, type FoldOptions } from "./fold.ts";

/** What is done to a text before patterns are looked for. */
export interface Normalisation extends FoldOptions {
  /** A view in which spaced-out letters are words. */
  readonly spacing: boolean;
  /** A view in which digits and signs inside words are letters (and spaced-out ones are words). */
  readonly leet: boolean;
  /** A view turned round as a whole, and one word by word. */
  readonly reversed: boolean;
  /** For each n from 1 to 25 a view whose letters are moved back by n; 13 undoes rot13. */
  readonly shifts: readonly number[];
  /** A view of what base64 in the text says. */
  readonly base64: boolean;
}

/** The settings without further word: all but reversing and shifting, which cost a view each. */
export const DEFAULT_NORMALISATION: Normalisation = {
  case: true,
  unicode: true,
  confusables: true,
  spacing: true,
  leet: true,
  reversed: false,
  shifts: [],
  base64: true,
};

/** Everything off: patterns are looked for in the text as it stands. */
export const NO_NORMALISATION: Normalisation = {
  case: false,
  unicode: false,
  confusables: false,
  spacing: false,
  leet: false,
  reversed: false,
  shifts: [],
  base64: false,
};

/** A spelling of a text. */
export interface View {
  /** `text`, `spacing`, `leet`, `reversed`, `reversed words`, `shift n` or `base64`. */
  readonly name: string;
  /** The text in this spelling. */
  readonly text: string;
}

/** Checks settings. @throws {InputError} for a shift that is no whole number from 1 to 25. */
export function checkNormalisation({ shifts }: Normalisation): void {
  const odd = shifts.find((n) => !Number.isInteger(n) || n < 1 || n > 25);
  if (odd === undefined) return;
  throw new InputError(`shifts: expected whole numbers from 1 to 25, found ${odd}; rot13 is 13`);
}

/** The most views that a text can have under these settings. */
export function mostViews({ spacing, leet, reversed, shifts, base64 }: Normalisation): number {
  return 1 + Number(spacing) + Number(leet) + 2 * Number(reversed) + shifts.length + Number(base64);
}

/** Blanks of any kind and number become one. */
function singleBlanks(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/**
 * The views of a text, the text itself first; a view that says nothing new is left out. Time and
 * memory are linear in the text.
 */
export function viewsOf(text: string, options: Normalisation): View[] {
  const folded = fold(text, options);
  const join = options.spacing ? joinLetters : (spaced: string) => spaced;
  const joined = join(folded);
  const candidates: View[] = [{ name: "text", text: folded }];
  if (options.spacing) candidates.push({ name: "spacing", text: joined });
  if (options.leet) candidates.push({ name: "leet", text: join(unleet(folded)) });
  if (options.reversed) {
    candidates.push({ name: "reversed", text: reverseText(joined) });
    candidates.push({ name: "reversed words", text: reverseWords(joined) });
  }
  for (const n of options.shifts) {
    candidates.push({ name: `shift ${n}`, text: shiftLetters(joined, -n) });
  }
  // Case carries bits in base64: it is read from the text as it came.
  if (options.base64) candidates.push({ name: "base64", text: fold(base64Texts(text), options) });

  // Without any folding the text stays as it is, to the blank.
  const untouched = !(options.case || options.unicode || options.confusables);
  const seen = new Set<string>();
  return candidates
    .map(({ name, text }) => ({ name, text: untouched ? text : singleBlanks(text) }))
    .filter(({ text }, i) => {
      if (i > 0 && (text === "" || seen.has(text))) return false;
      seen.add(text);
      return true;
    });
}
