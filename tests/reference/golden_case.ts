/**
 * Reads a golden case: a model folder with the inputs and the expected numbers (format: `tests/golden/README.md`).
 *
 * Expected tensors carry Hugging Face names and layouts; they are brought to the toolkit's own by the same table as
 * weights, because gradients, Fisher diagonals and trained parameters are laid out like the parameters.
 */
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { NO_TARGET, type TokenBatch } from "../../workflows/data/batch.ts";
import { readModelFolder } from "../../workflows/model_files/hf_folder.ts";
import { fromHuggingFace } from "../../workflows/model_files/layouts.ts";
import { loraModules } from "../../workflows/model_files/names.ts";
import { readSafetensors } from "../../workflows/model_files/safetensors.ts";
import { assert } from "../assert.ts";
import type { Lora } from "./lora.ts";
import { type Numbers, relativeError } from "./numbers.ts";
import { type Policy, toPolicy } from "./transformer.ts";

/** Tensors of a safetensors file, all float32. */
export type Named = Map<string, { readonly shape: readonly number[]; readonly data: Float32Array }>;

/** Token ids, masks and labels as Hugging Face has them, [rows][length]. */
export interface LabelledInputs {
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
  readonly labels: number[][];
}

/** One case. `inputs` and `scalars` differ between kinds of cases. */
export interface GoldenCase<Inputs, Scalars> {
  readonly folder: string;
  readonly inputs: Inputs;
  readonly scalars: Scalars;
  readonly expected: Named;
}

/** The inputs and expected values of a case. */
export async function readCase<Inputs, Scalars>(
  folder: string,
): Promise<GoldenCase<Inputs, Scalars>> {
  const json = async (name: string) => JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
  return {
    folder,
    inputs: await json("inputs.json"),
    scalars: await json("expected.json"),
    expected: await readSafetensors(`${folder}/expected.safetensors`) as Named,
  };
}

/** The policy of a case in float64; `file` names other weights than `model.safetensors`. */
export async function readPolicy(folder: string, file = "model.safetensors"): Promise<Policy> {
  return toPolicy((await readModelFolder(`${folder}/${file}`)).weights);
}

/** The expected `PREFIX.NAME` tensors by internal name; `absent` stands in for those not stored. */
export async function expectedByParameter(
  config: PolicyConfig,
  expected: Named,
  prefix: string,
  absent?: number,
): Promise<Map<string, Float32Array>> {
  const { tensors } = await fromHuggingFace(config, (name) => {
    const tensor = expected.get(`${prefix}.${name}`);
    if (tensor || absent === undefined) return Promise.resolve(tensor ?? null);
    const shape = expected.get(`final.${name}`)?.shape;
    if (!shape) return Promise.resolve(null);
    const size = shape.reduce((a, b) => a * b, 1);
    return Promise.resolve({ shape, data: new Float32Array(size).fill(absent) });
  });
  return tensors;
}

/** Shifted targets from Hugging Face labels: position i predicts labels[i + 1], unless that is -100. */
export function batchOf({ input_ids, labels }: LabelledInputs): TokenBatch {
  const [rows, length] = [input_ids.length, input_ids[0].length];
  const targets = labels.flatMap((row) =>
    row.map((_, i) => i + 1 < length && row[i + 1] !== -100 ? row[i + 1] : NO_TARGET)
  );
  return {
    rows,
    length,
    ids: Uint32Array.from(input_ids.flat()),
    targets: Uint32Array.from(targets),
    weights: Float32Array.from(targets, (target) => target === NO_TARGET ? 0 : 1),
    positions: Uint32Array.from({ length: rows * length }, (_, i) => i % length),
    // Padding is on the right, where causal attention never looks from a real token.
    starts: new Uint32Array(rows * length),
  };
}

/** Adapters of a PEFT file, with the scaling alpha / r of `adapter_config.json`. */
export async function readAdapters(folder: string, config: PolicyConfig): Promise<Lora[]> {
  const file = await readSafetensors(`${folder}/adapter.safetensors`) as Named;
  const { r, lora_alpha } = JSON.parse(await Deno.readTextFile(`${folder}/adapter_config.json`));
  return loraModules(config).flatMap((module) => {
    const name = `base_model.model.${module.hfModule}`;
    const [a, b] = ["A", "B"].map((side) => file.get(`${name}.lora_${side}.weight`));
    if (!a || !b) return [];
    return [{
      name,
      parameter: module.parameter,
      rowStart: module.rowStart,
      rowCount: module.rowCount,
      rank: r,
      scaling: lora_alpha / r,
      a: Float64Array.from(a.data),
      b: inRowOrder(b.data, module.rowOrder, r),
    }];
  });
}

/** B's rows as the toolkit orders them (GPT-NeoX files interleave q, k and v per head). */
function inRowOrder(b: Float32Array, order: Uint32Array | null, rank: number): Float64Array {
  if (!order) return Float64Array.from(b);
  return Float64Array.from(b, (_, i) => b[order[Math.floor(i / rank)] * rank + i % rank]);
}

/** Logits with the rows of padding set to zero, as golden files store them. */
export function maskedLogits(logits: Numbers, mask: number[][], vocab: number): Float64Array {
  const flat = mask.flat();
  return Float64Array.from(logits, (x, i) => flat[Math.floor(i / vocab)] === 0 ? 0 : x);
}

/** Asserts |actual - expected| / |expected| <= limit over the whole tensor. */
export function assertClose(name: string, actual: Numbers, expected: Numbers, limit: number): void {
  const error = relativeError(actual, expected);
  assert(error <= limit, `${name}: relative error ${error}, limit ${limit}`);
}

/** {@linkcode assertClose} for every expected tensor of a map. */
export function assertAllClose(
  name: string,
  actual: ReadonlyMap<string, Numbers>,
  expected: ReadonlyMap<string, Numbers>,
  limit: number,
): void {
  for (const [key, tensor] of expected) {
    assertClose(`${name}.${key}`, actual.get(key) ?? [], tensor, limit);
  }
}
