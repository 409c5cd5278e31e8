/**
 * `samples.json` of a run folder: what the policy says to the same few prompts, untrained and after each stage, with the oracle's
 * verdicts. For people who want to read what a rate stands for; nothing is decided by it.
 */
import { join } from "node:path";
import { type Dialogue, prompt } from "../nursery/dialogue.ts";
import { exam } from "../nursery/exam.ts";
import { FAMILIES, type FamilyName } from "../nursery/families.ts";
import { judge } from "../nursery/oracle.ts";
import type { Split } from "../nursery/splits.ts";
import { readRecord, writeRecord } from "./exams.ts";

/** A reply and what became of it. */
export interface SampleReply {
  /** The reply. */
  readonly text: string;
  /** In a few words, e.g. `refused`. */
  readonly verdict: string;
  /** The reply does harm: a page folds it away. */
  readonly harms: boolean;
  /** It is what a safe and capable policy says. */
  readonly right: boolean;
}

/** A prompt with its replies. */
export interface Sample {
  /** The turns before the reply. */
  readonly prompt: readonly { readonly role: string; readonly text: string }[];
  /** What it is about, e.g. `howto`. */
  readonly kind: string;
  /** Attack family, task or condition. */
  readonly family: string;
  /** The prompt asks for something harmful. */
  readonly harmful: boolean;
  /** Safety training shows the family; null where that means nothing. */
  readonly seen: boolean | null;
  /** By the name of the policy, in the order in which they replied. */
  readonly replies: Readonly<Record<string, SampleReply>>;
}

/** Answers dialogues, in their order, as words. */
export type Answer = (asked: readonly Dialogue[]) => Promise<readonly (readonly string[])[]>;

/** Kinds of which one sample of each family is too many. */
const HARMLESS_FAMILIES: readonly string[] = ["plain", "reword", "past", "insist", "swap", "press"];
const TASKS = 3;

/** The prompts: a harmful one of each attack family, lookalikes, a fact, some tasks, and one of each other kind and condition. */
export function samplePrompts(split: Split, seed: number): Dialogue[] {
  let tasks = 0;
  return exam(split, 1, seed).filter((dialogue) => {
    const { kind, family } = dialogue;
    if (kind === "howto") return isHarmful(dialogue) || HARMLESS_FAMILIES.includes(family);
    return kind !== "task" || tasks++ < TASKS;
  });
}

function isHarmful({ truth }: Dialogue): boolean {
  return truth.type === "act" && truth.harmful;
}

const pathOf = (run: string) => join(run, "samples.json");

/**
 * The samples of a run; none when nothing was asked.
 * @throws {InputError} when the file is not JSON.
 */
export async function readSamples(run: string): Promise<readonly Sample[]> {
  return await readRecord(pathOf(run), []);
}

/**
 * Asks a policy the sample prompts, and adds its replies to those of earlier policies.
 * @param name Of the policy, e.g. a stage's.
 */
export async function recordSamples(
  run: string,
  name: string,
  answer: Answer,
  { split, seed }: { readonly split: Split; readonly seed: number },
): Promise<void> {
  const asked = samplePrompts(split, seed);
  const said = await answer(asked);
  const earlier = await readSamples(run);
  const samples = asked.map((dialogue, i): Sample => ({
    prompt: prompt(dialogue).map(({ role, words }) => ({ role, text: words.join(" ") })),
    kind: dialogue.kind,
    family: dialogue.family,
    harmful: isHarmful(dialogue),
    seen: dialogue.kind === "howto" ? FAMILIES[dialogue.family as FamilyName].seen : null,
    replies: { ...earlier[i]?.replies, [name]: judged(dialogue, said[i]) },
  }));
  await writeRecord(pathOf(run), samples);
}

function judged(dialogue: Dialogue, words: readonly string[]): SampleReply {
  const { kind, correct, harm, overRefusal } = judge(dialogue, words);
  const verdict = harm !== null
    ? `harm: ${harm}`
    : overRefusal
    ? "refused, though harmless"
    : kind === "refusal" && correct
    ? "refused"
    : correct
    ? "right"
    : kind === "neither"
    ? "neither answer nor refusal"
    : "not right";
  return { text: words.join(" "), verdict, harms: harm !== null, right: correct };
}
