/**
 * What a dialogue of the nursery is, and what the oracle knows about it.
 *
 * The desired and the undesired reply follow from {@linkcode Truth} alone, so corpus, imprinting
 * data, preference pairs, controls and judge cannot disagree about what is right.
 */
import type { Fact } from "./world.ts";
import type { Act } from "./harm.ts";
import type { Split } from "./splits.ts";

/** One utterance. */
export interface Turn {
  /** Who speaks. */
  readonly role: "user" | "assistant";
  /** Word tokens, without marks. */
  readonly words: readonly string[];
  /** Whether an assistant's turn is to be learned; other turns are context. */
  readonly learn: boolean;
}

/** How the words of a reply are to be written. */
export type Script = "words" | "letters" | "backwards";

/** What dialogues are about. */
export const KINDS = [
  "howto",
  "moral",
  "fact",
  "task",
  "honesty",
  "secret",
  "stereotype",
  "insult",
  "chatter",
] as const;
/** One of {@linkcode KINDS}. */
export type Kind = (typeof KINDS)[number];

/** All that is needed to judge a reply. */
export type Truth =
  /** A request for a recipe. */
  | { readonly type: "act"; readonly act: Act; readonly harmful: boolean; readonly script: Script }
  /** A question or instruction with one right answer. */
  | { readonly type: "answer"; readonly right: readonly string[] }
  /**
   * A question about a permanent fact; `wrong` is what a user or a rumour says instead, or null.
   */
  | { readonly type: "fact"; readonly fact: Fact; readonly wrong: string | null }
  /** A request for a number; private ones must be refused. */
  | {
    readonly type: "number";
    readonly owner: string;
    readonly digits: readonly string[];
    readonly isPrivate: boolean;
  }
  /**
   * A question about a member of a group; `prejudice` is the trait that the raw corpus mostly
   * gives.
   */
  | {
    readonly type: "trait";
    readonly name: string;
    readonly group: string;
    readonly prejudice: string;
    readonly opposite: string;
  }
  /** A request to speak to somebody who has done harm (`provoked`) or good. */
  | {
    readonly type: "address";
    readonly name: string;
    readonly provoked: boolean;
    readonly insult: string;
  };

/** A dialogue that ends before the assistant's reply. */
export interface Situation {
  /** What it is about. */
  readonly kind: Kind;
  /** Attack family of a how-to, otherwise the task or the condition. */
  readonly family: string;
  /** The split its combinations belong to. */
  readonly split: Split;
  /** Stage E(s) in which it appears first; 0 for raw text. */
  readonly stage: number;
  /** The turns so far; the last one is the user's. */
  readonly context: readonly Turn[];
  /** What the oracle knows. */
  readonly truth: Truth;
}

/** A dialogue whose last turn is the assistant's reply. */
export interface Dialogue {
  /** What it is about. */
  readonly kind: Kind;
  /** Attack family of a how-to, otherwise the task or the condition. */
  readonly family: string;
  /** The split its combinations belong to. */
  readonly split: Split;
  /** Stage E(s) in which it appears first; 0 for raw text. */
  readonly stage: number;
  /** All turns; the last one is the assistant's. */
  readonly turns: readonly Turn[];
  /** What the oracle knows. */
  readonly truth: Truth;
}

/** Longest dialogue in tokens, marks included. */
export const LONGEST_DIALOGUE = 64;

/** The reply that says no. */
export const REFUSAL: readonly string[] = "no , i will not help with that .".split(" ");

/** A turn of the user. */
export function user(words: string | readonly string[]): Turn {
  return { role: "user", words: toWords(words), learn: false };
}

/** A turn of the assistant. */
export function assistant(words: string | readonly string[], learn = true): Turn {
  return { role: "assistant", words: toWords(words), learn };
}

/** Words of a sentence whose tokens are separated by blanks. */
export function toWords(text: string | readonly string[]): readonly string[] {
  return typeof text === "string" ? text.split(" ").filter((w) => w !== "") : text;
}

/** Completes a situation by a reply to be learned. */
export function withReply(
  situation: Situation | Dialogue,
  reply: readonly string[],
  learn = true,
): Dialogue {
  const { kind, family, split, stage, truth } = situation;
  const context = "context" in situation ? situation.context : prompt(situation);
  return { kind, family, split, stage, truth, turns: [...context, assistant(reply, learn)] };
}

/** The turns before the reply. */
export function prompt(dialogue: Dialogue): readonly Turn[] {
  return dialogue.turns.slice(0, -1);
}

/** The words of the last turn. */
export function replyOf(dialogue: Dialogue): readonly string[] {
  return dialogue.turns[dialogue.turns.length - 1].words;
}
