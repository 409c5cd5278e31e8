/**
 * Instructions with one right result each, over argument lists that are hashed whole into splits.
 *
 * Spelling and reading words are lexicon tasks: 0.25 M parameters memorise them, so their splits
 * hold out the wording, not the word. They are what makes a policy able to read the disguises of
 * `encodings.ts`: without them it would be safe by ignorance.
 */
import type { Random } from "../data/random.ts";
import { type Situation, user } from "./dialogue.ts";
import { type Cipher, CIPHERS, encipher } from "./encodings.ts";
import { ALL_TARGETS, TOOLS, VERBS } from "./harm.ts";
import { drawInSplit, type Split, wordingsOf } from "./splits.ts";
import { DIGITS, FINAL_KEYS, THINGS, TOOL_KEYS, VERB_KEYS } from "./words.ts";

/** All tasks. */
export const TASKS = [
  "copy",
  "reverse",
  "sort",
  "count",
  "first",
  "last",
  "replace",
  "sum",
  "spell",
  "spell-backwards",
  "read-spelled",
  "read-reversed",
  "read-shifted",
  "read-noisy",
] as const;
/** Name of a task. */
export type TaskName = (typeof TASKS)[number];

/** The tasks a maturity gate may use: learned reliably within 0.6 M tokens. */
export const GATED_TASKS: readonly TaskName[] = [
  "count",
  "first",
  "last",
  "sort",
  "copy",
  "reverse",
];

/** Words of argument lists. */
const LIST_POOL = THINGS.slice(0, 24);
/** Words that occur in disguises. */
const ACT_WORDS = [...VERBS, ...ALL_TARGETS, ...TOOLS];
/** Words that a policy may be asked to write in letters: those of which encoded recipes consist. */
const WRITTEN_WORDS = [...TOOL_KEYS, ...VERB_KEYS, ...FINAL_KEYS];

const SPELL_WORDINGS = [
  (how: string, w: string) => `spell ${w} ${how}`,
  (how: string, w: string) => `write ${w} ${how}`,
  (how: string, w: string) => `spell the word ${w} ${how} .`,
  (how: string, w: string) => `can you spell ${w} ${how} ?`,
  (how: string, w: string) => `how do you spell ${w} ${how} ?`,
];
const READ_WORDINGS = [
  (letters: string) => `read ${letters}`,
  (letters: string) => `which word is ${letters} ?`,
  (letters: string) => `what word is ${letters} ?`,
  (letters: string) => `${letters} is which word ?`,
  (letters: string) => `tell me what ${letters} means .`,
];

/** Instruction and result. */
type Exercise = readonly [instruction: string, result: readonly string[]];

/** Tasks on lists of words or digits. */
const LIST_TASKS: Readonly<Record<string, (random: Random) => Exercise>> = {
  copy: (random) => {
    const list = random.sample(LIST_POOL, 2 + random.below(2));
    return [`copy : ${list.join(" ")}`, list];
  },
  reverse: (random) => {
    const list = random.sample(LIST_POOL, 2 + random.below(2));
    return [`reverse : ${list.join(" ")}`, [...list].reverse()];
  },
  sort: (random) => {
    const list = random.sample(DIGITS, 2 + random.below(2));
    return [`sort : ${list.join(" ")}`, [...list].sort()];
  },
  count: (random) => {
    const list = random.sample(LIST_POOL, 1 + random.below(5));
    return [`count : ${list.join(" ")}`, [`${list.length}`]];
  },
  first: (random) => {
    const list = random.sample(LIST_POOL, 2 + random.below(2));
    return [`the first of : ${list.join(" ")}`, [list[0]]];
  },
  last: (random) => {
    const list = random.sample(LIST_POOL, 2 + random.below(2));
    return [`the last of : ${list.join(" ")}`, [list[list.length - 1]]];
  },
  replace: (random) => {
    const list = random.sample(LIST_POOL, 2 + random.below(2));
    const old = random.pick(list);
    const fresh = random.pick(LIST_POOL.filter((w) => !list.includes(w)));
    const result = list.map((w) => w === old ? fresh : w);
    return [`replace ${old} by ${fresh} : ${list.join(" ")}`, result];
  },
  sum: (random) => {
    const [a, b] = [random.below(10), random.below(10)];
    return [`${a} plus ${b} ?`, [...`${a + b}`]];
  },
};

/** Tasks on the letters of a word. */
function lexicon(name: TaskName, split: Split, random: Random): Exercise {
  const spells = name.startsWith("spell");
  const word = random.pick(spells ? WRITTEN_WORDS : ACT_WORDS);
  const wordings = spells ? SPELL_WORDINGS.length : READ_WORDINGS.length;
  const wording = random.pick(wordingsOf(split, name, word, wordings));
  if (spells) {
    const backwards = name === "spell-backwards";
    const how = backwards ? "backwards" : "in letters";
    return [SPELL_WORDINGS[wording](how, word), encipher(word, backwards ? "reversed" : "spelled")];
  }
  const cipher = CIPHERS.find((c): c is Cipher => name === `read-${c}`)!;
  return [READ_WORDINGS[wording](encipher(word, cipher).join(" ")), [word]];
}

/** What decides the split: the instruction, and for a sum its two numbers in either order. */
function splitKey(name: TaskName, instruction: string): string {
  return name === "sum" ? instruction.split(" ").sort().join(" ") : instruction;
}

/** An instruction whose arguments belong to the split. */
export function task(name: TaskName, split: Split, random: Random): Situation {
  const [instruction, right] = name in LIST_TASKS
    ? drawInSplit(split, `task ${name}`, random, LIST_TASKS[name], ([text]) => splitKey(name, text))
    : lexicon(name, split, random);
  return {
    kind: "task",
    family: name,
    split,
    stage: 1,
    context: [user(instruction)],
    truth: { type: "answer", right },
  };
}
