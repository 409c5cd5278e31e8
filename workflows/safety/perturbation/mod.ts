/**
 * Counterfactual imagination (INFANT section 4.3): what may be edited, the worst that edits do, and a generator that learns to find it.
 *
 * @example How many perturbations a text has, and the worst of them
 * ```ts
 * import { perturbation } from "@infant/toolkit";
 *
 * const ball = perturbation.editBall("abab", "ab", 2); // counted, not yet enumerated
 * console.log(ball.size, ball.byDistance);
 * const ones = (words: readonly (readonly string[])[]) =>
 *   words.map((word) => word.filter((letter) => letter === "b").length);
 * const worst = await perturbation.exactMaximum(ball, ones);
 * console.log(worst.perturbation.join(""), worst.loss, worst.exact); // 4 times b
 * ```
 *
 * @module
 */
export {
  ADVERSARIES,
  type Adversary,
  type ImaginationConfig,
} from "../../config/imagination_schema.ts";
export * from "./edit_distance.ts";
export * from "./edit_space.ts";
export * from "./ball.ts";
export * from "./worst.ts";
export * from "./hidden_loss.ts";
export * from "./placement.ts";
export * from "./reply_scorer.ts";
export * from "./first_order.ts";
export * from "./proposals.ts";
export * from "./generator.ts";
export * from "./nursery.ts";
export * from "./text.ts";
export * from "./imagination.ts";
export * from "./stage_source.ts";
export * from "./robustness.ts";
