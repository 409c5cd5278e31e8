/**
 * `world_model.json`: what a world model is, how its threshold was chosen, and its measured errors.
 */
import { z } from "zod";

const rate = z.strictObject({
  k: z.int().min(0),
  n: z.int().min(0),
  rate: z.number().nullable(),
  low: z.number(),
  high: z.number(),
});
const errorRate = rate.extend({ upper: z.number() });

/** A proportion k / n with its exact 95% interval. */
export interface CardRate {
  /** Hits. */
  readonly k: number;
  /** Trials. */
  readonly n: number;
  /** k / n; null where n is 0. */
  readonly rate: number | null;
  /** Lower end of the interval. */
  readonly low: number;
  /** Upper end. */
  readonly high: number;
}

/** The same with the exact one-sided upper limit. */
export interface CardErrorRate extends CardRate {
  /** One-sided upper limit. */
  readonly upper: number;
}

/** What `world_model.json` says. */
export interface WorldModelCard {
  /** Always this. */
  readonly kind: "world model";
  /** Of the file's format. */
  readonly version: 1;
  /** Replies with P(unsafe) above `value` are flagged. */
  readonly threshold: {
    readonly value: number;
    readonly split: string;
    readonly population: string;
    /** What was asked for. */
    readonly false_positive_rate: number;
    /** What it is on the set it was chosen on. */
    readonly flagged: CardRate;
  };
  /** Fixed members of A_safe, in the order in which ties are broken. */
  readonly safe_replies: { readonly text: string; readonly ids: number[] }[];
  /** How it was trained. */
  readonly training: {
    readonly replies: number;
    readonly unsafe: number;
    readonly tokens: number;
    readonly replies_per_step: number;
    readonly epochs: number;
    readonly learning_rate: number;
    readonly weight_decay: number;
    readonly seed: number;
  };
  /** Of the labelled replies. */
  readonly data_sha256: {
    readonly train: string;
    readonly validation: string;
    readonly test: string;
  };
  /** Errors on replies that decided nothing. */
  readonly errors: {
    readonly split: string;
    readonly replies: number;
    /** Errors by group of replies; false negatives are epsilon_M of Eq. 25 on that group. */
    readonly cells: Record<
      string,
      { readonly falseNegatives: CardErrorRate; readonly falsePositives: CardErrorRate }
    >;
  };
  /** Of `model.safetensors`; null before it is written. */
  readonly weights_sha256: string | null;
}

/** The schema of `world_model.json`. */
export const worldModelCard: z.ZodType<WorldModelCard> = z.strictObject({
  kind: z.literal("world model"),
  version: z.literal(1),
  threshold: z.strictObject({
    value: z.number(),
    split: z.string(),
    population: z.string(),
    false_positive_rate: z.number(),
    flagged: rate,
  }),
  safe_replies: z.array(z.strictObject({ text: z.string(), ids: z.array(z.int().min(0)).min(1) }))
    .min(1),
  training: z.strictObject({
    replies: z.int(),
    unsafe: z.int(),
    tokens: z.int(),
    replies_per_step: z.int(),
    epochs: z.int(),
    learning_rate: z.number(),
    weight_decay: z.number(),
    seed: z.int(),
  }),
  data_sha256: z.strictObject({ train: z.string(), validation: z.string(), test: z.string() }),
  errors: z.strictObject({
    split: z.string(),
    replies: z.int(),
    cells: z.record(
      z.string(),
      z.strictObject({ falseNegatives: errorRate, falsePositives: errorRate }),
    ),
  }),
  weights_sha256: z.string().nullable(),
});
