/**
 * A harm classifier of our own parts, f_harm of INFANT Eq. 2 for real text: logistic regression over
 * a bag of n-grams, fitted on the user's labelled rows.
 *
 * Small and honest rather than good: it knows words, not what they are said for. Its error rates on
 * data it never saw belong beside every number that rests on it ({@linkcode classifierErrors}).
 *
 * The fit minimises mean log-loss + (l2 / 2) |w|^2, which is convex, by Nesterov's accelerated
 * gradient with the step that the Lipschitz constant gives: no tuning, no randomness.
 */
import { z } from "zod";
import { InputError } from "../../kernels/errors.ts";
import { writeFileAtomic } from "../files.ts";
import { readJson } from "../model_files/files.ts";
import type { Rate } from "../nursery/score.ts";
import { buildVocabulary, featuresOf, type NgramOptions } from "./ngrams.ts";
import { textOf, type Utterance } from "./trajectory.ts";
import { shareOf } from "./violation.ts";

/** A labelled text. */
export interface HarmRow {
  /** The text. */
  readonly text: string;
  /** Whether it is harmful. */
  readonly harmful: boolean;
}

/** How a classifier is fitted. */
export interface HarmClassifierOptions extends NgramOptions {
  /** Fewest texts in which an n-gram occurs. */
  readonly minTexts: number;
  /** Most n-grams kept. */
  readonly maxFeatures: number;
  /** Strength of the penalty on weights, above 0. */
  readonly l2: number;
  /** Steps of the fit. */
  readonly steps: number;
}

/** Settings without further word. */
export const DEFAULT_HARM_CLASSIFIER: HarmClassifierOptions = {
  words: 2,
  characters: 4,
  minTexts: 2,
  maxFeatures: 30_000,
  l2: 1e-4,
  steps: 300,
};

/** A classifier as its file holds it. */
export interface SavedHarmClassifier extends NgramOptions {
  /** What the file is. */
  readonly kind: "harm classifier, n-grams";
  /** Added to every margin. */
  readonly bias: number;
  /** Weight of each n-gram; runs of characters begin with "#". */
  readonly weights: Readonly<Record<string, number>>;
}

const FILE: z.ZodType<SavedHarmClassifier> = z.strictObject({
  kind: z.literal("harm classifier, n-grams"),
  words: z.int().min(1),
  characters: z.int().min(0),
  bias: z.number(),
  weights: z.record(z.string(), z.number()),
});

/** Logistic regression over a bag of n-grams. */
export class NgramHarmClassifier {
  readonly #ngrams: NgramOptions;
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #weights: Float64Array;
  readonly #bias: number;

  /**
   * A classifier from its parts; {@linkcode fitHarmClassifier} makes one from rows.
   * @param weights One for each n-gram of the vocabulary.
   */
  constructor(
    ngrams: NgramOptions,
    vocabulary: readonly string[],
    weights: Float64Array,
    bias: number,
  ) {
    this.#ngrams = { words: ngrams.words, characters: ngrams.characters };
    this.#vocabulary = new Map(vocabulary.map((gram, i) => [gram, i]));
    this.#weights = weights;
    this.#bias = bias;
  }

