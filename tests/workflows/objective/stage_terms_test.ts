/**
 * From a stage's configuration to its objective: default weights by kind, which reference, what is kept of the stage's beginning, and what
 * is refused.
 */
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import type { InfantStage, StageConfig } from "../../../workflows/config/config.ts";
import { stageRows, stageSteps } from "../../../workflows/config/config.ts";
import {
  checkedSources,
  needsBeginning,
  needsFrozen,
  NO_SOURCES,
  referenceKind,
  stageObjective,
} from "../../../workflows/train/stage_terms.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { GPT2_SMALL, TINY_POLICY } from "../train/programs.ts";

function stageOf(kind: string, more = "", ...overrides: string[]): StageConfig {
  const one =
    `stages=[{name: one, kind: ${kind}, data: nursery, tokens: 4096, learning_rate: 1e-3${more}}]`;
  return resolveConfig({ overrides: [one, "gate=null", ...overrides] }).config.stages[0];
}
const infant = (kind: string, more = "") => stageOf(kind, more) as InfantStage;

Deno.test("each kind of stage has its own default weights, and any may be set", () => {
  const weights = (kind: string, more = "") => Object.values(infant(kind, more).weights);
  assertEquals(weights("value_imprinting"), [1, 0, 0, 0, 0]);
  assertEquals(weights("apprenticeship"), [2, 1, 0, 0, 0]);
  assertEquals(weights("counterfactual_imagination"), [1, 0, 1, 0, 0]);
  assertEquals(weights("value_capacitor"), [1, 0, 0, 1, 0]);
  assertEquals(weights("apprenticeship", ", weights: {vi: 0.5, pl: 3}"), [0.5, 1, 0, 0, 3]);
});

Deno.test("a budget of tokens is for all terms together", () => {
  const [alone, both] = [stageOf("value_imprinting"), stageOf("apprenticeship")];
  assertEquals([stageRows(alone), stageRows(both)], [8, 16]);
  assertEquals([stageSteps(alone, null), stageSteps(both, null)], [8, 4]);
});

Deno.test("the reference is a copy where that is small, a table where not, and the base of adapters", () => {
  const stage = infant("apprenticeship");
  assertEquals(referenceKind(stage, TINY_POLICY, false), "resident");
  assertEquals(referenceKind(stage, GPT2_SMALL, false), "precomputed");
  assertEquals(referenceKind(stage, GPT2_SMALL, true), "adapters");
  const asked = infant("apprenticeship", ", preference: {reference: precomputed}");
  assertEquals(referenceKind(asked, TINY_POLICY, false), "precomputed");
  assertEquals(
    [stage, asked].map((one) => needsFrozen(one, TINY_POLICY, false)),
    [true, false],
  );
  // With a KL a copy is there in any case.
  const withKl = infant("apprenticeship", ", rho: 0.1, preference: {reference: precomputed}");
  assert(needsFrozen(withKl, TINY_POLICY, false));
  assertEquals([stage, asked].map(needsBeginning), [true, true]);
  assert(!needsBeginning(infant("value_imprinting", ", rho: 0")));
  assert(needsBeginning(infant("value_imprinting", ", rho: 0, fisher: {kind: synaptic}")));
});

Deno.test("terms without a weight are not made", () => {
  const names = (stage: StageConfig) =>
    stageObjective(stage, TINY_POLICY, true, null, NO_SOURCES).terms?.map(({ name }) => name) ?? [];
  assertEquals(names(stageOf("language_modelling")), []);
  assertEquals(names(stageOf("value_imprinting", ", rho: 0")), []);
  const all = ", weights: {po: 1, ci: 1, vc: 1, pl: 1}";
  assertEquals(names(stageOf("value_imprinting", all)), [
    "preference",
    "counterfactual",
    "capacitor",
    "plasticity",
  ]);
});

Deno.test("a weight without anything to learn from is refused in words", () => {
  const refused = (more: string) => () =>
    checkedSources(infant("value_imprinting", more), NO_SOURCES);
  assertThrows(refused(", weights: {ci: 1}"), Error, "weights.ci needs perturbations");
  assertThrows(refused(", weights: {vc: 1}"), Error, "weights.vc needs a world model");
  const held = infant("value_imprinting", ", weights: {pl: 1}");
  assertThrows(
    () => stageObjective(held, TINY_POLICY, false, null, { ...NO_SOURCES, anchors: [] }),
    Error,
    "set fisher on an earlier stage, or weights.pl to 0",
  );
  const bad = (more: string, ...overrides: string[]) => () =>
    stageOf("apprenticeship", more, ...overrides);
  assertThrows(bad(", batch_size: 3"), Error, "must be even where rows come in pairs");
  assertThrows(bad(", weights: {vi: 0, po: 0}"), Error, "gives nothing to learn from");
  assertThrows(bad(", weights: {pl: 1}", "lora={r: 2}"), Error, "must be 0 with lora");
});
