/**
 * Checkpoints: a Hugging Face folder that any tool loads, plus what is needed to go on bit for bit.
 *
 *     config.json, model.safetensors, tokenizer files     the policy so far, adapters folded in
 *     adapter/                                             the adapters alone, as PEFT writes them
 *     optimizer.safetensors                                AdamW's moments, and the path of synaptic intelligence, over the flat arena
 *     adversary.safetensors                                what counterfactual imagination's generator has learned
 *     fisher.safetensors                                   diagonal Fisher of the stage's end, in Hugging Face names
 *     stage.json                                           what was done when this was written
 *     trainer_state.json                                   the log so far, under Hugging Face's names
 *
 * Data order and random numbers need no state: both are functions of (seed, step). The weights under an adapter are those
 * that the stage began with.
 */
import { InputError } from "../../kernels/errors.ts";
import type { LossScalerState } from "../../kernels/optimizer/loss_scaler.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { writeFolderAtomic } from "../files.ts";
import { isFile } from "../model_files/files.ts";
import { toHuggingFace } from "../model_files/layouts.ts";
import { loadModel } from "../model_files/load_model.ts";
import type { LoraAdapter } from "../model_files/lora.ts";
import { readAdapter, writeAdapter } from "../model_files/peft.ts";
import { readSafetensors } from "../model_files/safetensors.ts";
import { type TensorToWrite, writeSafetensors } from "../model_files/safetensors_write.ts";
import { saveModel } from "../model_files/save_model.ts";
import { checkpointFolder, type CheckpointPlace } from "../run_folder.ts";
import type { GeneratorState } from "../safety/perturbation/generator.ts";
import type { OptimizerState, StepMetrics } from "./program.ts";

/** What is written. */
export interface Checkpoint {
  /** The policy, adapters folded in. */
  readonly weights: PolicyWeights;
  readonly adapter: LoraAdapter | null;
  readonly tokenizer: Tokenizer | null;
  readonly optimizer: OptimizerState;
  /** What the adversary has learned; null: none learns. */
  readonly adversary: GeneratorState | null;
  readonly fisher: ReadonlyMap<string, Float32Array> | null;
  readonly state: StageState;
  /** `trainer_state.json`, as Hugging Face's trainer writes it; absent: none. */
  readonly trainerState?: Readonly<Record<string, unknown>>;
}

/** `stage.json`. */
export interface StageState extends CheckpointPlace {
  /** Tokens trained in this stage. */
  readonly tokens: number;
  /** The stage is complete; its Fisher estimate and evaluation are done. */
  readonly complete: boolean;
  /** Held-out loss before the stage; null where nothing is held out. */
  readonly heldOutBefore: number | null;
  /** Held-out loss at the end of the stage; null before it, or where nothing is held out. */
  readonly heldOutAfter: number | null;
  /** Metrics of the steps since the last row of `metrics.jsonl`. */
  readonly unlogged: readonly StepMetrics[];
  /** What live sources reported in the same steps. */
  readonly unloggedLive?: readonly Readonly<Record<string, number>>[];
  /** State of the loss scale after the last row; null in float32. */
  readonly lossScale?: LossScalerState | null;
}

/** Writes a checkpoint whole or not at all; returns its folder. */
export async function saveCheckpoint(run: string, checkpoint: Checkpoint): Promise<string> {
  const { weights, adapter, tokenizer, optimizer, fisher, state } = checkpoint;
  const folder = checkpointFolder(run, state);
  await writeFolderAtomic(folder, async (temporary) => {
    await saveModel(temporary, weights, { tokenizer });
    if (adapter) await writeAdapter(`${temporary}/adapter`, adapter, weights.config);
    const flat = (data: Float32Array) => ({ shape: [data.length], data });
    await writeSafetensors(`${temporary}/optimizer.safetensors`, [
      { name: "m", ...flat(optimizer.m) },
      { name: "v", ...flat(optimizer.v) },
      ...(optimizer.path ? [{ name: "path", ...flat(optimizer.path) }] : []),
    ]);
    if (checkpoint.adversary) await writeAdversary(temporary, checkpoint.adversary);
    if (fisher) {
      await writeSafetensors(`${temporary}/fisher.safetensors`, fisherTensors(weights, fisher));
    }
    const json = { stage: state, trainer_state: checkpoint.trainerState };
    for (const [name, value] of Object.entries(json)) {
      if (value === undefined) continue;
      await Deno.writeTextFile(`${temporary}/${name}.json`, `${JSON.stringify(value, null, 2)}\n`);
    }
  });
  return folder;
}

