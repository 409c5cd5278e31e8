/**
 * Adapter folders of PEFT: `adapter_config.json` and `adapter_model.safetensors`.
 *
 * The tensor names, not `target_modules`, say what is adapted; whatever would change the numbers
 * beyond plain LoRA (DoRA, ranks or alphas per module, trained biases) is refused by name.
 */
import { InputError } from "../../kernels/errors.ts";
import type { PolicyConfig } from "../../kernels/policy/config.ts";
import { errorIn, writeFileAtomic } from "../files.ts";
import { fileError, isFile, readJson, toJson } from "./files.ts";
import { withoutPrefix } from "./layouts.ts";
import { type LoraAdapter, type LoraTarget, selectModules } from "./lora.ts";
import { type LoraModule, loraModules } from "./names.ts";
import { SafetensorsFile, type Tensor, type TensorSource } from "./safetensors.ts";
import { type TensorToWrite, writeSafetensors } from "./safetensors_write.ts";

const PREFIX = "base_model.model.";
const NAME = /^(.+)\.lora_(A|B)(?:\.default)?\.weight$/;

type Json = Readonly<Record<string, unknown>>;

/** Fields that must be absent, null, false, empty, or the given value. */
const PLAIN: readonly (readonly [field: string, allowed: unknown, why: string])[] = [
  ["peft_type", "LORA", "only LoRA adapters are read"],
  ["bias", "none", "trained biases are not supported"],
  ["use_dora", false, "DoRA is not supported"],
  ["rank_pattern", null, "a rank per module is not supported"],
  ["alpha_pattern", null, "an alpha per module is not supported"],
  ["modules_to_save", null, "fully trained modules are not supported"],
  ["lora_bias", false, "LoRA with a bias is not supported"],
  ["layer_replication", null, "replicated layers are not supported"],
];

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === false ||
    (typeof value === "object" && Object.keys(value).length === 0);
}

function adapterNumbers(json: Json, path: string): Omit<LoraAdapter, "targets"> {
  for (const [field, allowed, why] of PLAIN) {
    const value = json[field];
    if (!isEmpty(value) && value !== allowed) {
      throw new InputError(`${path}: ${field} is ${JSON.stringify(value)}; ${why}`);
    }
  }
  const number = (
    field: string,
    fallback: number,
    ok: (value: number) => boolean,
    what: string,
  ) => {
    const value = json[field] ?? fallback;
    if (typeof value === "number" && ok(value)) return value;
    throw new InputError(`${path}: ${field} must be ${what}, found ${JSON.stringify(value)}`);
  };
  const isRank = (value: number) => Number.isSafeInteger(value) && value > 0;
  return {
    r: number("r", 8, isRank, "a positive whole number"),
    alpha: number("lora_alpha", 8, Number.isFinite, "a number"),
    dropout: number("lora_dropout", 0, (p) => p >= 0 && p < 1, "a probability below 1"),
    rankStabilised: json.use_rslora === true,
  };
}

/**
 * An adapter may come from training on the base model alone, whose names lack the family's prefix.
 */
function findModule(config: PolicyConfig, name: string): LoraModule | undefined {
  const bare = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
  return loraModules(config).find(({ hfModule }) =>
    hfModule === bare || withoutPrefix(config, hfModule) === bare
  );
}

async function factor(source: TensorSource, name: string, rows: number, columns: number) {
  const { shape, data }: Tensor<Float32Array> = await source.float32(name);
  if (shape.length !== 2 || shape[0] !== rows || shape[1] !== columns) {
    throw new InputError(`tensor "${name}": expected [${rows},${columns}], found [${shape}]`);
  }
  return data;
}

async function readTargets(
  source: TensorSource,
  config: PolicyConfig,
  r: number,
): Promise<LoraTarget[]> {
  const pairs = new Map<string, { A?: string; B?: string }>();
  for (const name of source.tensors.keys()) {
    const [, module, side] = NAME.exec(name) ?? [];
    if (!module) throw new InputError(`tensor "${name}" is no LoRA factor of a linear layer`);
    pairs.set(module, { ...pairs.get(module), [side]: name });
  }
  const targets: LoraTarget[] = [];
  for (const [name, { A, B }] of pairs) {
    const module = findModule(config, name);
    if (!module) throw new InputError(`"${name}" is no linear layer of this ${config.family}`);
    if (!A || !B) throw new InputError(`"${name}" lacks its lora_${A ? "B" : "A"} factor`);
    targets.push({
      module,
      A: await factor(source, A, r, module.inFeatures),
      B: await factor(source, B, module.rowCount, r),
    });
  }
  if (targets.length === 0) throw new InputError("the file holds no adapter");
  return targets;
}

/**
 * Reads an adapter folder for a policy.
 * @param file The tensors, where they are not in `adapter_model.safetensors`.
 * @throws {InputError} when a field, name or shape does not fit plain LoRA on this policy.
 */
export async function readAdapter(
  folder: string,
  config: PolicyConfig,
  file = "adapter_model.safetensors",
): Promise<LoraAdapter> {
  const configPath = `${folder}/adapter_config.json`;
  const numbers = adapterNumbers(await readJson(configPath), configPath);
  const path = `${folder}/${file}`;
  if (!await isFile(path) && await isFile(`${folder}/adapter_model.bin`)) {
    throw new InputError(
      `${folder}: has only adapter_model.bin (a pickle); save it as safetensors`,
    );
  }
  using source = await SafetensorsFile.open(path);
  const targets = await readTargets(source, config, numbers.r).catch((error) => {
    throw errorIn(path, error);
  });
  return { ...numbers, targets };
}

/** What else `adapter_config.json` can say. */
export interface AdapterOptions {
  /** Path or hub name of the base model. Default null. */
  readonly baseModel?: string | null;
}

/** The shortest names that select exactly these modules. */
function targetNames(modules: readonly LoraModule[], config: PolicyConfig): string[] {
  const short = [...new Set(modules.map(({ hfModule }) => hfModule.split(".").at(-1)!))].sort();
  const exact = selectModules(config, short).length === modules.length;
  return exact ? short : modules.map(({ hfModule }) => hfModule);
}

/** Writes an adapter as PEFT does; the folder may exist. */
export async function writeAdapter(
  folder: string,
  adapter: LoraAdapter,
  config: PolicyConfig,
  options: AdapterOptions = {},
): Promise<void> {
  const { r, alpha, dropout, rankStabilised, targets } = adapter;
  const json = {
    peft_type: "LORA",
    task_type: "CAUSAL_LM",
    base_model_name_or_path: options.baseModel ?? null,
    r,
    lora_alpha: alpha,
    lora_dropout: dropout,
    use_rslora: rankStabilised,
    bias: "none",
    fan_in_fan_out: targets.some(({ module }) => module.fanInFanOut),
    target_modules: targetNames(targets.map(({ module }) => module), config),
    inference_mode: true,
  };
  const tensors = targets.flatMap(({ module, A, B }): TensorToWrite[] => [
    { name: `${PREFIX}${module.hfModule}.lora_A.weight`, shape: [r, module.inFeatures], data: A },
    { name: `${PREFIX}${module.hfModule}.lora_B.weight`, shape: [module.rowCount, r], data: B },
  ]);
  await Deno.mkdir(folder, { recursive: true }).catch((error) => {
    throw fileError(folder, error);
  });
  await writeSafetensors(`${folder}/adapter_model.safetensors`, tensors);
  await writeFileAtomic(`${folder}/adapter_config.json`, toJson(json));
}
