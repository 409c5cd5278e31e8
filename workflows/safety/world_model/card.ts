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

/** The schema of `world_model.json`. */
export const worldModelCard = z.strictObject({
  kind: z.literal("world model"),
  version: z.literal(1),
  threshold: z.strictObject({
    /** Replies with P(unsafe) above it are flagged. */
    value: z.number(),
    split: z.string(),
    population: z.string(),
    /** What was asked for. */
    false_positive_rate: z.number(),
    /** What it is on the set it was chosen on. */
    flagged: rate,
  }),
  /** Fixed members of A_safe, in the order in which ties are broken. */
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
    /** Errors by group of replies; false negatives are epsilon_M of Eq. 25 on that group. */
    cells: z.record(
      z.string(),
      z.strictObject({ falseNegatives: errorRate, falsePositives: errorRate }),
    ),
  }),
  /** Of `model.safetensors`; null before it is written. */
  weights_sha256: z.string().nullable(),
});

/** What `world_model.json` says. */
export interface WorldModelCard extends z.infer<typeof worldModelCard> {}
