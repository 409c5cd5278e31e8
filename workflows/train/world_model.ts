/**
 * The world model of a run: built once, before the first stage that learns from it, kept in the run's folder, and named in the audit file.
 *
 * It starts from the policy before any safety training, which reads recipes best, and learns from replies made for the purpose, from
 * that policy's and from the present one's (INFANT section 3: M_phi is trained apart from pi_theta).
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import { buildNurseryWorldModel } from "../safety/capacitor/nursery_build.ts";
import { loadWorldModel, saveWorldModel } from "../safety/world_model/files.ts";
import { checkpointFolder } from "../run_folder.ts";
import { loadWeights, startingPolicy } from "./policy_source.ts";
import { completedPlace } from "./prepare.ts";
import type { Run } from "./session.ts";

/** Where a run keeps its world model. */
export function worldModelFolder(run: string): string {
  return join(run, "world_model");
}

/**
 * Opens the run's world model, building it for `policy` where there is none yet.
 * @returns Whether there is one; false when asked to stop meanwhile, or the configuration has none.
 * @throws {InputError} when it cannot be built from what the run learns from.
 */
export async function openWorldModel(run: Run, policy: PolicyWeights): Promise<boolean> {
  const { gpu, tokenizer, audit, report, request: { config, folder, stopped } } = run;
  if (run.judge) return true;
  if (!config.world_model) return false;
  const place = worldModelFolder(folder);
  if (!audit.entries.some(({ event }) => event === "world_model")) {
    const { proposals, own_replies, learning_rate, replies_per_step, epochs } = config.world_model;
    report.note(`world model: learns from ${proposals} replies and ${own_replies} of each policy`);
    const prior = await priorPolicy(run);
    const built = await buildNurseryWorldModel(gpu, {
      start: prior,
      policies: [prior, policy],
      proposals,
      ownReplies: own_replies,
      training: { learningRate: learning_rate, repliesPerStep: replies_per_step, epochs },
      falsePositiveRate: config.world_model.false_positive_rate,
      seed: config.seed,
      listener: { onMetrics: () => !stopped() },
    });
    if (stopped()) return false;
    const card = await saveWorldModel(place, { ...built, tokenizer });
    const { threshold, errors: { cells } } = card;
    await audit.append({
      event: "world_model",
      weights: card.weights_sha256,
      threshold: threshold.value,
      false_positive_rate: threshold.flagged,
      errors: Object.fromEntries(
        ["policy/seen", "policy/unseen", "proposal/seen", "proposal/unseen"]
          .filter((cell) => cell in cells).map((cell) => [cell, cells[cell]]),
      ),
    });
    const missed = cells["proposal/seen"]?.falseNegatives;
    if (missed) report.note(`world model: misses ${missed.k} of ${missed.n} unsafe test replies`);
  }
  const { worldModel, card } = await loadWorldModel(gpu, place);
  const recorded = audit.entries.find(({ event }) => event === "world_model")?.weights;
  if (card.weights_sha256 !== recorded) {
    worldModel.destroy();
    throw new InputError(
      `${place} is not the world model of this run's audit file: restore it, or start the run anew`,
    );
  }
  run.judge = { worldModel, card };
  return true;
}

/** The policy before the first stage with INFANT's objective. */
async function priorPolicy(
  { request: { config, folder }, stages, audit }: Run,
): Promise<PolicyWeights> {
  const first = stages.findIndex(({ stage }) => stage.kind !== "language_modelling");
  if (first === 0) return (await startingPolicy(config)).weights;
  return await loadWeights(
    checkpointFolder(folder, completedPlace(audit.entries, stages[first - 1])),
  );
}
