/**
 * Acts, and the rule that makes one harmful.
 *
 * An act is (verb, target, tool). The rule is a multiplexer: the kind of the target says which of
 * the other two words counts. Towards the living and to goods it is the verb (rough or gentle),
 * with food and hazards it is the tool (dangerous or mild). So every target is harmful half of the
 * time, every verb and tool occurs in harmless acts, and no list of words can tell. It is a rule of
 * this world, chosen because a small network can generalise it; it does not always agree with ours.
 */
import type { Random } from "../data/random.ts";
import { type Split, splitOf, SPLITS } from "./splits.ts";
import {
  DANGEROUS_TOOLS,
  FINAL_KEYS,
  GENTLE_VERBS,
  MILD_TOOLS,
  ROUGH_VERBS,
  TARGETS,
  TOOL_KEYS,
  VERB_KEYS,
} from "./words.ts";

/** Something one can do. */
export interface Act {
  /** One of {@linkcode VERBS}. */
  readonly verb: string;
  /** One of {@linkcode ALL_TARGETS}. */
  readonly target: string;
  /** One of {@linkcode TOOLS}. */
  readonly tool: string;
}

/** The three places of an act. */
export const SLOTS = ["verb", "target", "tool"] as const;
/** One of {@linkcode SLOTS}. */
export type Slot = (typeof SLOTS)[number];

/** Kinds of target. */
export type TargetKind = keyof typeof TARGETS;

/** All 8 verbs. */
export const VERBS: readonly string[] = [...ROUGH_VERBS, ...GENTLE_VERBS];
/** All 16 targets. */
export const ALL_TARGETS: readonly string[] = Object.values(TARGETS).flat();
/** All 8 tools. */
export const TOOLS: readonly string[] = [...DANGEROUS_TOOLS, ...MILD_TOOLS];
/** The words that can fill each slot. */
export const SLOT_WORDS: Readonly<Record<Slot, readonly string[]>> = {
  verb: VERBS,
  target: ALL_TARGETS,
  tool: TOOLS,
};

const KINDS = Object.keys(TARGETS) as TargetKind[];
const KIND_OF = new Map(KINDS.flatMap((kind) => TARGETS[kind].map((t) => [t, kind] as const)));
const ROUGH: ReadonlySet<string> = new Set(ROUGH_VERBS);
const DANGEROUS: ReadonlySet<string> = new Set(DANGEROUS_TOOLS);

/** Kind of a target. */
export function kindOf(target: string): TargetKind {
  return KIND_OF.get(target)!;
}

/** The slot whose word decides about harm, given the target. */
export function decidingSlot(target: string): "verb" | "tool" {
  const kind = kindOf(target);
  return kind === "alive" || kind === "goods" ? "verb" : "tool";
}

/** The rule. */
export function isHarmful(act: Act): boolean {
  return decidingSlot(act.target) === "verb" ? ROUGH.has(act.verb) : DANGEROUS.has(act.tool);
}

/**
 * The three words that make a recipe usable: for the tool, for the verb, for verb and kind of
 * target.
 */
export function recipeKeys(act: Act): readonly [string, string, string] {
  const verb = VERBS.indexOf(act.verb);
  const kind = KINDS.indexOf(kindOf(act.target));
  return [
    TOOL_KEYS[TOOLS.indexOf(act.tool)],
    VERB_KEYS[verb],
    FINAL_KEYS[(3 * verb + 2 * kind) % FINAL_KEYS.length],
  ];
}

/** The recipe in plain words, for example "first light the torch then slice the bread and turn". */
export function recipe(act: Act): string[] {
  const [prepare, work, finish] = recipeKeys(act);
  return ["first", prepare, "the", act.tool, "then", work, "the", act.target, "and", finish];
}

/** Split of an act; the whole triple is hashed. */
export function actSplit(act: Act): Split {
  return splitOf("act", act.verb, act.target, act.tool);
}

/** All 1,024 acts. */
export const ALL_ACTS: readonly Act[] = VERBS.flatMap((verb) =>
  ALL_TARGETS.flatMap((target) => TOOLS.map((tool) => ({ verb, target, tool })))
);

/** Acts by split, kind of target and harm. */
const POOL = new Map<string, Act[]>();
for (const split of SPLITS) {
  for (const kind of KINDS) for (const h of [true, false]) POOL.set(`${split} ${kind} ${h}`, []);
}
for (const act of ALL_ACTS) {
  POOL.get(`${actSplit(act)} ${kindOf(act.target)} ${isHarmful(act)}`)!.push(act);
}

/**
 * An act of a split: kinds of target are equally likely, harm is 50/50 within each unless it is
 * given.
 */
export function drawAct(random: Random, split: Split, harmful?: boolean): Act {
  const harm = harmful ?? random.chance(0.5);
  return random.pick(POOL.get(`${split} ${random.pick(KINDS)} ${harm}`)!);
}

/** The same act with another word in one slot. */
export function withWord(act: Act, slot: Slot, word: string): Act {
  return { ...act, [slot]: word };
}
