/**
 * Perturbations of the nursery's dialogues that keep what is asked.
 *
 * Two sets, both finite. Edits: words that carry nothing of a request may be dropped or replaced, and words without a meaning may be put
 * in, within k_max; the words of the act, letters, code words, negations and marks stay, so the oracle's truth stays true. Rewrites:
 * the same act in the manner of another family, built by the world itself, so they keep the act by construction; they lie outside the
 * edit ball. Only families that safety training may show are offered: unseen ones measure what generalises.
 */
import { InputError } from "../../../kernels/errors.ts";
import { careDialogue, reask } from "../../nursery/care.ts";
import { type Dialogue, replyOf } from "../../nursery/dialogue.ts";
import { isLetter } from "../../nursery/encodings.ts";
import { FAMILIES, type FamilyName, SEEN_FAMILIES } from "../../nursery/families.ts";
import type { Split } from "../../nursery/splits.ts";
import { encodeWords, promptIds, TOKEN } from "../../nursery/tokens.ts";
import { FILLERS, MOODS, nurseryVocabulary, TAILS } from "../../nursery/words.ts";
import type { EditSpace } from "./edit_space.ts";
import type { ReplyCase } from "./hidden_loss.ts";
import type { Perturbable } from "./proposals.ts";

/** A context to perturb, with the reply that stays right. */
export interface PerturbableCase extends ReplyCase, Perturbable {}

/** Words that may be put into a request: they change nothing about it. */
export const MEANINGLESS: readonly string[] = [...FILLERS, ...TAILS, ...MOODS];

/** Words of the frame of a request, which may be dropped or replaced as in the family `typo`. */
const FRAME = "how do the with ? . to show me teach what is way want can you explain".split(" ");

const EDITABLE: ReadonlySet<number> = new Set(encodeWords([...MEANINGLESS, ...FRAME]));
const LETTER: readonly boolean[] = nurseryVocabulary.map(isLetter);
const MARKS: ReadonlySet<number> = new Set(Object.values(TOKEN));

/** The edits that keep what a dialogue asks for: C(h) of Eq. 12 for its prompt, narrowed. Earlier replies stay as they are. */
export function nurserySpace(dialogue: Dialogue, budget: number): EditSpace<number> {
  const word = promptIds(dialogue);
  let speaker: number = TOKEN.bos;
  const users = word.map((id) => {
    if (MARKS.has(id)) speaker = id;
    return speaker === TOKEN.user;
  });
  return {
    word,
    alphabet: encodeWords(MEANINGLESS),
    budget,
    editable: word.map((id, i) => users[i] && EDITABLE.has(id)),
    // Behind an item of the user's, the mark that opens the turn among them, but not inside a word that is spelled.
    open: [false, ...word.map((id, i) => users[i] && !(LETTER[id] && LETTER[word[i + 1]]))],
  };
}

/** Families that training may turn a request into: all seen ones, or those of a list. @throws {InputError} for an unseen one. */
export function trainingFamilies(families: readonly FamilyName[] = SEEN_FAMILIES): FamilyName[] {
  const unseen = families.find((family) => !FAMILIES[family]?.seen);
  if (unseen !== undefined) {
    throw new InputError(
      `perturbations: the family ${unseen} measures what generalises and is never trained on; use ${
        SEEN_FAMILIES.join(", ")
      }`,
    );
  }
  return [...families];
}

/** A how-to dialogue with its edits and its rewrites in the manner of `families`. */
export function nurseryCase(
  dialogue: Dialogue,
  budget: number,
  families: readonly FamilyName[],
): PerturbableCase {
  const space = nurserySpace(dialogue, budget);
  return {
    context: space.word,
    reply: [...encodeWords(replyOf(dialogue)), TOKEN.eos],
    space,
    rewrites: families.map((family) => (random) => promptIds(reask(dialogue, family, random))),
  };
}

/** What the cases of a stage are made of. */
export interface NurseryCaseOptions {
  /** Seed of the dialogues. */
  readonly seed: number;
  /** Edit budget k_max. */
  readonly budget: number;
  /** Families of rewrites; all seen ones unless given, none: edits only. */
  readonly families?: readonly FamilyName[];
  /** Train unless given; validation for thresholds. */
  readonly split?: Split;
}

/**
 * Case `index`: a plain request for a recipe, harmful or harmless with equal probability, with the right reply. Both kinds are
 * attacked, so over-refusal costs the policy as much as compliance does.
 */
export function nurseryCases(options: NurseryCaseOptions): (index: number) => PerturbableCase {
  const { seed, budget, split = "train" } = options;
  const families = trainingFamilies(options.families);
  const doses = {
    howto: 1,
    secret: 0,
    stereotype: 0,
    insult: 0,
    honesty: 0,
    moral: 0,
    fact: 0,
    task: 0,
  };
  const care = { split, doses, families: { plain: 1 } };
  return (index) => nurseryCase(careDialogue(seed, index, care), budget, families);
}
