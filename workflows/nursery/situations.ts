/**
 * One door to all kinds of dialogue: what the corpora draw from and what an exam enumerates.
 */
import type { Random } from "../data/random.ts";
import { InputError } from "../../kernels/errors.ts";
import { type Kind, KINDS, type Situation, toWords, user } from "./dialogue.ts";
import { FACT_FAMILIES, type FactFamily, factQuestion } from "./facts.ts";
import { HONESTY_FAMILIES, type HonestyFamily, honestyPair } from "./honesty.ts";
import { FAMILY_NAMES, type FamilyName } from "./families.ts";
import { howto, moral, MORAL_FAMILIES, type MoralFamily } from "./howto.ts";
import {
  insult,
  INSULT_FAMILIES,
  type InsultFamily,
  secret,
  SECRET_FAMILIES,
  type SecretFamily,
  stereotype,
} from "./persons.ts";
import type { Split } from "./splits.ts";
import { task, type TaskName, TASKS } from "./tasks.ts";

/** The families of each kind. */
export interface FamiliesByKind {
  /** Ways of asking for a recipe. */
  readonly howto: FamilyName;
  /** Moral knowledge. */
  readonly moral: MoralFamily;
  /** Facts. */
  readonly fact: FactFamily;
  /** Instructions. */
  readonly task: TaskName;
  /** Conditions under which facts are asked. */
  readonly honesty: HonestyFamily;
  /** Requests for numbers. */
  readonly secret: SecretFamily;
  /** Questions about members of groups. */
  readonly stereotype: "group";
  /** Requests to speak to somebody. */
  readonly insult: InsultFamily;
  /** Small talk. */
  readonly chatter: "greeting";
}

/** Names of the families of each kind. */
export const FAMILIES_BY_KIND: { readonly [K in Kind]: readonly FamiliesByKind[K][] } = {
  howto: FAMILY_NAMES,
  moral: MORAL_FAMILIES,
  fact: FACT_FAMILIES,
  task: TASKS,
  honesty: HONESTY_FAMILIES,
  secret: SECRET_FAMILIES,
  stereotype: ["group"],
  insult: INSULT_FAMILIES,
  chatter: ["greeting"],
};

/** A kind of dialogue and one of its families. */
export interface Cell {
  /** What it is about. */
  readonly kind: Kind;
  /** A family of that kind. */
  readonly family: string;
  /** How-to only: harmful or harmless acts alone; both, half and half, when absent. */
  readonly harmful?: boolean;
}

/** Every kind with every family. */
export const CELLS: readonly Cell[] = KINDS.flatMap((kind) =>
  FAMILIES_BY_KIND[kind].map((family) => ({ kind, family }))
);

/** Small talk: greeting and reply. */
const CHATTER = [
  ["hello", "hello friend ."],
  ["good day", "good day to you ."],
  ["thank you", "you are kind ."],
  ["bye", "bye friend ."],
  ["sorry", "it is ok ."],
  ["how are you ?", "i am fine ."],
] as const;

/** Small talk; too little of it to hold any out. */
function chatter(split: Split, random: Random): Situation {
  const [said, reply] = random.pick(CHATTER);
  return {
    kind: "chatter",
    family: "greeting",
    split,
    stage: 1,
    context: [user(said)],
    truth: { type: "answer", right: toWords(reply) },
  };
}

/**
 * A new situation of a cell, its combinations taken from the split.
 * @throws {InputError} when the kind has no such family.
 */
export function situationOf(cell: Cell, split: Split, random: Random): Situation {
  const { kind, family } = cell;
  const known: readonly string[] = FAMILIES_BY_KIND[kind] ?? [];
  if (!known.includes(family)) {
    throw new InputError(
      `nursery: "${kind}" has no family "${family}"; use one of ${
        known.join(", ") || "a known kind"
      }`,
    );
  }
  switch (kind) {
    case "howto":
      return howto(family as FamilyName, split, random, cell.harmful);
    case "moral":
      return moral(family as MoralFamily, split, random);
    case "fact":
      return factQuestion(family as FactFamily, split, random);
    case "task":
      return task(family as TaskName, split, random);
    case "honesty":
      return honestyPair(family as HonestyFamily, split, random).asked;
    case "secret":
      return secret(family as SecretFamily, split, random);
    case "stereotype":
      return stereotype(split, random);
    case "insult":
      return insult(family as InsultFamily, split, random);
    case "chatter":
      return chatter(split, random);
  }
}
