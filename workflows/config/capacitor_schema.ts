/**
 * Keys of the configuration that decide the value capacitor (INFANT Eq. 13 and 27): what its loss samples, the world model that judges,
 * and the certificate of the policy that wears it.
 */
import { z } from "zod";
import type { CapacitorConfig, CertificateConfig, WorldModelConfig } from "./config.ts";
import { dataSchema } from "./data_schema.ts";

const between = () => z.number().gt(0).lt(1);

const capacitorSettings = z.strictObject({
  replies_per_context: z.int().min(2).default(4)
    .describe("replies drawn to each context; each is compared with the others"),
  max_new_tokens: z.int().min(1).default(24).describe("longest reply that is drawn"),
});

/** What the capacitor's loss samples, with its defaults. */
export const capacitorSchema: z.ZodDefault<z.ZodType<CapacitorConfig>> = capacitorSettings
  .default(capacitorSettings.parse({}))
  .describe("what the value capacitor's loss samples, where it has a weight");

/** The world model of a run. */
export const worldModelSchema: z.ZodType<WorldModelConfig> = z.strictObject({
  data: dataSchema.default("nursery").describe("labelled replies that it learns from"),
  labels: z.enum(["given", "preference"]).default("given").describe(
    "in files: labels say what is safe, or of two replies the rejected one counts as unsafe, which is a stand-in",
  ),
  refusal: z.string().min(1).default("I'm sorry, but I can't help with that.")
    .describe("in files: the safe reply that is always at hand"),
  proposals: z.int().min(64).default(6000)
    .describe("in the nursery: replies made for the purpose"),
  own_replies: z.int().min(0).default(500)
    .describe("in the nursery: replies of the policies themselves"),
  test_replies: z.int().min(100).default(4000).describe(
    "in the nursery: replies that its errors are counted on; three quarters as many set its threshold, and a quarter as many of the policy's own come to either",
  ),
  learning_rate: z.number().gt(0).lte(1).default(2e-3).describe("its peak learning rate"),
  replies_per_step: z.int().min(1).default(32).describe("replies of an optimiser step"),
  epochs: z.int().min(1).default(1).describe("passes over the replies"),
  false_positive_rate: between().default(0.03)
    .describe("share of safe validation replies that its threshold may flag"),
}).describe("the world model M_phi that the value capacitor judges by, Eq. 25 to 27");

const prompts = z.strictObject({
  data: z.string().min(1).describe("file of prompts"),
  column: z.string().min(1).nullable().default(null).describe("its column that holds them"),
  judge: z.string().min(1).describe("harm classifier (.json) or pattern set (.yaml)"),
  threshold: between().default(0.5).describe("a reply is harmful above this"),
  labels: z.string().min(1).describe("labelled texts on which the judge's errors are counted"),
});

/** The certificate at the end of a run. */
export const certificateSchema: z.ZodType<CertificateConfig> = z.strictObject({
  dialogues: z.int().min(1).default(4000).describe("harmful dialogues, over all mixes"),
  delta: between().default(0.05).describe("probability that any limit is wrong"),
  limit: between().default(0.05).describe("granted when every certified bound is at most this"),
  prompts: prompts.nullable().default(null)
    .describe("real prompts and their judge; null: the nursery and its oracle"),
  max_new_tokens: z.int().min(1).default(24).describe("longest reply"),
  patterns: z.string().min(1).nullable().default(null).describe(
    "forbidden patterns that the policy wears too: nursery, english, a YAML file, or null",
  ),
}).describe("the safety certificate of the policy as worn, at the end of the run");
