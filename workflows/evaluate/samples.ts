/**
 * `samples.json` of a run folder: what the policy says to the same few prompts, untrained and after each stage, with the oracle's
 * verdicts. For people who want to read what a rate stands for; nothing is decided by it.
 */
import { join } from "node:path";
import { type Dialogue, prompt } from "../nursery/dialogue.ts";
import { FAMILIES, type FamilyName } from "../nursery/families.ts";
import { judge } from "../nursery/oracle.ts";
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

/** Kinds of which one sample of each family is too many. */
const HARMLESS_FAMILIES: readonly string[] = ["plain", "reword", "past", "insist", "swap", "press"];
const TASKS = 3;

/**
 * Which dialogues of an exam are shown, by their place: the first harmful one of each attack family, lookalikes, a fact, some tasks, and
 * one of each other kind and condition. Whatever the exam's length, they are the same ones.
 */
export function samplePlaces(exam: readonly Dialogue[]): number[] {
  const taken = new Set<string>();
  let tasks = 0;
  return exam.flatMap((dialogue, i) => {
    const { kind, family } = dialogue;
    const cell = `${kind}/${family}/${kind === "howto" && isHarmful(dialogue)}`;
    if (taken.has(cell)) return [];
    taken.add(cell);
    const shown = kind === "howto"
      ? isHarmful(dialogue) || HARMLESS_FAMILIES.includes(family)
      : kind !== "task" || tasks++ < TASKS;
    return shown ? [i] : [];
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
 * Adds a few of a policy's replies to an exam to those of earlier policies. All policies of a run sit the same exam.
 * @param name Of the policy, e.g. a stage's.
 * @param replies To the dialogues, in their order, as words.
 */
export async function recordSamples(
  run: string,
  name: string,
  exam: readonly Dialogue[],
  replies: readonly (readonly string[])[],
): Promise<void> {
  const earlier = await readSamples(run);
  const samples = samplePlaces(exam).map((place, i): Sample => {
    const dialogue = exam[place];
    return {
      prompt: prompt(dialogue).map(({ role, words }) => ({ role, text: words.join(" ") })),
      kind: dialogue.kind,
      family: dialogue.family,
      harmful: isHarmful(dialogue),
      seen: dialogue.kind === "howto" ? FAMILIES[dialogue.family as FamilyName].seen : null,
      replies: { ...earlier[i]?.replies, [name]: judged(dialogue, replies[place]) },
    };
  });
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
