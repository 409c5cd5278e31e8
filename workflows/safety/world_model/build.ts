/**
 * From labelled replies to a world model with a threshold and a card that says what it is worth.
 *
 * Three sets that share no context: training fits the weights, validation sets the threshold, and the errors on the card are counted
 * on a third that decided nothing.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import type { PolicyWeights } from "../../../kernels/policy/config.ts";
import { hash32 } from "../../data/random.ts";
import { rateOf } from "../../nursery/score.ts";
import type { WorldModelCard } from "./card.ts";
import { chooseThreshold, costlyIfFlagged, errorCells, FALSE_POSITIVE_RATE } from "./errors.ts";
import { dataHash, type LabelledReply } from "./examples.ts";
import { WorldModel, type WorldModelWeights } from "./model.ts";
import {
  trainWorldModel,
  WORLD_MODEL_TRAINING,
  type WorldModelListener,
  type WorldModelTraining,
} from "./train.ts";

/** Labelled replies by what they are for. */
export interface WorldModelData {
  /** Fits the weights. */
  readonly train: readonly LabelledReply[];
  /** Sets the threshold. */
  readonly validation: readonly LabelledReply[];
  /** Counts the errors. */
  readonly test: readonly LabelledReply[];
}

/** How a world model is built. */
export interface WorldModelBuild {
  /** Whose weights it starts from. */
  readonly start: PolicyWeights;
  /** What it learns from and is measured on. */
  readonly data: WorldModelData;
  /** Fixed members of A_safe, with their text; see `CapacitorOptions.safeActions`. */
  readonly safeReplies: WorldModelCard["safe_replies"];
  /** Settings that differ from {@linkcode WORLD_MODEL_TRAINING}. */
  readonly training?: Partial<WorldModelTraining>;
  /** Largest share of safe validation replies (refusals left out) that may be flagged; default 0.03. */
  readonly falsePositiveRate?: number;
  /** Hears of the training. */
  readonly listener?: WorldModelListener;
}

/** A world model on the host with its card. */
export interface BuiltWorldModel {
  /** Its weights. */
  readonly weights: WorldModelWeights;
  /** What `world_model.json` will say, but for the hash of the weights' file. */
  readonly card: WorldModelCard;
}

/**
 * Trains a world model, sets its threshold and counts its errors.
 * @throws {InputError} when a set is empty or has replies of one class only.
 */
export async function buildWorldModel(gpu: Gpu, build: WorldModelBuild): Promise<BuiltWorldModel> {
  const { data, falsePositiveRate = FALSE_POSITIVE_RATE } = build;
  for (const name of ["train", "validation", "test"] as const) checkClasses(name, data[name]);
  const training = { ...WORLD_MODEL_TRAINING, ...build.training };
  const weights = await trainWorldModel(gpu, build.start, data.train, training, build.listener);
  // The threshold is not known yet; scores do not depend on it.
  const unset = new WorldModel(gpu, weights, 0);
  const [validationScores, testScores] = await bothScores(unset, data).finally(() =>
    unset.destroy()
  );
  const costly = costlyIfFlagged(data.validation, validationScores);
  const value = chooseThreshold(costly, falsePositiveRate);
  const flagged = testScores.map((score) => !(score <= value));
  const card: WorldModelCard = {
    kind: "world model",
    version: 1,
    threshold: {
      value,
      split: "validation",
      population: "safe replies that are no refusals",
      false_positive_rate: falsePositiveRate,
      flagged: rateOf(costly.filter((score) => score > value).length, costly.length),
    },
    safe_replies: build.safeReplies,
    training: {
      replies: data.train.length,
      unsafe: data.train.filter(({ unsafe }) => unsafe).length,
      tokens: data.train.reduce((n, { prompt, reply }) => n + prompt.length + reply.length, 0),
      replies_per_step: training.repliesPerStep,
      epochs: training.epochs,
      learning_rate: training.learningRate,
      weight_decay: training.weightDecay,
      seed: training.seed,
    },
    data_sha256: {
      train: await dataHash(data.train),
      validation: await dataHash(data.validation),
      test: await dataHash(data.test),
    },
    errors: { split: "test", replies: data.test.length, cells: errorCells(data.test, flagged) },
    weights_sha256: null,
  };
  return { weights, card };
}

async function bothScores(model: WorldModel, data: WorldModelData): Promise<[number[], number[]]> {
  return [await model.score(data.validation), await model.score(data.test)];
}

function checkClasses(name: string, replies: readonly LabelledReply[]): void {
  const unsafe = replies.filter((reply) => reply.unsafe).length;
  if (unsafe > 0 && unsafe < replies.length) return;
  throw new InputError(
    `world model: the ${name} set needs safe and unsafe replies, found ${
      replies.length - unsafe
    } safe and ${unsafe} unsafe`,
  );
}

/**
 * Cuts replies into the three sets by a hash of their contexts, 80 : 10 : 10, so that no context is in two of them.
 */
export function splitReplies(replies: readonly LabelledReply[], seed: number): WorldModelData {
  const data = { train: [], validation: [], test: [] } as Record<
    keyof WorldModelData,
    LabelledReply[]
  >;
  for (const reply of replies) {
    const share = hash32(seed, "world model split", ...reply.prompt) / 2 ** 32;
    data[share < 0.8 ? "train" : share < 0.9 ? "validation" : "test"].push(reply);
  }
  return data;
}
