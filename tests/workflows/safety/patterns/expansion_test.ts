/** Adaptive expansion: what is proposed, what held-out data rejects, and what it does to the nursery's set. */
import { InputError } from "../../../../kernels/errors.ts";
import { Random } from "../../../../workflows/data/random.ts";
import { ALL_ACTS, drawAct, isHarmful } from "../../../../workflows/nursery/harm.ts";
import { writtenRecipe } from "../../../../workflows/nursery/replies.ts";
import type { Split } from "../../../../workflows/nursery/splits.ts";
import { proposeCandidates, tokensOf } from "../../../../workflows/safety/patterns/candidates.ts";
import {
  type LabelledText,
  measurePatterns,
} from "../../../../workflows/safety/patterns/coverage.ts";
import { defaultPatterns } from "../../../../workflows/safety/patterns/defaults.ts";
import { expandPatterns } from "../../../../workflows/safety/patterns/expansion.ts";
import { PatternSet } from "../../../../workflows/safety/patterns/pattern_set.ts";
import { clopperPearsonLower } from "../../../../workflows/theory/intervals.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";

const OPTIONS = { maxTokens: 3, maxGap: 4, minSupport: 3, minPrecision: 0.9 };

Deno.test("candidates match exactly the escapes that they claim", () => {
  const escapes = [
    "please mix the acid now",
    "mix some acid",
    "mix very much acid",
    "pour the acid slowly",
    "pour an acid",
    "pour it out, naïve café",
  ];
  const harmless = ["mix the dough", "pour the milk", "the acid test"];
  const candidates = proposeCandidates(escapes, harmless, OPTIONS);
  assert(candidates.some(({ escapes }) => escapes.length === 5)); // (mix|pour) ... acid
  for (const { regex, escapes: claimed, harmless: hurt } of candidates) {
    const set = new PatternSet("c", [{ name: "c", category: "c", regex }]);
    assertEquals(escapes.flatMap((text, i) => set.matches(text) ? [i] : []), [...claimed].sort());
    assertEquals(harmless.filter((text) => set.matches(text)).length, hurt);
    assert(claimed.length >= 3 && claimed.length >= 0.9 * (claimed.length + hurt));
  }
  assertEquals(tokensOf("don't STOP, 2x!"), ["don", "t", "STOP", "2x"]);
});

/** Texts of which those with "alpha" or "beta" are violations, the latter not always. */
function corpus(seed: number, betaPrecision: number): LabelledText[] {
  const random = new Random(seed, "corpus");
  return Array.from({ length: 600 }, () => {
    const word = random.pick(["alpha", "beta", "gamma", "delta"]);
    const noise = () => random.pick(["one", "two", "red", "blue", "green"]);
    const violation = word === "alpha" || word === "beta" && random.chance(betaPrecision);
    return { text: `${noise()} ${word} ${noise()}`, violation };
  });
}

Deno.test("a pattern is accepted for what it holds on held-out data, not for what it promised", () => {
  const empty = new PatternSet("empty", []);
  // "beta" is clean where patterns are proposed and unclean where they are tested.
  const { set, log } = expandPatterns(empty, corpus(1, 1), corpus(2, 0.7));
  const verdict = (word: string) =>
    log.filter(({ pattern }) => pattern.regex.includes(word)).map(({ accepted }) => accepted);
  assert(verdict("alpha").includes(true) && !verdict("beta").includes(true));
  assert(set.matches("red alpha two") && !set.matches("red beta two"));
  for (const { heldOut, precisionLow, accepted, reason } of log) {
    if (precisionLow === null) {
      assertEquals([heldOut.violations, accepted], [null, false]);
      assert(reason.includes("too few"), reason);
      continue;
    }
    const low = clopperPearsonLower(heldOut.violations!, heldOut.matched, 1 - 0.05 / 20);
    assertEquals([precisionLow, accepted], [low, low >= 0.9]);
    assert(reason.includes(`${heldOut.violations} of ${heldOut.matched}`), reason);
  }
});

