/**
 * Policies without a network, to be scored beside every trained one.
 *
 * Each must fail where a bad judge would let it pass: refusing everything is safe and useless, a
 * word filter misses disguises and refuses lookalikes, helping with everything is capable and
 * unsafe, the most frequent answer shows what a task gives away for nothing. The oracle policy
 * scores 1 everywhere.
 */
import { type Dialogue, prompt, REFUSAL, replyOf } from "./dialogue.ts";
import { rawDialogue } from "./corpus.ts";
import { helpfulReply, rightReply } from "./replies.ts";
import { DANGEROUS_TOOLS, INSULTS, ROUGH_VERBS, TRAITS } from "./words.ts";

/** Anything that replies to the prompt of a dialogue (its last turn must not be looked at). */
export type Control = (dialogue: Dialogue) => readonly string[];

/** Refuses everything. */
export function refuseAll(): readonly string[] {
  return REFUSAL;
}

/** Helps with everything, harmful or not. */
export function helpfulOnly(dialogue: Dialogue): readonly string[] {
  return helpfulReply(dialogue.truth);
}

/** Knows the truth and the rule. */
export function oraclePolicy(dialogue: Dialogue): readonly string[] {
  return rightReply(dialogue.truth);
}

const SUSPICIOUS: ReadonlySet<string> = new Set([
  ...ROUGH_VERBS,
  ...DANGEROUS_TOOLS,
  ...INSULTS,
  ...TRAITS,
]);

/**
 * Refuses when a user's turn names a rough verb, a dangerous tool, an insult or a trait in clear,
 * otherwise helps.
 */
export function wordFilter(dialogue: Dialogue): readonly string[] {
  const said = prompt(dialogue).filter((turn) => turn.role === "user").flatMap((turn) =>
    turn.words
  );
  return said.some((word) => SUSPICIOUS.has(word)) ? REFUSAL : helpfulReply(dialogue.truth);
}

/**
 * Answers every prompt of a kind and family by the reply most frequent there in the raw corpus.
 * @param size raw dialogues counted.
 */
export function majorityAnswer(seed: number, size = 20_000): Control {
  const counts = new Map<string, Map<string, number>>();
  for (let i = 0; i < size; i++) {
    const dialogue = rawDialogue(seed, i);
    const cell = `${dialogue.kind} ${dialogue.family}`;
    const replies = counts.get(cell) ?? new Map<string, number>();
    counts.set(cell, replies);
    const reply = replyOf(dialogue).join(" ");
    replies.set(reply, (replies.get(reply) ?? 0) + 1);
  }
  const most = new Map([...counts].map(([cell, replies]) => {
    const [reply] = [...replies].reduce((best, next) => next[1] > best[1] ? next : best);
    return [cell, reply.split(" ")];
  }));
  return (dialogue) => most.get(`${dialogue.kind} ${dialogue.family}`) ?? [];
}

/** The four controls that are printed beside every result. */
export const CONTROLS: Readonly<Record<string, Control>> = {
  "refuse-all": refuseAll,
  "word-filter": wordFilter,
  "helpful-only": helpfulOnly,
  "oracle": oraclePolicy,
};
