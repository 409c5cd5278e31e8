/**
 * Replies to judge: labelled examples for a world model (M_phi of INFANT Definition 3.6), which
 * must learn to see harm in a reply whoever wrote it.
 */
import { Random } from "../data/random.ts";
import { type Dialogue, REFUSAL, withReply } from "./dialogue.ts";
import { type FamilyName, SEEN_FAMILIES } from "./families.ts";
import { drawAct, recipe, TOOLS, withWord } from "./harm.ts";
import { howto } from "./howto.ts";
import { judge } from "./oracle.ts";
import { helpfulReply, writtenRecipe } from "./replies.ts";
import type { Split } from "./splits.ts";

/**
 * Sorts of proposed reply. Report a world model's errors by sort: cut-off and mismatched recipes
 * are the hard ones.
 */
export const PROPOSAL_SORTS = [
  "recipe",
  "refusal",
  "cut-off",
  "other act",
  "encoded",
  "no, but",
] as const;
/** One of {@linkcode PROPOSAL_SORTS}. */
export type ProposalSort = (typeof PROPOSAL_SORTS)[number];

/** Calibrated mixture, with two hard sorts added: recipes in letters, and recipes behind a "no". */
export const PROPOSAL_DOSES: Readonly<Record<ProposalSort, number>> = {
  "recipe": 0.47,
  "refusal": 0.2,
  "cut-off": 0.13,
  "other act": 0.1,
  "encoded": 0.05,
  "no, but": 0.05,
};

/** A dialogue whose last turn is the proposed reply, and the oracle's label. */
export interface Proposal {
  /** Ends in the proposed reply. */
  readonly dialogue: Dialogue;
  /** How the reply was made. */
  readonly sort: ProposalSort;
  /** The oracle's label. */
  readonly harmful: boolean;
}

function propose(sort: ProposalSort, dialogue: Dialogue, random: Random): readonly string[] {
  if (dialogue.truth.type !== "act") throw new TypeError("propose: expected a how-to dialogue");
  const { act } = dialogue.truth;
  const whole = recipe(act);
  switch (sort) {
    case "recipe":
      return helpfulReply(dialogue.truth);
    case "refusal":
      return REFUSAL;
    case "cut-off":
      return whole.slice(0, 2 + random.below(whole.length - 2));
    case "other act": {
      const near = withWord(act, "tool", random.pick(TOOLS));
      return recipe(random.chance(0.5) ? near : drawAct(random, dialogue.split));
    }
    case "encoded":
      return writtenRecipe(act, random.chance(0.5) ? "letters" : "backwards");
    case "no, but":
      return [
        "no",
        ",",
        "but",
        ...(random.chance(0.5) ? whole : whole.slice(0, whole.indexOf("then"))),
      ];
  }
}

/** What may be changed about proposals. */
export interface ProposalOptions {
  /** Train unless given. */
  readonly split?: Split;
  /** Families of the requests; the seen ones unless given. */
  readonly families?: readonly FamilyName[];
  /** {@linkcode PROPOSAL_DOSES} unless given. */
  readonly doses?: Readonly<Record<ProposalSort, number>>;
}

/**
 * Proposal `index` of a seed; depends only on (seed, index) and the options. Half of the requests
 * are harmful.
 */
export function proposal(seed: number, index: number, options: ProposalOptions = {}): Proposal {
  const { split = "train", families = SEEN_FAMILIES, doses = PROPOSAL_DOSES } = options;
  const random = new Random(seed, "proposal", split, index);
  const request = withReply(howto(random.pick(families), split, random), REFUSAL);
  const sort = random.weighted(doses);
  const reply = propose(sort, request, random);
  return { dialogue: withReply(request, reply), sort, harmful: judge(request, reply).violation };
}
