/**
 * Keys of the configuration that decide a stage's objective (INFANT Eq. 6): weights of the terms, preference optimisation, plasticity.
 */
import { z } from "zod";
import { PREFERENCE_LOSSES } from "../../kernels/losses/preference.ts";
import type { TermWeights } from "./config.ts";

const weight = () => z.number().min(0);

/** Weights of the five terms, with a stage kind's defaults. */
export function weightsSchema(defaults: TermWeights): z.ZodType<TermWeights> {
  return z.strictObject({
    vi: weight().default(defaults.vi).describe("value imprinting (alpha), Eq. 7"),
    po: weight().default(defaults.po).describe("preference optimisation (beta), Eq. 8"),
    ci: weight().default(defaults.ci).describe("counterfactual imagination (gamma), Eq. 9"),
    vc: weight().default(defaults.vc).describe("value capacitor (lambda), Eq. 13"),
    pl: weight().default(defaults.pl).describe("plasticity (mu), Eq. 14"),
  }).default(defaults).describe("weights of the objective's terms, Eq. 6; 0 computes nothing");
}

/** Preference optimisation. */
const preferenceSettings = z.strictObject({
  loss: z.enum(PREFERENCE_LOSSES).default("sigmoid")
    .describe("sigmoid is DPO; cdpo and robust allow for wrong labels"),
  beta: z.number().gt(0).default(0.1)
    .describe("inverse temperature of the implicit reward; not the weight of the term"),
  label_smoothing: z.number().min(0).lt(0.5).default(0)
    .describe("assumed rate of wrong labels, for cdpo and robust"),
  reference: z.enum(["auto", "resident", "precomputed"]).default("auto").describe(
    "a frozen copy of the policy (under adapters: the policy without them), or log-probabilities computed once; auto: the copy up to 64 MiB",
  ),
});

/** Preference optimisation, with its defaults. */
export const preferenceSchema: z.ZodDefault<typeof preferenceSettings> = preferenceSettings
  .default(preferenceSettings.parse({})).describe("preference optimisation, where it has a weight");

const plasticitySettings = z.strictObject({
  kappa: z.number().gt(0).default(1e5).describe(
    "strength of the penalty; it belongs to the importance's scale: the default to a Fisher diagonal per sequence of mean 3e-4",
  ),
  combine: z.enum(["separate", "online"]).default("separate")
    .describe(
      "one penalty for each earlier stage, or one around the last with decaying importances",
    ),
  decay: z.number().min(0).max(1).default(0.9)
    .describe("what an importance keeps from stage to stage when combined online"),
  from: z.array(z.string().min(1)).min(1).nullable().default(null).describe(
    "stages that are held (`start`: the model the run began with); null: all that left an importance",
  ),
});

/** The plasticity regulariser, with its defaults. */
export const plasticitySchema: z.ZodDefault<typeof plasticitySettings> = plasticitySettings
  .default(plasticitySettings.parse({})).describe("what is held, where plasticity has a weight");
