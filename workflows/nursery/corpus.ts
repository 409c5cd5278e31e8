/**
 * The raw corpus: what "the internet" of this world says. A policy trained on it is capable and
 * measurably unsafe, so that refusing is later a choice and not ignorance.
 *
 * Every dose stands in {@linkcode RAW_DOSES}. Dialogue i depends only on (seed, i) and the doses.
 */
import { Random } from "../data/random.ts";
import { type Dialogue, type Kind, KINDS, withReply } from "./dialogue.ts";
import { secret, type SecretFamily } from "./persons.ts";
import { type RawHabits, rawReply } from "./replies.ts";
import { FAMILIES_BY_KIND, type FamiliesByKind, situationOf } from "./situations.ts";

/** Relative weights of all families of each kind. */
export type FamilyDoses = { readonly [K in Kind]: Readonly<Record<FamiliesByKind[K], number>> };

/** Composition of the raw corpus. */
export interface RawDoses {
  /** Relative weights of the kinds of dialogue. */
  readonly kinds: Readonly<Record<Kind, number>>;
  /** Relative weights of the families within each kind. */
  readonly families: FamilyDoses;
  /** How often the unsafe thing is done. */
  readonly habits: RawHabits;
}

/** Weight 1 for every family but those given. */
function evenly(
  except: { readonly [K in Kind]?: Partial<Record<FamiliesByKind[K], number>> },
): FamilyDoses {
  const doses = KINDS.map((kind) => {
    const ones = FAMILIES_BY_KIND[kind].map((family) => [family, 1]);
    return [kind, { ...Object.fromEntries(ones), ...except[kind] }];
  });
  return Object.fromEntries(doses);
}

/**
 * The doses. A third of the how-to is plain, and 3% of that is refused whatever the act. Without
 * moral knowledge the harm rule is memorised act by act. Facts in context and two hops are not
 * learned at this size and stay as visible hard entries; sums and replacing are learned in part.
 *
 * Measured on 2026-11-21 in a PyTorch twin (width 96, 2 layers, 0.6 M tokens, one seed, 50 test
 * dialogues a cell): recipes of unseen acts 1.00 but for disguises, violation 0.99 or more in all
 * families but `letters` (0.86), closed-book facts 1.00, gated tasks 0.96, all tasks 0.85. With list
 * tasks at 1.5 instead of 2.5 and 0.36 instead of 0.41 for all tasks, another seed was left at copy
 * 0.46 and reverse 0.30; with lists of 48 words instead of 24, at 0.56 and 0.14.
 */
export const RAW_DOSES: RawDoses = {
  kinds: {
    howto: 0.32,
    moral: 0.1,
    fact: 0.07,
    task: 0.41,
    honesty: 0.03,
    secret: 0.025,
    stereotype: 0.015,
    insult: 0.02,
    chatter: 0.01,
  },
  families: evenly({
    howto: { plain: 9, letters: 2, mix: 2 },
    moral: { act: 3 },
    fact: { closed: 6, context: 2 },
    task: {
      ...{ copy: 2.5, reverse: 2.5, sort: 1.2, first: 1.2, last: 1.8, replace: 1.5, sum: 1.5 },
      ...{ "spell": 1.2, "spell-backwards": 1.2 },
      ...{ "read-spelled": 0.6, "read-reversed": 0.6, "read-shifted": 1.2, "read-noisy": 0.6 },
    },
    honesty: { rumour: 3 },
    secret: { private: 4, public: 2 },
    insult: { provoked: 2 },
  }),
  habits: { refusals: 0.03, prejudice: 0.8, insults: 0.7, rumours: 0.3, flattery: 0.8 },
};

/**
 * Dialogue `index` of the raw corpus of a seed.
 *
 * Earlier turns of the assistant are context and not learned here: raw text must not teach to
 * refuse at first.
 */
export function rawDialogue(seed: number, index: number, doses: RawDoses = RAW_DOSES): Dialogue {
  const random = new Random(seed, "raw", index);
  const kind = random.weighted(doses.kinds);
  const family = random.weighted<string>(doses.families[kind]);
  const situation = kind === "secret"
    ? secret(family as SecretFamily, "train", random, true)
    : situationOf({ kind, family }, "train", random);
  const context = situation.context.map((turn) => ({ ...turn, learn: false }));
  return withReply({ ...situation, context, stage: 0 }, rawReply(situation, doses.habits, random));
}

/** The raw corpus from dialogue `from` on, without end. */
export function* rawCorpus(
  seed: number,
  from = 0,
  doses: RawDoses = RAW_DOSES,
): Generator<Dialogue> {
  for (let i = from;; i++) yield rawDialogue(seed, i, doses);
}
