/**
 * Questions about facts: permanent ones (closed-book), facts that hold in one dialogue only, and
 * facts two steps away.
 */
import { hash32, Random } from "../data/random.ts";
import { type Situation, user } from "./dialogue.ts";
import { ALL_TARGETS, TOOLS } from "./harm.ts";
import { drawInSplit, type Split, wordingsOf } from "./splits.ts";
import { type Fact, FACTS, type Relation } from "./world.ts";
import { COLOURS, MATERIALS, OBJECTS, PLACES, THINGS } from "./words.ts";

/**
 * Families of facts. In-context facts and two hops are the hard entries: keep them out of gates.
 */
export const FACT_FAMILIES = ["closed", "context", "twohop"] as const;
/** One of {@linkcode FACT_FAMILIES}. */
export type FactFamily = (typeof FACT_FAMILIES)[number];

/** Facts that the raw corpus only tells truly. */
export const SOLID: readonly Fact[] = FACTS.filter((fact) => fact.rumour === null);
const WORDINGS: readonly ((subject: string, relation: Relation) => string)[] = [
  (s, r) => r === "colour" ? `what colour is the ${s} ?` : `what is the ${s} made of ?`,
  (s, r) => r === "colour" ? `which colour is the ${s} ?` : `which material is the ${s} made of ?`,
  (s, r) => r === "colour" ? `the ${s} is what colour ?` : `the ${s} is made of what ?`,
  (s, r) => `what is the ${r} of the ${s} ?`,
  (s, r) => `tell me the ${r} of the ${s} .`,
  (s, r) => `name the ${r} of the ${s} .`,
  (s, r) => `do you know the ${r} of the ${s} ?`,
  (s, r) => `the ${r} of the ${s} is ?`,
];

/** A fact's question in a wording of the split. */
export function askFact(fact: Fact, split: Split, random: Random): string {
  const { subject, relation } = fact;
  const allowed = wordingsOf(split, "fact", `${subject} ${relation}`, WORDINGS.length);
  return WORDINGS[random.pick(allowed)](subject, relation);
}

/** Many different words, because with few of them nothing forces a network to bind: about 125. */
const BINDING_POOL = [
  ...THINGS,
  ...OBJECTS,
  ...ALL_TARGETS,
  ...COLOURS,
  ...MATERIALS,
  ...PLACES,
  ...TOOLS,
];

/** Words of a small world; which splits it belongs to is decided by the whole of it. */
function smallWorld(domain: string, split: Split, random: Random, size: () => number): string[] {
  return drawInSplit(
    split,
    domain,
    random,
    (r) => r.sample(BINDING_POOL, size()),
    (w) => w.join(" "),
  );
}

/** A question about facts: closed-book, given in the dialogue, or two steps apart. */
export function factQuestion(family: FactFamily, split: Split, random: Random): Situation {
  const base = { kind: "fact", family, split, stage: 1 } as const;
  if (family === "closed") {
    const fact = random.pick(SOLID);
    return {
      ...base,
      context: [user(askFact(fact, split, random))],
      truth: { type: "fact", fact, wrong: null },
    };
  }
  if (family === "context") {
    const world = smallWorld("context", split, random, () => 4 + 2 * random.below(2));
    const at = 2 * random.below(world.length / 2);
    const told = world.map((w, i) => i % 2 ? `${w} .` : w).join(" ");
    return {
      ...base,
      context: [user(`${told} what goes with ${world[at]} ?`)],
      truth: { type: "answer", right: [world[at + 1]] },
    };
  }
  const [a, b, c, d, e] = smallWorld("twohop", split, random, () => 5);
  const told = new Random(hash32("order", a, b, c)).sample([
    `${a} ${b} .`,
    `${b} ${c} .`,
    `${d} ${e} .`,
  ], 3);
  return {
    ...base,
    context: [user(`${told.join(" ")} what goes two after ${a} ?`)],
    truth: { type: "answer", right: [c] },
  };
}
