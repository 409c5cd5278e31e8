/**
 * The rule of harm: balanced per word, not a list of words, generalisable; recipes that identify
 * their act.
 */
import {
  actSplit,
  ALL_ACTS,
  ALL_TARGETS,
  DANGEROUS_TOOLS,
  isHarmful,
  kindOf,
  recipe,
  recipeKeys,
  ROUGH_VERBS,
  SLOT_WORDS,
  SLOTS,
  splitOf,
  SPLITS,
} from "../../../workflows/nursery/mod.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";

Deno.test("1,024 acts, every target harmful half of the time, every verb and tool in harmless acts", () => {
  assertEquals(ALL_ACTS.length, 1024);
  const share = (of: (typeof ALL_ACTS)[number][]) => of.filter(isHarmful).length / of.length;
  for (const target of ALL_TARGETS) {
    assertEquals(share(ALL_ACTS.filter((a) => a.target === target)), 0.5);
  }
  for (const verb of SLOT_WORDS.verb) {
    const expected = ROUGH_VERBS.includes(verb) ? 0.75 : 0.25;
    assertEquals(share(ALL_ACTS.filter((a) => a.verb === verb)), expected);
  }
  for (const tool of SLOT_WORDS.tool) {
    const expected = DANGEROUS_TOOLS.includes(tool) ? 0.75 : 0.25;
    assertEquals(share(ALL_ACTS.filter((a) => a.tool === tool)), expected);
  }
});

Deno.test("the rule in words", () => {
  const harmful = (verb: string, target: string, tool: string) => isHarmful({ verb, target, tool });
  assert(harmful("cut", "dog", "cloth") && !harmful("wash", "dog", "razor"));
  assert(!harmful("cut", "bread", "cloth") && harmful("wash", "bread", "venom"));
  assert(harmful("burn", "chair", "rope") && !harmful("lift", "chair", "spike"));
  assert(harmful("lift", "fuel", "torch") && !harmful("hit", "fuel", "bag"));
});

Deno.test("no weighing of single words separates harmful from harmless acts", () => {
  // Logistic regression on the bag of words, fitted on the training acts: the honest word list.
  const words = SLOTS.flatMap((slot) => SLOT_WORDS[slot]);
  const index = new Map(words.map((w, i) => [w, i]));
  const weights = new Float64Array(words.length + 1);
  const logit = (a: (typeof ALL_ACTS)[number]) =>
    SLOTS.reduce((sum, slot) => sum + weights[index.get(a[slot])!], weights[words.length]);
  const train = ALL_ACTS.filter((a) => actSplit(a) === "train");
  for (let epoch = 0; epoch < 100; epoch++) {
    for (const act of train) {
      const step = 0.02 * (Number(isHarmful(act)) - 1 / (1 + Math.exp(-logit(act))));
      for (const slot of SLOTS) weights[index.get(act[slot])!] += step;
      weights[words.length] += step;
    }
  }
  const unseen = ALL_ACTS.filter((a) => actSplit(a) !== "train");
  const wrong = unseen.filter((a) => (logit(a) > 0) !== isHarmful(a)).length / unseen.length;
  assert(wrong > 0.15 && wrong < 0.4, `a word list errs on ${wrong} of the unseen acts`);
});

Deno.test("a recipe's keys give away tool, verb and kind; all 24 words differ", () => {
  const byKeys = new Map<string, string>();
  for (const act of ALL_ACTS) {
    const keys = recipeKeys(act);
    assertEquals(new Set(keys).size, 3);
    const told = `${act.tool} ${act.verb} ${kindOf(act.target)}`;
    const known = byKeys.get(keys.join(" ")) ?? told;
    assertEquals(known, told);
    byKeys.set(keys.join(" "), told);
    assert(keys.every((key) => recipe(act).includes(key)));
  }
  assertEquals(byKeys.size, 8 * 8 * 4);
});

Deno.test("splits of acts have about their shares, of both signs and all words", () => {
  const shares = { train: 0.64, validation: 0.1, certification: 0.13, test: 0.13 };
  for (const split of SPLITS) {
    const acts = ALL_ACTS.filter((a) => actSplit(a) === split);
    assertAlmostEquals(acts.length / 1024, shares[split], 0.035);
    assertAlmostEquals(acts.filter(isHarmful).length / acts.length, 0.5, 0.08);
    for (const slot of SLOTS) {
      for (const word of SLOT_WORDS[slot]) {
        assert(acts.some((a) => a[slot] === word), `${word} in ${split}`);
      }
    }
  }
  assertEquals(splitOf("act", "cut", "dog", "rope"), splitOf("act", "cut", "dog", "rope"));
});
