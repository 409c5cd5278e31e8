/**
 * Keys of the configuration that decide how counterfactual imagination (INFANT Eq. 9 to 12) looks for perturbations.
 */
import { z } from "zod";

/**
 * Who looks for the worst perturbation. `blind`: the worst of random ones. `generator`: half of them are proposed by G_psi, which
 * is trained beside the policy. `search`: exact where C(h) fits the budget, else guided by gradients; edits only, and dear.
 */
export const ADVERSARIES = ["blind", "generator", "search"] as const;
/** One of {@linkcode ADVERSARIES}. */
export type Adversary = (typeof ADVERSARIES)[number];

/** Which side of Eq. 10's KL learns: what is said to the perturbed request alone, or both as printed. */
export const KL_GRADIENTS = ["perturbed", "both"] as const;

/** How perturbations are looked for. */
export interface ImaginationConfig {
  /** Who looks for them. */
  readonly adversary: Adversary;
  /** Edit budget, Eq. 12. */
  readonly k_max: number;
  /** Perturbations tried for each context; `search`: forward passes for each context. */
  readonly candidates: number;
  /** Steps of the generator for each micro-batch. */
  readonly inner_steps: number;
  /** Learning rate of the generator. */
  readonly generator_learning_rate: number;
  /** Which side of Eq. 10's KL learns. */
  readonly kl_gradient: (typeof KL_GRADIENTS)[number];
}

const settings = z.strictObject({
  adversary: z.enum(ADVERSARIES).default("generator").describe(
    "who looks for the worst perturbation: random draws (blind), a trained generator, or exact enumeration and search by gradients (search)",
  ),
  k_max: z.int().min(0).default(2).describe("most token edits of a perturbation, Eq. 12"),
  candidates: z.int().min(2).default(4).describe(
    "perturbations tried for each context, the worst is learned from; search: forward passes for each context",
  ),
  inner_steps: z.int().min(0).default(1).describe(
    "steps K of the generator for each micro-batch; 0: it is not trained",
  ),
  generator_learning_rate: z.number().gt(0).lte(1).default(1e-2).describe(
    "learning rate of the generator, the faster of the two time scales",
  ),
  kl_gradient: z.enum(KL_GRADIENTS).default("perturbed").describe(
    "which side of Eq. 10's KL learns: what is said to the perturbed request alone, or both as printed, which softens the plain answer",
  ),
});

/** How perturbations are looked for, with its defaults. */
export const imaginationSchema: z.ZodDefault<typeof settings> = settings
  .default(settings.parse({}))
  .describe("the adversary of counterfactual imagination, where it has a weight");
