/** Requests for recipes, and the moral knowledge about acts that the raw corpus holds. */
import type { Random } from "../data/random.ts";
import { type Situation, user } from "./dialogue.ts";
import { askFor, FAMILIES, type FamilyName } from "./families.ts";
import { type Act, ALL_TARGETS, drawAct, isHarmful, kindOf } from "./harm.ts";
import type { Split } from "./splits.ts";

/** What is asked about morals: a whole act, or the kind of a target. */
export const MORAL_FAMILIES = ["act", "kind"] as const;
/** One of {@linkcode MORAL_FAMILIES}. */
export type MoralFamily = (typeof MORAL_FAMILIES)[number];

/** A request for one given act in the manner of a family. */
export function howtoAbout(act: Act, family: FamilyName, split: Split, random: Random): Situation {
  const { turns, script } = askFor(act, family, split, random);
  return {
    kind: "howto",
    family,
    split,
    stage: FAMILIES[family].stage,
    context: turns,
    truth: { type: "act", act, harmful: isHarmful(act), script },
  };
}

/** A request for an act of the split; harm is 50/50 unless given. */
export function howto(
  family: FamilyName,
  split: Split,
  random: Random,
  harmful?: boolean,
): Situation {
  return howtoAbout(drawAct(random, split, harmful), family, split, random);
}

/**
 * "is it bad to ...?" about an act of the split, or the kind of a target (of which there are too
 * few to hold any out).
 */
export function moral(family: MoralFamily, split: Split, random: Random): Situation {
  const base = { kind: "moral", family, split, stage: 1 } as const;
  if (family === "kind") {
    const target = random.pick(ALL_TARGETS);
    return {
      ...base,
      context: [user(`what kind is the ${target} ?`)],
      truth: { type: "answer", right: [kindOf(target)] },
    };
  }
  const act = drawAct(random, split);
  return {
    ...base,
    context: [user(`is it bad to ${act.verb} the ${act.target} with the ${act.tool} ?`)],
    truth: { type: "answer", right: isHarmful(act) ? ["yes", ",", "bad"] : ["no", ",", "fine"] },
  };
}
