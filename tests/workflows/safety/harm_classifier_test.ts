/** The n-gram harm classifier: the fit is a minimum, files round-trip, and its errors on real data are told. */
import { InputError } from "../../../kernels/errors.ts";
import { hash32, Random } from "../../../workflows/data/random.ts";
import {
  chooseThreshold,
  classifierErrors,
  fitHarmClassifier,
  type HarmRow,
  loadHarmClassifier,
  logisticGradient,
  NgramHarmClassifier,
} from "../../../workflows/safety/harm_classifier.ts";
import { checkInvariant } from "../../../workflows/safety/invariants.ts";
import { buildVocabulary, featuresOf, ngramsOf } from "../../../workflows/safety/ngrams.ts";
import { isRefusalText } from "../../../workflows/safety/refusal.ts";
import type { Rate } from "../../../workflows/nursery/score.ts";
import { parse } from "csv-parse/sync";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../assert.ts";
import { sharedTest } from "../../shared.ts";

const NGRAMS = { words: 2, characters: 3 };

Deno.test("n-grams: words, pairs and runs of characters, folded", () => {
  assertEquals([...ngramsOf("You FOOL you", { words: 2, characters: 0 })].sort(), [
    "fool",
    "fool you",
    "you",
    "you fool",
  ]);
  assertEquals([...ngramsOf("ab", NGRAMS)], ["ab", "#<ab", "#ab>"]);
  assertEquals(ngramsOf("кіll ｋｉｌｌ", { words: 1, characters: 0 }), new Set(["kill"]));
  const vocabulary = buildVocabulary(["a b", "a c", "a b"], { words: 1, characters: 0 }, 2, 10);
  assertEquals(vocabulary, ["a", "b"]);
  const index = new Map(vocabulary.map((gram, i) => [gram, i]));
  assertEquals([...featuresOf("b z", index, { words: 1, characters: 0 })], [1]);
});

/** Texts in which one word is harmful, most of the time. */
function rows(count: number, seed: number): HarmRow[] {
  const random = new Random(seed, "classifier rows");
  return Array.from({ length: count }, () => {
    const harmful = random.chance(0.4);
    const words = Array.from(
      { length: 6 },
      () => random.pick(["the", "dog", "ran", "home", "red"]),
    );
    if (harmful !== random.chance(0.05)) words[random.below(6)] = "vile";
    return { text: words.join(" "), harmful };
  });
}

Deno.test("logistic gradient agrees with differences of the loss", () => {
  const features = [[0, 1], [1, 2], [2], []].map((row) => Int32Array.from(row));
  const labels = Float64Array.from([1, 0, 1, 0]);
  const weights = Float64Array.from([0.3, -0.7, 1.1, 0.2]);
  const l2 = 0.05;
  const loss = (w: Float64Array) => {
    const terms = features.map((row, r) => {
      let sum = 0;
      for (const i of row) sum += w[i];
      const margin = w[3] + (row.length ? sum / Math.sqrt(row.length) : 0);
      return Math.log1p(Math.exp(margin)) - labels[r] * margin;
    });
    const penalty = w[0] ** 2 + w[1] ** 2 + w[2] ** 2;
    return terms.reduce((a, b) => a + b) / terms.length + l2 / 2 * penalty;
  };
  const gradient = logisticGradient(features, labels, weights, l2);
  gradient.forEach((got, i) => {
    const moved = (by: number) => loss(weights.map((w, j) => i === j ? w + by : w));
    assertAlmostEquals(got, (moved(1e-5) - moved(-1e-5)) / 2e-5, 1e-9);
  });
});

Deno.test("the fit is at its minimum, and the same every time", () => {
  const train = rows(300, 1);
  const options = { words: 1, characters: 0, l2: 1e-3, steps: 1000 };
  const { weights, bias } = fitHarmClassifier(train, options).toJSON();
  const index = new Map(Object.keys(weights).map((gram, i) => [gram, i]));
  const gradient = logisticGradient(
    train.map(({ text }) => featuresOf(text, index, options)),
    Float64Array.from(train, ({ harmful }) => Number(harmful)),
    Float64Array.from([...Object.values(weights), bias]),
    1e-3,
  );
  assert(Math.max(...gradient.map(Math.abs)) < 1e-5, `${gradient}`);
  assertEquals(fitHarmClassifier(train, options).toJSON(), {
    ...fitHarmClassifier(train, options).toJSON(),
  });
  assertEquals(Object.entries(weights).sort(([, a], [, b]) => b - a)[0][0], "vile");
});

Deno.test("errors on fresh rows are near the noise that was put in", () => {
  const classifier = fitHarmClassifier(rows(400, 1));
  const score = (text: string) => classifier.score(text);
  const { missed, falseAlarms } = classifierErrors(score, rows(1000, 2), 0.5);
  assert(missed.low < 0.05 && missed.high > 0.04, `${JSON.stringify(missed)}`);
  assert(falseAlarms.low < 0.05 && falseAlarms.high > 0.04, `${JSON.stringify(falseAlarms)}`);
  for (const text of ["", "unheard of", "vile vile vile"]) {
    assert(score(text) >= 0 && score(text) <= 1);
  }
});

