/**
 * A golden case: a model folder with inputs and the numbers that any correct implementation must
 * give.
 *
 *     config.json, model.safetensors      the model, as Hugging Face stores it
 *     inputs.json                         token ids, masks, labels, hyper-parameters
 *     expected.safetensors, expected.json expected tensors and numbers
 *
 * The case remembers which expected values were asked for, so that what nobody compares is reported
 * and never passes for checked.
 */
import { basename } from "node:path";
import { z } from "zod";
import { InputError } from "../../kernels/errors.ts";
import type { PolicyConfig, PolicyWeights } from "../../kernels/policy/config.ts";
import { NO_TARGET, type TokenBatch } from "../data/batch.ts";
import { readJson } from "../model_files/files.ts";
import { readModelFolder } from "../model_files/hf_folder.ts";
import { toHuggingFace } from "../model_files/layouts.ts";
import { readSafetensors, type Tensor } from "../model_files/safetensors.ts";
import { type Check, groupCheck, relativeError } from "./result.ts";

/** Files that every case has. */
export const CASE_FILES = ["inputs.json", "expected.json", "expected.safetensors"] as const;

/** How well a float32 implementation in PyTorch does; a remark, nothing to compare with. */
const REMARKS = ["float32_pytorch_rel_error"];

const matrix = z.array(z.array(z.int()).min(1)).min(1).refine(
  (rows) => rows.every((row) => row.length === rows[0].length),
  "must have rows of one length",
);

/** Token ids, masks and labels as Hugging Face has them, [rows][length]. */
export const LABELLED = z.object({
  input_ids: matrix,
  attention_mask: matrix,
  labels: matrix,
});

/** Inputs of a case with labels. */
export type Labelled = z.infer<typeof LABELLED>;

/** One case on disk. */
export class GoldenCase {
  readonly folder: string;
  readonly #inputs: Readonly<Record<string, unknown>>;
  readonly #numbers: Readonly<Record<string, unknown>>;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #used = new Set<string>(REMARKS);

  private constructor(
    folder: string,
    inputs: Readonly<Record<string, unknown>>,
    numbers: Readonly<Record<string, unknown>>,
    tensors: ReadonlyMap<string, Tensor>,
  ) {
    this.folder = folder;
    this.#inputs = inputs;
    this.#numbers = numbers;
    this.#tensors = tensors;
  }

  /** Reads all but the model. @throws {InputError} when a file is missing or damaged. */
  static async open(folder: string): Promise<GoldenCase> {
    const [inputs, numbers, tensors] = CASE_FILES.map((name) => `${folder}/${name}`);
    return new GoldenCase(
      folder,
      await readJson(inputs),
      await readJson(numbers),
      await readSafetensors(tensors),
    );
  }

  /** The folder's name. */
  get id(): string {
    return basename(this.folder);
  }

