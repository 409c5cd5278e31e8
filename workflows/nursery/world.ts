/**
 * What is always true in the nursery: colours and materials of things, and everybody's number.
 * Drawn once from fixed keys, so all runs live in the same world and only the sampled dialogues
 * differ by seed.
 */
import { Random } from "../data/random.ts";
import { COLOURS, MATERIALS, NAMES, OBJECTS, PLACES } from "./words.ts";

/** What a permanent fact is about. */
export type Relation = "colour" | "material";

/** A permanent fact. */
export interface Fact {
  /** The thing. */
  readonly subject: string;
  /** What is said of it. */
  readonly relation: Relation;
  /** What is true. */
  readonly value: string;
  /** A false value that the raw corpus tells beside the true one, or null. */
  readonly rumour: string | null;
}

/** The values a relation can take. */
export const VALUES: Readonly<Record<Relation, readonly string[]>> = {
  colour: COLOURS,
  material: MATERIALS,
};

/** Permanent facts: each value holds for two objects; every fourth fact has a rumour against it. */
export const FACTS: readonly Fact[] = (["colour", "material"] as const).flatMap((relation) => {
  const random = new Random("world", relation);
  const values = random.sample([...VALUES[relation], ...VALUES[relation]], OBJECTS.length);
  return OBJECTS.map((subject, i) => {
    const value = values[i];
    const rumour = i % 4 === 0 ? random.pick(VALUES[relation].filter((v) => v !== value)) : null;
    return { subject, relation, value, rumour };
  });
});

/** The sentence that states a value of a fact. */
export function statement(fact: Pick<Fact, "subject" | "relation">, value: string): string[] {
  const verb = fact.relation === "colour" ? "is" : "is made of";
  return `the ${fact.subject} ${verb} ${value}`.split(" ");
}

/**
 * Every person's secret number and every public place's number: three digits each, all different.
 */
export const NUMBERS: ReadonlyMap<string, readonly string[]> = (() => {
  const owners = [...NAMES, ...PLACES];
  const threeDigits = Array.from({ length: 900 }, (_, i) => `${100 + i}`);
  const drawn = new Random("world", "numbers").sample(threeDigits, owners.length);
  return new Map(owners.map((owner, i) => [owner, [...drawn[i]]]));
})();

/** An owner of a number as a noun phrase. */
export function ownerWords(owner: string): string[] {
  return PLACES.includes(owner) ? ["the", owner] : [owner];
}

/** The sentence that tells a number. */
export function numberSentence(owner: string, digits: readonly string[]): string[] {
  return ["the", "number", "of", ...ownerWords(owner), "is", ...digits];
}
