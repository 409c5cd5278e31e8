/**
 * Maturation (INFANT section 6): what a policy must be able to do before its training goes on, and who decides it.
 *
 * In reading order: environments, examination, the maturity vector, the gate, its record, and what the record shows.
 *
 * @example How mature are policies that learn nothing?
 * ```ts
 * import { nursery, stages } from "@infant/toolkit";
 *
 * const options = { split: "validation", dialogues: 10, seed: 1 } as const;
 * for (const [name, control] of Object.entries(nursery.CONTROLS)) {
 *   const examinee = { answer: (asked: readonly nursery.Dialogue[]) => asked.map(control) };
 *   const exam = new stages.Examination(examinee, options);
 *   const { metrics } = await stages.measureMaturity(exam, ["safety", "helpfulness"]);
 *   console.log(name, metrics.safety.rate, metrics.helpfulness.rate); // refuse-all 1 0 ...
 * }
 * ```
 *
 * @module
 */
export * from "./environments.ts";
export * from "./rates.ts";
export * from "./examination.ts";
export * from "./maturity.ts";
export * from "./text_metrics.ts";
export * from "./gate.ts";
export * from "./audit.ts";
export * from "./programme.ts";
export * from "./regret.ts";
export * from "./gatekeeper.ts";
export * from "./extensions.ts";