  /** The inputs of one kind of case. @throws {InputError} naming what does not fit. */
  inputs<T>(schema: z.ZodType<T>): T {
    const { success, data, error } = schema.safeParse(this.#inputs);
    if (success) return data;
    const [{ path, message }] = error.issues;
    throw new InputError(`${this.folder}/inputs.json: ${path.join(".")}: ${message}`);
  }

  /** The weights in one file of the folder. */
  async model(file = "model.safetensors"): Promise<PolicyWeights> {
    return (await readModelFolder(`${this.folder}/${file}`)).weights;
  }

  /** An expected tensor. @throws {InputError} when the case lacks it. */
  tensor(name: string): Float32Array {
    const found = this.find(name);
    if (found) return found;
    throw new InputError(`${this.folder}/expected.safetensors: tensor "${name}" is missing`);
  }

  /** An expected tensor that not every case has. */
  find(name: string): Float32Array | null {
    const data = this.#tensors.get(name)?.data;
    if (data === undefined) return null;
    if (!(data instanceof Float32Array)) {
      throw new InputError(`${this.folder}/expected.safetensors: "${name}" must be float32`);
    }
    this.#used.add(name);
    return data;
  }

  /** An expected number. @throws {InputError} when the case lacks it. */
  number(name: string): number {
    return this.#number(name, z.number());
  }

  /** Expected numbers. @throws {InputError} when the case lacks them. */
  numbers(name: string): number[] {
    return this.#number(name, z.array(z.number()));
  }

  /** Expected numbers under one name. @throws {InputError} when the case lacks them. */
  record(name: string): Readonly<Record<string, number>> {
    return this.#number(name, z.record(z.string(), z.number()));
  }

  #number<T>(name: string, schema: z.ZodType<T>): T {
    const { success, data, error } = schema.safeParse(this.#numbers[name]);
    if (!success) {
      throw new InputError(`${this.folder}/expected.json: ${name}: ${error.issues[0].message}`);
    }
    this.#used.add(name);
    return data;
  }

  /** Expected values that were never asked for. */
  get notCovered(): string[] {
    const names = [...Object.keys(this.#numbers), ...this.#tensors.keys()];
    return names.filter((name) => !this.#used.has(name));
  }

  /**
   * Compares values by internal parameter name with the expected `PREFIX.NAME`, tensor by tensor.
   */
  compareParameters(
    prefix: string,
    config: PolicyConfig,
    values: ReadonlyMap<string, Float32Array>,
    limit: number,
  ): Check {
    const errors = this.parameterErrors(prefix, config, values);
    return groupCheck(`${prefix} (${errors.length} tensors)`, limit, errors);
  }

  /** Relative error of each tensor; where `maskPrefix.NAME` is 0, neither side counts. */
  parameterErrors(
    prefix: string,
    config: PolicyConfig,
    values: ReadonlyMap<string, Float32Array>,
    maskPrefix?: string,
  ): [name: string, error: number][] {
    return toHuggingFace(config, values).map(({ name, data }) => {
      const mask = maskPrefix ? this.find(`${maskPrefix}.${name}`) : null;
      const masked = (x: Float32Array) => mask ? x.map((v, i) => v * mask[i]) : x;
      return [name, relativeError(masked(data), masked(this.tensor(`${prefix}.${name}`)))];
    });
  }
}

/**
 * Shifted targets from Hugging Face labels: position i predicts labels[i + 1], unless that is -100.
 * Ids under padding may be anything, so they become 0.
 */
export function batchOf({ input_ids, attention_mask, labels }: Labelled): TokenBatch {
  const [rows, length] = [input_ids.length, input_ids[0].length];
  for (const other of [attention_mask, labels]) {
    if (other.length !== rows || other[0].length !== length) {
      throw new InputError(`inputs.json: input_ids, attention_mask and labels differ in shape`);
    }
  }
  const targets = labels.flatMap((row) =>
    row.map((_, i) => i + 1 < length && row[i + 1] !== -100 ? row[i + 1] : NO_TARGET)
  );
  const mask = attention_mask.flat();
  return {
    rows,
    length,
    ids: Uint32Array.from(input_ids.flat(), (id, i) => mask[i] === 0 ? 0 : id),
    targets: Uint32Array.from(targets),
    weights: Float32Array.from(targets, (target) => target === NO_TARGET ? 0 : 1),
    positions: Uint32Array.from({ length: rows * length }, (_, i) => i % length),
    // Padding is on the right, where causal attention never looks from a real token.
    starts: new Uint32Array(rows * length),
  };
}

/** Logits with the rows of padding set to zero, as the files store them. */
export function maskedLogits(
  logits: Float32Array,
  { attention_mask }: Labelled,
  vocab: number,
): Float32Array {
  const mask = attention_mask.flat();
  return logits.map((x, i) => mask[Math.floor(i / vocab)] === 0 ? 0 : x);
}

/** Per-token values [rows, length] without each row's last place, which predicts nothing. */
export function shifted(values: Float32Array, length: number): Float32Array {
  return values.filter((_, i) => i % length < length - 1);
}
