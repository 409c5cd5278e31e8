/**
 * Imprinting data (D_care of INFANT Eq. 7), the later stages' data, and preference pairs (Eq. 8).
 *
 * Stage s shows the families of E(s) and, with equal weight, those of all earlier stages (Eq. 44 is
 * a union, and a union needs mixing weights); the rest is replay, so that nothing learned is lost.
 * Only seen families occur.
 */
import { Random } from "../data/random.ts";
import { InputError } from "../../kernels/errors.ts";
import { type Dialogue, REFUSAL, type Situation, type Truth, withReply } from "./dialogue.ts";
import { FAMILIES, type FamilyName, SEEN_FAMILIES } from "./families.ts";
import { RAW_DOSES } from "./corpus.ts";
import { howtoAbout } from "./howto.ts";
import { helpfulReply, rightReply } from "./replies.ts";
import { situationOf } from "./situations.ts";
import type { Split } from "./splits.ts";

/** Stages of the programme. */
export const STAGES = [1, 2, 3, 4] as const;
/** One of {@linkcode STAGES}. */
export type Stage = (typeof STAGES)[number];

/** Kinds of dialogue in safety training and their relative weights. */
export interface CareDoses {
  /** Requests for recipes, half of them harmful. */
  readonly howto: number;
  /** Private and public numbers. */
  readonly secret: number;
  /** Questions about members of groups. */
  readonly stereotype: number;
  /** Requests to speak to somebody. */
  readonly insult: number;
  /** Tempting questions. */
  readonly honesty: number;
  /** Replay of moral knowledge. */
  readonly moral: number;
  /** Replay of facts. */
  readonly fact: number;
  /** Replay of instructions. */
  readonly task: number;
}

/**
 * 60% how-to, half of it harmful, 6% numbers, the rest replay and the other safety dimensions.
 *
 * Measured in the PyTorch twin of `RAW_DOSES` (2026-11-21, one seed, 50 dialogues a cell), 75 k
 * tokens of stage 1, then 100 k of stage 4. Violation: plain 0.00 and 0.00, seen families 0.32 and
 * 0.04, unseen families 0.54 and 0.23 (each between 0.02 and 0.38: none is won or lost by its
 * template). Over-refusal on unseen families 0.14 and 0.15, all tasks 0.83 and 0.81. Without the
 * replay of moral knowledge, that fell from 0.88 to 0.00 in two stages; with it, it ended at 0.98.
 */
export const CARE_DOSES: CareDoses = {
  howto: 0.6,
  secret: 0.06,
  stereotype: 0.02,
  insult: 0.02,
  honesty: 0.03,
  moral: 0.04,
  fact: 0.07,
  task: 0.16,
};

/** Share of replay in {@linkcode CARE_DOSES}. */
export const REPLAY_SHARE = 0.27;
const REPLAYED: readonly (keyof CareDoses)[] = ["moral", "fact", "task"];

/** {@linkcode CARE_DOSES} with another share of replay; within replay and within the rest, the proportions stay. */
export function careDoses(replayShare: number = REPLAY_SHARE): CareDoses {
  const scale = (kind: keyof CareDoses) =>
    REPLAYED.includes(kind) ? replayShare / REPLAY_SHARE : (1 - replayShare) / (1 - REPLAY_SHARE);
  const kinds = Object.keys(CARE_DOSES) as (keyof CareDoses)[];
  return Object.fromEntries(
    kinds.map((kind) => [kind, CARE_DOSES[kind] * scale(kind)]),
  ) as unknown as CareDoses;
}

/** Families of each kind that stage s adds to safety training, beside the how-to families. */
const SAFETY_FAMILIES = {
  secret: { private: 2, public: 1, coaxed: 0 },
  stereotype: { group: 1 },
  insult: { provoked: 2, thankful: 1 },
  honesty: { neutral: 1, rumour: 1, belief: 2, flattery: 2 },
} as const;

/** What may be changed about safety training data. */
export interface CareOptions {
  /** 1 unless given. */
  readonly stage?: Stage;
  /** Train unless given; validation for stopping and thresholds. */
  readonly split?: Split;
  /** {@linkcode CARE_DOSES} unless given. */
  readonly doses?: CareDoses;
  /** How-to families with relative weights, instead of those of the stage. */
  readonly families?: Partial<Readonly<Record<FamilyName, number>>>;
  /** Requests for recipes from elsewhere, instead of those of families. */
  readonly requests?: (random: Random, split: Split) => Situation;
}

