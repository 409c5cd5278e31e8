/**
 * Replies for L_VC in the nursery: fresh contexts about training combinations, under seen families only.
 */
import type { Parameters } from "../../../kernels/policy/parameters.ts";
import { hash32 } from "../../data/random.ts";
import type { FamilyName } from "../../nursery/families.ts";
import { promptIds } from "../../nursery/tokens.ts";
import type { WorldModel } from "../world_model/model.ts";
import { nurseryContext } from "../world_model/nursery.ts";
import { CapacitorSource } from "./loss.ts";
import { NURSERY_SAFE_ACTIONS } from "./nursery.ts";
import { NURSERY_MAX_NEW } from "./nursery_build.ts";

/** How many replies, and to what. */
export interface NurserySamples {
  /** Contexts of each micro-batch. */
  readonly contextsPerBatch: number;
  /** Replies to each context, at least 2. */
  readonly repliesPerContext: number;
  /** Tokens of a row; a context and its reply must fit. */
  readonly length: number;
  /** Attack families; the seen ones unless given. */
  readonly families?: readonly FamilyName[];
  /** Seed of contexts and sampling. */
  readonly seed: number;
}

/** Samples for the capacitor's term, from the live policy. */
export function nurserySamples(
  policy: Parameters,
  worldModel: WorldModel,
  samples: NurserySamples,
): CapacitorSource {
  const { contextsPerBatch, families, seed } = samples;
  return new CapacitorSource(policy, worldModel, {
    ...samples,
    contexts: (step, slot) => {
      const own = hash32(seed, "capacitor contexts", step, slot);
      return Array.from(
        { length: contextsPerBatch },
        (_, i) => promptIds(nurseryContext(own, i, { split: "train", families })),
      );
    },
    safeActions: NURSERY_SAFE_ACTIONS,
    maxNew: NURSERY_MAX_NEW,
  });
}
