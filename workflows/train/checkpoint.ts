/**
 * Checkpoints: a Hugging Face folder that any tool loads, plus what is needed to go on bit for bit.
 *
 *     config.json, model.safetensors, tokenizer files     the policy so far (adapters beside it: adapter_*)
 *     optimizer.safetensors                                AdamW's moments, over the flat arena
 *     fisher.safetensors                                   diagonal Fisher of the stage's end, in Hugging Face names
 *     stage.json                                           what was done when this was written
 *
 * Data order and random numbers need no state: both are functions of (seed, step).
 */
import { InputError } from "../../kernels/errors.ts";
import type { PolicyWeights } from "../../kernels/policy/config.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { writeFolderAtomic } from "../files.ts";
import { toHuggingFace } from "../model_files/layouts.ts";
import type { LoraAdapter } from "../model_files/lora.ts";
import { writeAdapter } from "../model_files/peft.ts";
import { readSafetensors } from "../model_files/safetensors.ts";
import { type TensorToWrite, writeSafetensors } from "../model_files/safetensors_write.ts";
import { saveModel } from "../model_files/save_model.ts";
import { checkpointFolder, type CheckpointPlace } from "../run_folder.ts";
import type { OptimizerState } from "./program.ts";

/** What is written. */
export interface Checkpoint {
  readonly weights: PolicyWeights;
  readonly adapter: LoraAdapter | null;
  readonly tokenizer: Tokenizer | null;
  readonly optimizer: OptimizerState;
  readonly fisher: ReadonlyMap<string, Float32Array> | null;
  readonly state: StageState;
}

/** `stage.json`. */
export interface StageState extends CheckpointPlace {
  /** Tokens trained in this stage. */
  readonly tokens: number;
  /** The stage is complete; its Fisher estimate and evaluation are done. */
  readonly complete: boolean;
  /** Scores at the stage's end. */
  readonly scores?: Readonly<Record<string, unknown>>;
}

/** Writes a checkpoint whole or not at all; returns its folder. */
export async function saveCheckpoint(run: string, checkpoint: Checkpoint): Promise<string> {
  const { weights, adapter, tokenizer, optimizer, fisher, state } = checkpoint;
  const folder = checkpointFolder(run, state);
  await writeFolderAtomic(folder, async (temporary) => {
    await saveModel(temporary, weights, { tokenizer });
    if (adapter) await writeAdapter(temporary, adapter, weights.config);
    const flat = (data: Float32Array) => ({ shape: [data.length], data });
    await writeSafetensors(`${temporary}/optimizer.safetensors`, [
      { name: "m", ...flat(optimizer.m) },
      { name: "v", ...flat(optimizer.v) },
    ]);
    if (fisher) {
      await writeSafetensors(`${temporary}/fisher.safetensors`, fisherTensors(weights, fisher));
    }
    await Deno.writeTextFile(`${temporary}/stage.json`, `${JSON.stringify(state, null, 2)}\n`);
  });
  return folder;
}

/** The state that a checkpoint was written in. @throws {InputError} when it is no checkpoint of ours. */
export async function readStageState(folder: string): Promise<StageState> {
  const path = `${folder}/stage.json`;
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    throw new InputError(
      `${path} cannot be read (${(error as Error).message}): resume from another checkpoint`,
    );
  }
}

/** The optimiser's moments of a checkpoint. @throws {InputError} when their number does not fit the policy. */
export async function readOptimizer(folder: string, floats: number): Promise<OptimizerState> {
  const path = `${folder}/optimizer.safetensors`;
  const tensors = await readSafetensors(path);
  const moment = (name: string): Float32Array => {
    const data = tensors.get(name)?.data;
    if (!(data instanceof Float32Array) || data.length !== floats) {
      throw new InputError(
        `${path}: ${name} must hold ${floats} float32 values, found ${data?.length ?? "none"}: ` +
          `the configuration is not the one that made this checkpoint`,
      );
    }
    return data;
  };
  return { m: moment("m"), v: moment("v") };
}

/** Hugging Face names where the whole policy was trained, the toolkit's own for adapters. */
function fisherTensors(
  { config, tensors }: PolicyWeights,
  fisher: ReadonlyMap<string, Float32Array>,
): TensorToWrite[] {
  if ([...tensors.keys()].every((name) => fisher.has(name))) return toHuggingFace(config, fisher);
  return [...fisher].map(([name, data]) => ({ name, shape: [data.length], data }));
}
