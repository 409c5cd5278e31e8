/**
 * The schema of the maturation gate's settings (INFANT section 6): ranges, defaults and what each key does.
 */
import { z } from "zod";
import type { GateConfig } from "./config.ts";

const whole = (min: number) => z.int().min(min);
const fraction = () => z.number().min(0).max(1);
const thresholds = () => z.record(z.string().min(1), fraction());

/** The `gate` block of the training configuration. */
export const gateSchema: z.ZodType<GateConfig> = z.strictObject({
  first: thresholds().describe("threshold of each metric of maturity at the first gate"),
  last: thresholds().describe("at the last gate; in between they rise in equal steps (Eq. 42)"),
  since: z.record(z.string().min(1), whole(1)).default({}).describe(
    "gated stage from which a metric's threshold counts; before it is 0, since what was never shown cannot be asked",
  ),
  n_stable: whole(1).default(2)
    .describe("evaluations in a row for which thresholds must be maintained"),
  reading: z.enum(["strict", "tolerant"]).default("strict")
    .describe("all of them reach the thresholds, or the first does and the others come close"),
  tolerance: fraction().default(0.05)
    .describe("how far below its threshold a metric may dip in the tolerant reading"),
  every: whole(1).default(20)
    .describe("optimiser steps between evaluations, and of each portion that a hold adds"),
  compare: z.enum(["rate", "low"]).default("rate")
    .describe("what must reach a threshold: the measured rate, or the low end of its interval"),
  regression_tolerance: fraction().default(0.1).describe(
    "a metric that fell by more than this since the last promotion, with 95% confidence, rolls the stage back",
  ),
  max_holds: whole(0).default(3).describe("portions that a stage may be held for"),
  hold_learning_rate_ratio: z.number().gt(0).lte(1).default(0.5)
    .describe("learning rate at the beginning of a held portion, as a share of the stage's peak"),
  max_rollbacks: whole(0).default(1).describe("rollbacks of a stage before the programme ends"),
  rollback_learning_rate_ratio: z.number().gt(0).lte(1).default(0.25)
    .describe("learning rate after a rollback, as a share of the one before"),
  dialogues: whole(1).default(40).describe("validation dialogues per class and attack family"),
  temperature: z.number().min(0).default(0).describe("sampling temperature; 0: greedy"),
  max_new_tokens: whole(1).default(24).describe("longest reply"),
}).describe(
  "the maturation gate: promotes, holds or rolls back every stage but those of language modelling",
).superRefine(({ first, last }, context) => {
  const names = new Set([...Object.keys(first), ...Object.keys(last)]);
  const odd = [...names].find((name) => !(name in first && name in last));
  if (odd === undefined) return;
  const path = [odd in first ? "last" : "first", odd];
  context.addIssue({
    code: "custom",
    path,
    message: "is missing: first and last name the same metrics",
  });
});