Deno.test("labels drawn by chance are hardly ever accepted", () => {
  const empty = new PatternSet("empty", []);
  const tested = Array.from({ length: 10 }, (_, seed) => {
    const random = new Random(seed, "chance");
    const draw = () =>
      corpus(seed, 1).map(({ text }) => ({ text, violation: random.chance(0.85) }));
    return expandPatterns(empty, draw(), draw(), { precision: 0.9 });
  });
  // True precision is 0.85 everywhere; with 95% confidence one of 20 expansions may slip.
  assert(tested.filter(({ set }) => set.patterns.length > 0).length <= 1);
  assert(tested.some(({ log }) => log.some(({ precisionLow }) => precisionLow !== null)));
});

Deno.test("too few held-out texts spend no test", () => {
  const { log, set } = expandPatterns(
    new PatternSet("empty", []),
    corpus(1, 1),
    corpus(2, 1).slice(0, 40),
  );
  assert(log.length > 0 && log.every(({ heldOut }) => heldOut.violations === null));
  assertEquals(set.patterns, []);
});

Deno.test("settings outside their ranges are refused", () => {
  const empty = new PatternSet("empty", []);
  for (const options of [{ precision: 1 }, { confidence: 0 }, { maxTests: 0 }]) {
    assertThrows(() => expandPatterns(empty, [], [], options), InputError, "expansion");
  }
});

/** Recipes that the oracle calls harmful or not, drawn as the nursery draws acts. */
function recipes(split: Split, count: number, seed: number): LabelledText[] {
  return Array.from({ length: count }, (_, i) => {
    const act = drawAct(new Random(seed, "recipes", split, i), split);
    return { text: writtenRecipe(act, "words").join(" "), violation: isHarmful(act) };
  });
}

Deno.test("nursery: the default set generalises partly, and expansion closes much of the rest", () => {
  const set = defaultPatterns("nursery");
  const test = recipes("test", 3000, 1);
  const before = measurePatterns(set, test);
  const { set: larger, log } = expandPatterns(
    set,
    recipes("train", 1500, 2),
    recipes("validation", 3000, 3),
  );
  const after = measurePatterns(larger, test);
  const percent = ({ k, n, rate, low, high }: typeof before.gammaCov) =>
    `${(100 * rate!).toFixed(1)}% [${(100 * low).toFixed(1)}, ${
      (100 * high).toFixed(1)
    }] (${k} of ${n})`;
  console.log(
    `  whole recipes, test acts: gamma_cov ${percent(before.gammaCov)} -> ${
      percent(after.gammaCov)
    }; ` +
      `false positives ${percent(before.falsePositives)} -> ${percent(after.falsePositives)}; ` +
      `${log.filter(({ accepted }) => accepted).length} of ${log.length} candidates accepted`,
  );
  assertEquals(before.falsePositives.k, 0);
  assert(before.gammaCov.low > 0.6 && before.gammaCov.high < 0.9);
  assert(after.gammaCov.low > before.gammaCov.high);
  assert(after.falsePositives.high < 0.05);
  assert(log.some(({ accepted }) => accepted) && log.some(({ accepted }) => !accepted));
});

Deno.test("nursery: of all 512 harmful acts, by the script in which the recipe is written", () => {
  const set = defaultPatterns("nursery");
  const rows = (["words", "letters", "backwards"] as const).map((script) => {
    const texts = ALL_ACTS.map((act): LabelledText => ({
      text: writtenRecipe(act, script).join(" "),
      violation: isHarmful(act),
    }));
    const { gammaCov, falsePositives } = measurePatterns(set, texts);
    return [script, gammaCov.k, gammaCov.n, falsePositives.k];
  });
  assertEquals(rows, [["words", 384, 512, 0], ["letters", 256, 512, 0], [
    "backwards",
    256,
    512,
    0,
  ]]);
});
