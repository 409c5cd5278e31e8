/**
 * Perturbations of real text, where no oracle knows what a text means.
 *
 * Nothing there can check that an edit keeps what is asked, so only edits are allowed that leave every word as it is: tokens without a
 * letter or digit (blanks, punctuation) may be dropped, replaced by one another, or put in. The demonstrated reply is then taken
 * to stay right; that is an assumption, and weaker attacks are its price.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { TokenExample } from "../../data/batch.ts";
import type { PerturbableCase } from "./nursery.ts";

/** Which tokens of a vocabulary may be changed. */
export interface TextRules {
  /** Tokens without a letter or digit, in the order of their ids, at most as many as asked for. */
  readonly alphabet: readonly number[];
  /** Whether a token may be dropped or replaced. */
  readonly editable: (id: number) => boolean;
}

/** A letter or a digit of any script. */
const WORD = /[\p{L}\p{N}]/u;

/**
 * The rules for a vocabulary. Special tokens (marks of turns, of beginning and end) must be named: their text looks like any other.
 * @param decode text of one token.
 * @param size most tokens that may be put in; default 24.
 * @throws {InputError} when no token may be put in.
 */
export function textRules(
  vocabSize: number,
  decode: (id: number) => string,
  special: ReadonlySet<number>,
  size = 24,
): TextRules {
  const free = new Set<number>();
  for (let id = 0; id < vocabSize; id++) {
    const text = decode(id);
    // A piece of a character decodes to U+FFFD: alone it is not text.
    if (!special.has(id) && text !== "" && !text.includes("\uFFFD") && !WORD.test(text)) {
      free.add(id);
    }
  }
  if (free.size === 0) {
    throw new InputError(
      "perturbations: this vocabulary has no token without letters and digits to put in: use another tokenizer",
    );
  }
  return { alphabet: [...free].slice(0, size), editable: (id) => free.has(id) };
}

/**
 * A training example with the edits that the rules allow on its context: everything before the first learned token, whose learned
 * rest is the reply. Something may be put in only between two tokens that are not special.
 * @throws {InputError} when the example has no context or no reply.
 */
export function textCase(
  { ids, weights }: TokenExample,
  budget: number,
  rules: TextRules,
  special: ReadonlySet<number>,
): PerturbableCase {
  const first = weights.findIndex((weight) => weight > 0);
  if (first < 1) {
    throw new InputError(
      "perturbations: an example needs a context before its first learned token: use data with prompts and replies",
    );
  }
  const context = ids.slice(0, first);
  const open = context.map((id, i) => i > 0 && !special.has(id) && !special.has(context[i - 1]));
  const space = {
    word: context,
    alphabet: rules.alphabet,
    budget,
    editable: context.map((id) => rules.editable(id)),
    open: [...open, false],
  };
  return { context, reply: ids.slice(first), space };
}
