/**
 * Labelled replies of the nursery, judged by its oracle.
 *
 * Three sources. Proposals: replies built for the purpose, whole and cut-off recipes, recipes for another act, recipes in letters,
 * refusals that go on with the steps. Other kinds of dialogue: numbers, insults, prejudices, and all that is harmless, so that a
 * world model neither misses what is no recipe nor flags a sum. And replies drawn from policies, which err in their own ways.
 */
import { Random } from "../../data/random.ts";
import { careDialogue } from "../../nursery/care.ts";
import { type Dialogue, REFUSAL, replyOf, withReply } from "../../nursery/dialogue.ts";
import { FAMILIES, type FamilyName, SEEN_FAMILIES } from "../../nursery/families.ts";
import { drawAct, recipe } from "../../nursery/harm.ts";
import { howto } from "../../nursery/howto.ts";
import { isRefusal, judge } from "../../nursery/oracle.ts";
import { proposal, type ProposalSort } from "../../nursery/proposals.ts";
import { helpfulReply } from "../../nursery/replies.ts";
import type { Split } from "../../nursery/splits.ts";
import { encodeWords, promptIds, replyWords, TOKEN } from "../../nursery/tokens.ts";
import type { LabelledReply, ReplySource } from "./examples.ts";

/** Dialogues that are no requests for recipes, and their weights. */
const OTHER_KINDS = {
  howto: 0,
  secret: 0.3,
  stereotype: 0.1,
  insult: 0.1,
  honesty: 0.1,
  moral: 0.1,
  fact: 0.1,
  task: 0.2,
} as const;

/** What other dialogues are answered by; a recipe that nobody asked for teaches to read the reply whatever the request looks like. */
const OTHER_REPLIES = { right: 0.4, helpful: 0.25, refusal: 0.1, recipe: 0.25 } as const;

/**
 * Sorts of proposal, with more of the hard ones than `PROPOSAL_DOSES` has: recipes that do not fit the request and recipes in
 * letters.
 */
export const WORLD_MODEL_DOSES: Readonly<Record<ProposalSort, number>> = {
  "recipe": 0.3,
  "refusal": 0.08,
  "cut-off": 0.2,
  "other act": 0.22,
  "encoded": 0.15,
  "no, but": 0.05,
};

/** Which replies are drawn. */
export interface NurseryReplyOptions {
  /** Whose combinations: train to learn from, validation for the threshold, certification or test to report on. */
  readonly split: Split;
  /** Attack families of the requests for recipes; the seen ones unless given. */
  readonly families?: readonly FamilyName[];
  /** Sorts of proposal; {@linkcode WORLD_MODEL_DOSES} unless given. */
  readonly doses?: Readonly<Record<ProposalSort, number>>;
  /** Share of dialogues that are no requests for recipes, in [0, 1]; default 0.25. */
  readonly otherKinds?: number;
}

/** A reply of the nursery as a world model reads it, judged by the oracle. */
export function labelled(
  dialogue: Dialogue,
  source: ReplySource,
  sort: string,
): LabelledReply {
  const words = replyOf(dialogue);
  const { violation } = judge(dialogue, words);
  const { kind, family } = dialogue;
  return {
    prompt: promptIds(dialogue),
    reply: [...encodeWords(words), TOKEN.eos],
    unsafe: violation,
    source,
    sort,
    family: kind === "howto" ? family : kind,
    seen: kind !== "howto" || FAMILIES[family as FamilyName].seen,
    refusal: !violation && isRefusal(words),
  };
}

/** Proposal `index` of a seed; depends only on (seed, index) and the options. */
export function nurseryReply(
  seed: number,
  index: number,
  options: NurseryReplyOptions,
): LabelledReply {
  const { split, families, doses = WORLD_MODEL_DOSES, otherKinds = 0.25 } = options;
  const random = new Random(seed, "world model", split, index);
  if (random.chance(otherKinds)) return otherReply(seed, index, split, random);
  const { dialogue, sort } = proposal(seed, index, { split, families, doses });
  return labelled(dialogue, "proposal", sort);
}

/** A dialogue of another kind, answered rightly, helpfully whatever it costs, by a refusal, or by any recipe. */
function otherReply(seed: number, index: number, split: Split, random: Random): LabelledReply {
  const dialogue = careDialogue(seed, index, { stage: 4, split, doses: OTHER_KINDS });
  const replies = {
    right: () => replyOf(dialogue),
    helpful: () => helpfulReply(dialogue.truth),
    refusal: () => REFUSAL,
    recipe: () => recipe(drawAct(random, split)),
  };
  const choice = random.weighted(OTHER_REPLIES);
  const sort = choice === "recipe" ? "volunteered" : dialogue.kind;
  return labelled(withReply(dialogue, replies[choice]()), "proposal", sort);
}

/** The first `count` proposals of a seed. */
export function nurseryReplies(
  seed: number,
  count: number,
  options: NurseryReplyOptions,
): LabelledReply[] {
  return Array.from({ length: count }, (_, i) => nurseryReply(seed, i, options));
}

/**
 * Context `index` of a seed, for replies that a policy is to give: requests for recipes of the families, half of them harmful, and
 * other dialogues. Its own reply is the right one.
 */
export function nurseryContext(
  seed: number,
  index: number,
  options: NurseryReplyOptions,
): Dialogue {
  const { split, families = SEEN_FAMILIES, otherKinds = 0.25 } = options;
  const random = new Random(seed, "world model context", split, index);
  if (random.chance(otherKinds)) {
    return careDialogue(seed, index, { stage: 4, split, doses: OTHER_KINDS });
  }
  return withReply(howto(random.pick(families), split, random), REFUSAL);
}

/** A policy's replies to dialogues (token ids), judged by the oracle. */
export function judgedReplies(
  dialogues: readonly Dialogue[],
  replies: readonly (readonly number[])[],
): LabelledReply[] {
  return dialogues.map((dialogue, i) => {
    const given = withReply(dialogue, replyWords(replies[i]));
    return labelled(given, "policy", "sampled");
  });
}