/** A checkpoint as read. */
export interface ReadCheckpoint {
  readonly folder: string;
  readonly state: StageState;
  /** The policy, adapters folded in. */
  readonly weights: PolicyWeights;
  readonly tokenizer: Tokenizer | null;
  readonly adapter: LoraAdapter | null;
  /** null where the stage is complete. */
  readonly optimizer: OptimizerState | null;
  /** null where none learns, or the stage is complete. */
  readonly adversary: GeneratorState | null;
}

/** Reads a checkpoint. @throws {InputError} when it is not a whole one of ours. */
export async function readCheckpoint(folder: string): Promise<ReadCheckpoint> {
  const state = await readStageState(folder);
  const { weights, tokenizer } = await loadModel(folder);
  const adapted = await isFile(`${folder}/adapter/adapter_config.json`);
  return {
    folder,
    state,
    weights,
    tokenizer,
    adapter: adapted ? await readAdapter(`${folder}/adapter`, weights.config) : null,
    optimizer: state.complete ? null : await readOptimizer(folder),
    adversary: state.complete ? null : await readAdversary(folder),
  };
}

/** Reads a checkpoint's `stage.json`. @throws {InputError} when it is missing or not whole. */
export async function readStageState(folder: string): Promise<StageState> {
  const path = `${folder}/stage.json`;
  const broken = (reason: string) =>
    new InputError(
      `${path} cannot be used (${reason}): remove this checkpoint and resume from the one before`,
    );
  let state: StageState;
  try {
    state = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw broken((error as Error).message);
  }
  const { stage, step, complete, unlogged = [] } = state ?? {};
  if (typeof stage !== "string" || !Number.isSafeInteger(step) || typeof complete !== "boolean") {
    throw broken("stage, step or complete is missing");
  }
  return { ...state, unlogged: unlogged.map(withNaN) };
}

/** Rows of `metrics.jsonl` that were written before a checkpoint. @throws {InputError} when it does not say. */
export async function checkpointRows(folder: string): Promise<number> {
  const path = `${folder}/trainer_state.json`;
  try {
    const rows = JSON.parse(await Deno.readTextFile(path)).log_history.length;
    if (Number.isSafeInteger(rows)) return rows;
    throw new TypeError("log_history is no list");
  } catch (error) {
    throw new InputError(
      `${path} cannot be used (${
        (error as Error).message
      }): remove this checkpoint and resume from the one before`,
    );
  }
}

/** JSON writes numbers that are not finite as null. */
function withNaN(row: StepMetrics): StepMetrics {
  const { terms, ...numbers } = row;
  const known = <T extends object>(values: T): T =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value ?? NaN])) as T;
  return { ...known(numbers), ...(terms && { terms: known(terms) }) };
}

async function readOptimizer(folder: string): Promise<OptimizerState> {
  const path = `${folder}/optimizer.safetensors`;
  const tensors = await readSafetensors(path);
  const moment = (name: string): Float32Array => {
    const data = tensors.get(name)?.data;
    if (data instanceof Float32Array) return data;
    throw new InputError(
      `${path}: there is no float32 tensor ${name}: remove this checkpoint and resume from the one before`,
    );
  };
  const [m, v] = [moment("m"), moment("v")];
  return tensors.has("path") ? { m, v, path: moment("path") } : { m, v };
}

const ADVERSARY = "adversary.safetensors";

async function writeAdversary(folder: string, state: GeneratorState): Promise<void> {
  const flat = (name: string, data: Float32Array) => ({ name, shape: [data.length], data });
  await writeSafetensors(`${folder}/${ADVERSARY}`, [
    ...[...state.weights].map(([name, data]) => flat(`weights.${name}`, data)),
    flat("m", state.m),
    flat("v", state.v),
    flat("updates", Float32Array.of(state.updates)),
  ]);
}

async function readAdversary(folder: string): Promise<GeneratorState | null> {
  const path = `${folder}/${ADVERSARY}`;
  if (!await isFile(path)) return null;
  const all = new Map(
    [...await readSafetensors(path)].map(([name, { data }]) => [name, data as Float32Array]),
  );
  const [m, v, updates] = ["m", "v", "updates"].map((name) => all.get(name));
  if (!m || !v || !updates) {
    throw new InputError(
      `${path}: m, v or updates is missing: remove this checkpoint and resume from the one before`,
    );
  }
  const weights = [...all].filter(([name]) => name.startsWith("weights."))
    .map(([name, data]) => [name.slice("weights.".length), data] as const);
  return { weights: new Map(weights), m, v, updates: updates[0] };
}

/** Hugging Face names where the whole policy was trained, the toolkit's own for adapters. */
function fisherTensors(
  { config, tensors }: PolicyWeights,
  fisher: ReadonlyMap<string, Float32Array>,
): TensorToWrite[] {
  if ([...tensors.keys()].every((name) => fisher.has(name))) return toHuggingFace(config, fisher);
  return [...fisher].map(([name, data]) => ({ name, shape: [data.length], data }));
}
