/**
 * The folder of one run: `config.yaml`, `metrics.jsonl`, `scores.json` (where an exam was sat), `trainer_state.json`, TensorBoard's
 * event files, `checkpoints/<stage>-<step>/`.
 */
import { join } from "node:path";
import { InputError } from "../kernels/errors.ts";
import type { TrainConfig } from "./config/config.ts";
import { writeFileAtomic } from "./files.ts";

/** How far a run has come. */
export interface CheckpointPlace {
  /** Name of the stage. */
  readonly stage: string;
  /** Optimiser steps done in it. */
  readonly step: number;
}

/** A name under `runs/` that sorts by time: `runs/nursery-20260131-235959`. */
export function defaultRunFolder(preset: string | null, now: Date): string {
  const time = now.toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  return join("runs", `${preset ?? "run"}-${time}`);
}

/**
 * Makes a run folder and writes its `config.yaml`. Call it when data and model are known to be good, so that bad
 * input leaves no folder behind.
 * @throws {InputError} when it cannot be written to, or holds a run already.
 */
export async function createRunFolder(folder: string, config: TrainConfig): Promise<void> {
  const path = join(folder, "config.yaml");
  const taken = await Deno.stat(path).then(() => true, () => false);
  if (taken) {
    throw new InputError(
      `${folder} holds a run already: continue it with --resume ${folder}, or name another --out`,
    );
  }
  // Loaded here, so that importing the toolkit does not fetch a YAML package.
  const { configYaml } = await import("./config/resolve.ts");
  await writeFileAtomic(path, configYaml({ ...config, out: folder }));
}

/** Where the checkpoint of a place lies. */
export function checkpointFolder(folder: string, { stage, step }: CheckpointPlace): string {
  return join(folder, "checkpoints", `${stage}-${step}`);
}

/** The checkpoints of a run, in the order of training. `stages` are the configuration's. */
export async function listCheckpoints(
  folder: string,
  stages: readonly { readonly name: string }[],
): Promise<CheckpointPlace[]> {
  const order = stages.map(({ name }) => name);
  const places: CheckpointPlace[] = [];
  try {
    for await (const entry of Deno.readDir(join(folder, "checkpoints"))) {
      const [, stage, step] = /^(.+)-(\d+)$/.exec(entry.name) ?? [];
      if (entry.isDirectory && order.includes(stage)) places.push({ stage, step: Number(step) });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return places.sort((a, b) => order.indexOf(a.stage) - order.indexOf(b.stage) || a.step - b.step);
}

/**
 * Removes the oldest checkpoints of a stage until `limit` are left; null keeps all.
 * @returns The places that were removed.
 */
export async function pruneCheckpoints(
  folder: string,
  stage: string,
  limit: number | null,
): Promise<CheckpointPlace[]> {
  const places = await listCheckpoints(folder, [{ name: stage }]);
  const surplus = limit === null ? [] : places.slice(0, Math.max(0, places.length - limit));
  for (const place of surplus) {
    await Deno.remove(checkpointFolder(folder, place), { recursive: true });
  }
  return surplus;
}