/** How-to families of stage s: half the weight on those it adds, half on all earlier ones. */
export function stageFamilies(stage: Stage): Partial<Record<FamilyName, number>> {
  const fresh = SEEN_FAMILIES.filter((f) => FAMILIES[f].stage === stage);
  const old = SEEN_FAMILIES.filter((f) => FAMILIES[f].stage < stage);
  return Object.fromEntries([
    ...old.map((f) => [f, 1 / old.length]),
    ...fresh.map((f) => [f, 1 / fresh.length]),
  ]);
}

function careSituation(kind: keyof CareDoses, options: CareOptions, random: Random): Situation {
  const { stage = 1, split = "train" } = options;
  if (kind === "howto" && options.requests) return options.requests(random, split);
  if (kind === "howto") {
    const families: Partial<Record<FamilyName, number>> = options.families ?? stageFamilies(stage);
    return situationOf(
      { kind, family: random.weighted(families as Record<FamilyName, number>) },
      split,
      random,
    );
  }
  if (kind === "moral" || kind === "fact" || kind === "task") {
    return situationOf(
      { kind, family: random.weighted<string>(RAW_DOSES.families[kind]) },
      split,
      random,
    );
  }
  const families: Record<string, number> = { ...SAFETY_FAMILIES[kind] };
  if (kind === "secret" && stage >= 3) families.coaxed = 1;
  return situationOf({ kind, family: random.weighted(families) }, split, random);
}

/**
 * Demonstration `index` of a seed: a dialogue with the right reply. Depends only on (seed, index)
 * and the options.
 */
export function careDialogue(seed: number, index: number, options: CareOptions = {}): Dialogue {
  checkStage(options.stage ?? 1);
  const random = new Random(seed, "care", options.stage ?? 1, options.split ?? "train", index);
  const kind = random.weighted({ ...(options.doses ?? CARE_DOSES) });
  const situation = careSituation(kind, options, random);
  return withReply(situation, rightReply(situation.truth));
}

/**
 * A prompt with the reply to prefer and the one to avoid; both dialogues share all turns but the
 * last.
 */
export interface PreferencePair {
  /** With the right reply. */
  readonly chosen: Dialogue;
  /** With the reply to avoid. */
  readonly rejected: Dialogue;
}

/** The reply to avoid: the helpful one where it is wrong, otherwise a refusal. */
export function rejectedReply(truth: Truth): readonly string[] {
  const helpful = helpfulReply(truth);
  return helpful.join(" ") === rightReply(truth).join(" ") ? REFUSAL : helpful;
}

/**
 * Preference pair `index` of a seed, over the same situations as the demonstrations of the stage
 * but for facts and tasks.
 */
export function preferencePair(
  seed: number,
  index: number,
  options: CareOptions = {},
): PreferencePair {
  checkStage(options.stage ?? 1);
  const random = new Random(
    seed,
    "preference",
    options.stage ?? 1,
    options.split ?? "train",
    index,
  );
  const kind = random.weighted({ ...(options.doses ?? CARE_DOSES), moral: 0, fact: 0, task: 0 });
  const situation = careSituation(kind, options, random);
  return {
    chosen: withReply(situation, rightReply(situation.truth)),
    rejected: withReply(situation, rejectedReply(situation.truth)),
  };
}

/**
 * The same request in the manner of another family, with the right reply: the perturbations over
 * which adversarial training takes the worst (INFANT Eq. 11).
 * @throws {TypeError} when the dialogue is not a request for a recipe.
 */
export function reask(dialogue: Dialogue, family: FamilyName, random: Random): Dialogue {
  if (dialogue.truth.type !== "act") {
    throw new TypeError(`reask: expected a how-to dialogue, found ${dialogue.kind}`);
  }
  const situation = howtoAbout(dialogue.truth.act, family, dialogue.split, random);
  return withReply(situation, rightReply(situation.truth));
}

function checkStage(stage: number): void {
  if (!STAGES.includes(stage as Stage)) {
    throw new InputError(`nursery: stage must be one of ${STAGES.join(", ")}, found ${stage}`);
  }
}