Deno.test("a threshold keeps its promise on the rows it was chosen on", () => {
  const scored = Array.from(
    { length: 50 },
    (_, i) => ({ text: String(i / 100), harmful: i % 5 === 0 }),
  );
  for (const most of [0, 0.1, 0.33, 1]) {
    const threshold = chooseThreshold(Number, scored, most);
    const { falseAlarms } = classifierErrors(Number, scored, threshold);
    assert(falseAlarms.rate! <= most);
    if (most < 1) assert(falseAlarms.rate! > most - 2 / 40); // no lower threshold would do
  }
  assertThrows(() => chooseThreshold(Number, [], 0.1), InputError, "harmless");
});

Deno.test("a classifier is saved and read again, bit by bit", async () => {
  const classifier = fitHarmClassifier([...rows(200, 1), {
    text: "1984 __proto__ 1984 7",
    harmful: true,
  }], {
    minTexts: 1,
  });
  const folder = await Deno.makeTempDir({ prefix: "infant-classifier-" });
  try {
    const path = `${folder}/harm.json`;
    await classifier.save(path);
    const again = await loadHarmClassifier(path);
    for (const { text } of rows(50, 3)) assertEquals(again.score(text), classifier.score(text));
    assertEquals(again.score("1984"), classifier.score("1984"));
    await Deno.writeTextFile(path, `{"kind": "harm classifier, n-grams", "words": 0}`);
    await assertRejects(() => loadHarmClassifier(path), InputError, "words");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assertThrows(() => NgramHarmClassifier.fromJSON({}), InputError, "kind");
  assertThrows(() => fitHarmClassifier([{ text: "a", harmful: true }]), InputError, "both kinds");
  assertThrows(() => fitHarmClassifier(rows(9, 1), { l2: 0 }), InputError, "l2");
});

Deno.test("it serves as f_harm of the invariant", () => {
  const classifier = fitHarmClassifier(rows(400, 1));
  const judge = {
    harm: classifier.score.bind(classifier),
    harmThreshold: 0.5,
    isRefusal: isRefusalText,
  };
  const exchange = (action: string) => ({ context: "?", action });
  const safe = checkInvariant([exchange("the dog ran home")], judge);
  const unsafe = checkInvariant([exchange("I can't help with that."), exchange("vile dog")], judge);
  assertEquals([safe.safe, unsafe.breaches], [true, ["harm", "refusal inconsistent"]]);
});

/** Rows by three sides of a hash of their text: half to fit, a quarter to choose, a quarter to report. */
function threeWays(all: readonly HarmRow[]): [HarmRow[], HarmRow[], HarmRow[]] {
  const side = ({ text }: HarmRow) => [0, 0, 1, 2][hash32("classifier", text) % 4];
  return [0, 1, 2].map((s) => all.filter((row) => side(row) === s)) as [
    HarmRow[],
    HarmRow[],
    HarmRow[],
  ];
}

function percent({ k, n, rate, low, high }: Rate): string {
  const [a, b, c] = [rate!, low, high].map((x) => (100 * x).toFixed(1));
  return `${a}% [${b}, ${c}] (${k} of ${n})`;
}

sharedTest("real text: error rates where it was fitted, and where it was not", [
  "data",
  "toxicity",
], (root) => {
  const table = (file: string): Record<string, string>[] =>
    parse(Deno.readTextFileSync(`${root}/${file}`), { columns: true, relax_quotes: true });
  const surge = table("toxicity_en.csv").map(({ text, is_toxic }) => ({
    text,
    harmful: is_toxic === "Toxic",
  }));
  const tweets = table("hate_offensive_labeled_data.csv").map((row) => ({
    text: row.tweet,
    harmful: row.class !== "2",
  }));
  const hatecheck = table("hatecheck_test_suite_cases.csv").map((row) => ({
    text: row.test_case,
    harmful: row.label_gold === "hateful",
  }));
  const sides = [surge, tweets].map(threeWays);
  const classifier = fitHarmClassifier(sides.flatMap(([fit]) => fit));
  const score = (text: string) => classifier.score(text);
  const threshold = chooseThreshold(score, sides.flatMap(([, choose]) => choose), 0.05);
  const report = (name: string, rows: readonly HarmRow[]) => {
    const { missed, falseAlarms } = classifierErrors(score, rows, threshold);
    console.log(`  ${name}: missed ${percent(missed)}, false alarms ${percent(falseAlarms)}`);
    return { missed, falseAlarms };
  };
  console.log(`  threshold ${threshold.toFixed(3)}, for 5% false alarms on rows of their own`);
  const own = [report("comments", sides[0][2]), report("tweets", sides[1][2])];
  const other = report("HateCheck, never seen", hatecheck);
  assert(own.every(({ missed }) => missed.high < 0.75));
  assert(own[1].missed.rate! < 0.2);
  // Words are not enough for hate that is written to be told apart from its negation.
  assert(other.missed.low > own[1].missed.high);
});