  /** f_harm: the estimated probability that a text is harmful, in [0, 1]. */
  score(said: Utterance): number {
    const features = featuresOf(textOf(said), this.#vocabulary, this.#ngrams);
    return sigmoid(margin(features, this.#weights, this.#bias));
  }

  /** Weights by n-gram, as saved. */
  toJSON(): SavedHarmClassifier {
    const weights = [...this.#vocabulary].map(([gram, i]) => [gram, this.#weights[i]] as const);
    return {
      kind: "harm classifier, n-grams",
      ...this.#ngrams,
      bias: this.#bias,
      weights: Object.fromEntries(weights),
    };
  }

  /** Reads what {@linkcode toJSON} wrote. @throws {InputError} naming `source` and the mistake. */
  static fromJSON(value: unknown, source = "harm classifier"): NgramHarmClassifier {
    const { success, data, error } = FILE.safeParse(value);
    if (!success) {
      const [{ path, message }] = error.issues;
      throw new InputError(`${source}: ${path.join(".") || "file"}: ${message}`);
    }
    const weights = Float64Array.from(Object.values(data.weights));
    return new NgramHarmClassifier(data, Object.keys(data.weights), weights, data.bias);
  }

  /** Writes the classifier as JSON. */
  async save(path: string): Promise<void> {
    await writeFileAtomic(path, JSON.stringify(this) + "\n");
  }
}

function sigmoid(x: number): number {
  return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x));
}

function margin(features: Int32Array, weights: Float64Array, bias: number): number {
  let sum = 0;
  for (const i of features) sum += weights[i];
  return bias + (features.length ? sum / Math.sqrt(features.length) : 0);
}

/**
 * Gradient of the mean log-loss + (l2 / 2) |w|^2; the bias, which is not penalised, comes last.
 * @param labels 1 for harmful, 0 for not.
 */
export function logisticGradient(
  features: readonly Int32Array[],
  labels: Float64Array,
  weights: Float64Array,
  l2: number,
): Float64Array {
  const bias = weights.length - 1;
  const gradient = weights.map((w, i) => i === bias ? 0 : l2 * w);
  features.forEach((row, r) => {
    const error = (sigmoid(margin(row, weights, weights[bias])) - labels[r]) / features.length;
    const each = error / Math.sqrt(row.length);
    for (const i of row) gradient[i] += each;
    gradient[bias] += error;
  });
  return gradient;
}

/**
 * Fits a harm classifier on labelled texts.
 * @throws {InputError} unless both harmful and harmless texts are given.
 */
export function fitHarmClassifier(
  rows: readonly HarmRow[],
  options: Partial<HarmClassifierOptions> = {},
): NgramHarmClassifier {
  const settings = { ...DEFAULT_HARM_CLASSIFIER, ...options };
  const { l2, steps, minTexts, maxFeatures } = settings;
  if (!(l2 > 0)) throw new InputError(`harm classifier: l2 must be above 0, found ${l2}`);
  const harmful = rows.filter((row) => row.harmful).length;
  if (harmful === 0 || harmful === rows.length) {
    throw new InputError(
      `harm classifier: ${harmful} of ${rows.length} rows are harmful; give rows of both kinds`,
    );
  }
  const texts = rows.map(({ text }) => text);
  const vocabulary = buildVocabulary(texts, settings, minTexts, maxFeatures);
  const index = new Map(vocabulary.map((gram, i) => [gram, i]));
  const features = texts.map((text) => featuresOf(text, index, settings));
  const labels = Float64Array.from(rows, (row) => Number(row.harmful));

  // A row and its bias have squared length 2 at most, the logistic curve has curvature 1/4.
  const step = 1 / (0.5 + l2);
  let weights = new Float64Array(vocabulary.length + 1);
  let ahead = weights;
  for (let t = 0; t < steps; t++) {
    const gradient = logisticGradient(features, labels, ahead, l2);
    const next = ahead.map((w, i) => w - step * gradient[i]);
    const momentum = t / (t + 3);
    ahead = next.map((w, i) => w + momentum * (w - weights[i]));
    weights = next;
  }
  return new NgramHarmClassifier(
    settings,
    vocabulary,
    weights.subarray(0, vocabulary.length),
    weights[vocabulary.length],
  );
}

/** What a classifier gets wrong at a threshold. */
export interface ClassifierErrors {
  /** Harmful texts not seen as such, of all harmful ones. */
  readonly missed: Rate;
  /** Harmless texts taken for harmful, of all harmless ones. */
  readonly falseAlarms: Rate;
}

/**
 * Error rates of f_harm on rows that it was not fitted on, with exact intervals. A text is taken for
 * harmful strictly above the threshold (Eq. 2).
 * @throws {InputError} unless 0 < confidence < 1.
 */
export function classifierErrors(
  score: (text: string) => number,
  rows: readonly HarmRow[],
  harmThreshold: number,
  confidence = 0.95,
): ClassifierErrors {
  const flagged = ({ text }: HarmRow) => score(text) > harmThreshold;
  const harmless = rows.filter((row) => !row.harmful);
  return {
    missed: shareOf(rows.filter((row) => row.harmful), (row) => !flagged(row), confidence),
    falseAlarms: shareOf(harmless, flagged, confidence),
  };
}

/**
 * The lowest threshold at which at most this share of harmless texts is taken for harmful. Choose it
 * on one set and report errors on another.
 * @throws {InputError} without harmless rows.
 */
export function chooseThreshold(
  score: (text: string) => number,
  rows: readonly HarmRow[],
  mostFalseAlarms: number,
): number {
  const scores = rows.filter((row) => !row.harmful).map(({ text }) => score(text));
  if (scores.length === 0) throw new InputError("chooseThreshold: give harmless rows");
  scores.sort((a, b) => b - a);
  return scores[Math.min(scores.length - 1, Math.floor(mostFalseAlarms * scores.length))];
}

/** Reads a saved classifier. @throws {InputError} when it is missing or is not one. */
export async function loadHarmClassifier(path: string): Promise<NgramHarmClassifier> {
  return NgramHarmClassifier.fromJSON(await readJson(path), path);
}
