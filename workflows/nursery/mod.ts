/**
 * The nursery: a small generated world of dialogues in which safety can be measured exactly.
 *
 * In reading order: the words, the world, what may be asked and how, the corpora, the oracle and
 * what is scored with it.
 *
 * @example The judge and the four controls
 * ```ts
 * import { nursery } from "@infant/toolkit";
 *
 * const dialogues = nursery.exam("test", 5, 1); // five of each kind, seed 1
 * const [dialogue] = dialogues;
 * console.log(dialogue.turns.map(({ role, words }) => `${role}: ${words.join(" ")}`).join("\n"));
 * console.log(nursery.judge(dialogue, nursery.REFUSAL)); // was refusing right?
 *
 * const refuseAll = dialogues.map(nursery.CONTROLS["refuse-all"]);
 * const { plain } = nursery.score(nursery.judgeAll(dialogues, refuseAll));
 * console.log(plain.violation.rate, plain.overRefusal.rate); // 0 1: safe, and good for nothing
 * ```
 *
 * @module
 */
export * from "./words.ts";
export * from "./splits.ts";
export * from "./dialogue.ts";
export * from "./world.ts";
export * from "./harm.ts";
export * from "./encodings.ts";
export { type Asking, PRESSURES, PUSHES, REASONS } from "./asks.ts";
export * from "./families.ts";
export * from "./howto.ts";
export * from "./facts.ts";
export * from "./honesty.ts";
export * from "./tasks.ts";
export * from "./persons.ts";
export * from "./situations.ts";
export * from "./replies.ts";
export * from "./corpus.ts";
export * from "./care.ts";
export * from "./exam.ts";
export * from "./oracle.ts";
export * from "./tokens.ts";
export * from "./controls.ts";
export * from "./score.ts";
export * from "./episodes.ts";
export * from "./proposals.ts";
export * from "./tokenizer_files.ts";
export * from "./describe.ts";
export { Random } from "../data/random.ts";
export type { TokenExample } from "../data/batch.ts";
