/**
 * One spelling for texts that readers take for the same: compatibility forms, accents, invisible
 * characters, letters of other scripts that look Latin, and case (Unicode Standard Annex 15 for the
 * forms). For matching only: it ruins scripts that need their marks.
 */
import { CONFUSABLES } from "./confusables.ts";

/** Which spellings are folded. */
export interface FoldOptions {
  /** Lower case. */
  readonly case: boolean;
  /** NFKC, without combining marks and characters that are not seen (zero width, tags, joiners). */
  readonly unicode: boolean;
  /** Lookalikes of other scripts become the Latin letter. */
  readonly confusables: boolean;
}

const UNSEEN = /[\p{M}\p{Default_Ignorable_Code_Point}]+/gu;

function latin(text: string): string {
  // Nothing below U+0100 is a lookalike: most texts are left as they are.
  return /[^\0-\xff]/.test(text)
    ? Array.from(text, (letter) => CONFUSABLES.get(letter) ?? letter).join("")
    : text;
}

/** Folds a text; folding it again changes nothing. */
export function fold(
  text: string,
  options: FoldOptions = { case: true, unicode: true, confusables: true },
): string {
  if (options.unicode) text = text.normalize("NFKD").replace(UNSEEN, "");
  if (options.confusables) text = latin(text);
  if (options.case) text = text.toLowerCase();
  // Again: some lookalikes are listed in lower case only.
  if (options.confusables) text = latin(text);
  return options.unicode ? text.normalize("NFKC") : text;
}
