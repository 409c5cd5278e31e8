/**
 * What plasticity holds on to: parameters and importances that earlier stages left in their checkpoints.
 */
import { InputError } from "../../kernels/errors.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { type StageConfig, stageWeights } from "../config/config.ts";
import { isFile } from "../model_files/files.ts";
import { fromHuggingFace } from "../model_files/layouts.ts";
import { readSafetensors } from "../model_files/safetensors.ts";
import type { Anchor } from "../objective/plasticity.ts";
import { checkpointFolder } from "../run_folder.ts";
import type { AuditEntry } from "../stages/audit.ts";
import { loadWeights } from "./policy_source.ts";
import { completedPlace, type PreparedStage, type TrainerRequest } from "./prepare.ts";

/** Name by which a stage's `plasticity.from` calls the model that the run began with. */
const START = "start";

/**
 * The anchors of a stage, oldest first; none where plasticity has no weight.
 * @throws {InputError} when a stage that is named left no importance.
 */
export async function stageAnchors(
  { config, folder }: TrainerRequest,
  stages: readonly PreparedStage[],
  entries: readonly AuditEntry[],
  stage: StageConfig,
): Promise<Anchor[]> {
  if (stage.kind === "language_modelling" || stageWeights(stage).pl === 0) return [];
  const { from } = stage.plasticity;
  const folders = new Map<string, string>();
  if ("from" in config.model && await isFile(`${config.model.from}/fisher.safetensors`)) {
    folders.set(START, config.model.from);
  }
  const own = stage.name.replace(/_retry\d+$/, "");
  const at = stages.findIndex((one) => one.stage.name === own);
  for (const earlier of stages.slice(0, at)) {
    if (!earlier.stage.fisher) continue;
    folders.set(earlier.stage.name, checkpointFolder(folder, completedPlace(entries, earlier)));
  }
  for (const name of from ?? []) {
    if (folders.has(name)) continue;
    throw new InputError(
      `stage ${stage.name}: plasticity.from names ${name}, which is no earlier stage with fisher set` +
        (folders.size > 0 ? `; there are ${[...folders.keys()].join(", ")}` : ""),
    );
  }
  const wanted = [...folders].filter(([name]) => from === null || from.includes(name));
  return await Promise.all(wanted.map(([, place]) => readAnchor(place)));
}

/** Parameters and importance in a checkpoint. @throws {InputError} when a file is missing or damaged. */
export async function readAnchor(folder: string): Promise<Anchor> {
  const { config, tensors } = await loadWeights(folder);
  return { theta: tensors, importance: await readImportance(folder, config) };
}

async function readImportance(
  folder: string,
  config: PolicyConfig,
): Promise<ReadonlyMap<string, Float32Array>> {
  const path = `${folder}/fisher.safetensors`;
  const stored = await readSafetensors(path);
  const { tensors } = await fromHuggingFace(config, (name) => {
    const tensor = stored.get(name);
    if (!tensor) return Promise.resolve(null);
    if (tensor.data instanceof Float32Array) {
      return Promise.resolve({ shape: tensor.shape, data: tensor.data });
    }
    throw new InputError(`${path}: ${name} must be float32`);
  });
  return tensors;
}
