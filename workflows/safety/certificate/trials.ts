/**
 * What a policy is tried on for a certificate: independent dialogues from a stated mixture, and
 * harmless ones that show what safety costs.
 *
 * A trial is a whole trajectory, however many turns it has: it violates or it does not. That is why
 * no union over turns is needed (Theorem 5.4 argues about one action and speaks of trajectories).
 * Every trial draws its mix anew, so that counts over all trials are binomial and the unsafe ones
 * among them are independent draws from the unsafe ones of the mixture.
 */
import { InputError } from "../../../kernels/errors.ts";
import { Random } from "../../data/random.ts";
import { suggestion } from "../../nearest.ts";
import { type Dialogue, toWords } from "../../nursery/dialogue.ts";
import { continueEpisode, refusalEpisode } from "../../nursery/episodes.ts";
import { evalDialogue } from "../../nursery/exam.ts";
import { SEEN_FAMILIES, UNSEEN_FAMILIES } from "../../nursery/families.ts";
import { judge } from "../../nursery/oracle.ts";
import type { Cell } from "../../nursery/situations.ts";
import type { Split } from "../../nursery/splits.ts";
import { GATED_TASKS } from "../../nursery/tasks.ts";
import { checkEpisode, checkReply } from "../nursery_invariants.ts";

/** What the judge says of a policy's replies in one trial. */
export interface TrialVerdict {
  /** The trajectory is not in the safety invariant set I (INFANT Eq. 1). */
  readonly violates: boolean;
  /** The last reply is what a safe and capable policy says. */
  readonly right: boolean;
  /** The last reply refuses something harmless. */
  readonly overRefuses: boolean;
}

/** One trajectory. */
export interface Trial<Prompt> {
  /** The mix, or the cell of harmless dialogues, that it belongs to. */
  readonly mix: string;
  /** Replies that the policy is asked for. */
  readonly turns: number;
  /** All that the trial is, as text: what the data hash is taken over. */
  readonly key: string;
  /** The prompt after the replies given so far. */
  prompt(replies: readonly string[]): Prompt;
  /** Judges the replies so far. */
  judge(replies: readonly string[]): TrialVerdict;
}

/** Mixes of harmful requests in the nursery, and what they are. */
export const MIXES = {
  plain: "harmful recipes, asked plainly",
  seen: "harmful recipes behind the attack families that safety training saw",
  unseen: "harmful recipes behind attack families that safety training never saw",
  episodes: "a harmful request and two more turns of a user who insists, reframes or splits it, " +
    "after the policy's own replies; one trial is the whole dialogue",
  persons: "secrets, prejudices and insults that are asked for",
} as const;
/** One of {@linkcode MIXES}. */
export type Mix = keyof typeof MIXES;

/** Mixes that are certified unless others are named. */
export const DEFAULT_MIXES: readonly Mix[] = ["plain", "seen", "unseen", "episodes"];

/** The cells of the mixes that are one reply long. */
const HARMFUL: Readonly<Record<Exclude<Mix, "episodes">, readonly Cell[]>> = {
  plain: howto(["plain"], true),
  seen: howto(SEEN_FAMILIES.filter((family) => family !== "plain"), true),
  unseen: howto(UNSEEN_FAMILIES, true),
  persons: [
    { kind: "secret", family: "private" },
    { kind: "secret", family: "coaxed" },
    { kind: "stereotype", family: "group" },
    { kind: "insult", family: "provoked" },
  ],
};

/** Harmless dialogues, and what they show. */
export const HARMLESS = {
  lookalikes: "harmless recipes, asked plainly",
  wrapped: "harmless recipes behind all attack families",
  facts: "closed-book facts",
  tasks: "instructions",
} as const;
/** One of {@linkcode HARMLESS}. */
export type HarmlessCell = keyof typeof HARMLESS;

const HARMLESS_CELLS: Readonly<Record<HarmlessCell, readonly Cell[]>> = {
  lookalikes: howto(["plain"], false),
  wrapped: howto([...SEEN_FAMILIES, ...UNSEEN_FAMILIES].filter((f) => f !== "plain"), false),
  facts: [{ kind: "fact", family: "closed" }],
  tasks: GATED_TASKS.map((family) => ({ kind: "task", family })),
};

function howto(families: readonly string[], harmful: boolean): Cell[] {
  return families.map((family) => ({ kind: "howto", family, harmful }));
}

/**
 * Mixes by name.
 * @throws {InputError} at a name that is none, a name given twice, or no name at all.
 */
export function parseMixes(text: string): Mix[] {
  const names = text.split(",").map((name) => name.trim());
  names.forEach((name, i) => {
    if (!Object.hasOwn(MIXES, name)) {
      throw new InputError(
        `mixes: there is no "${name}"${suggestion(name, Object.keys(MIXES))}`,
      );
    }
    if (names.indexOf(name) !== i) throw new InputError(`mixes: "${name}" is named twice`);
  });
  return names as Mix[];
}

function oneReply(mix: string, dialogue: Dialogue): Trial<Dialogue> {
  return {
    mix,
    turns: 1,
    key: JSON.stringify([mix, dialogue.turns.slice(0, -1), dialogue.truth]),
    prompt: () => dialogue,
    judge(replies) {
      const words = toWords(replies[0]);
      const { correct, overRefusal } = judge(dialogue, words);
      const violates = !checkReply(dialogue, words).safe;
      return { violates, right: correct, overRefuses: overRefusal };
    },
  };
}

function episode(split: Split, seed: number, index: number): Trial<Dialogue> {
  const drawn = refusalEpisode(split, seed, index);
  const words = (replies: readonly string[]) => replies.map((reply) => toWords(reply));
  return {
    mix: "episodes",
    turns: 1 + drawn.pushes.length,
    key: JSON.stringify(["episodes", drawn.style, drawn.first, drawn.pushes]),
    prompt: (replies) => continueEpisode(drawn, words(replies)),
    judge(replies) {
      const { correct } = judge(drawn.first, toWords(replies[replies.length - 1]));
      const violates = !checkEpisode(drawn, words(replies)).safe;
      return { violates, right: correct, overRefuses: false };
    },
  };
}

/** What decides about the trials of the nursery. */
export interface NurseryTrials {
  /** `certification`, unless something other than a certificate is made. */
  readonly split: Split;
  /** Seed of the dialogues. */
  readonly seed: number;
  /** Harmful dialogues, over all mixes together. */
  readonly dialogues: number;
  /** The mixes, all with the same weight. */
  readonly mixes: readonly Mix[];
}

/** Trials whose requests are harmful; the mix of each is drawn with equal weights, its family too. */
export function harmfulTrials(options: NurseryTrials): Trial<Dialogue>[] {
  const { split, seed, dialogues, mixes } = options;
  return Array.from({ length: dialogues }, (_, i) => {
    const random = new Random(seed, "certificate", split, i);
    const mix = random.pick(mixes);
    if (mix === "episodes") return episode(split, seed, i);
    return oneReply(mix, evalDialogue(split, random.pick(HARMFUL[mix]), seed, i));
  });
}

/** Harmless trials: a quarter as many in each cell as there are harmful ones in all, at least one. */
export function harmlessTrials(options: NurseryTrials): Trial<Dialogue>[] {
  const { split, seed, dialogues } = options;
  const each = Math.max(1, Math.round(dialogues / 4));
  return Object.entries(HARMLESS_CELLS).flatMap(([name, cells]) =>
    Array.from({ length: each }, (_, i) => {
      const random = new Random(seed, "certificate harmless", split, name, i);
      return oneReply(name, evalDialogue(split, random.pick(cells), seed, i));
    })
  );
}
