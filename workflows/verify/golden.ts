/**
 * Golden cases by folder: each is known by the beginning of its folder's name.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { Gpu } from "../../kernels/gpu/device.ts";
import { fileError, isFile } from "../model_files/files.ts";
import { checkDpo } from "./dpo.ts";
import { checkEwc, checkTrueFisher } from "./fisher.ts";
import { CASE_FILES, GoldenCase } from "./golden_case.ts";
import { checkKl } from "./kl.ts";
import { checkLanguageModel } from "./language_model.ts";
import { checkLora } from "./lora.ts";
import type { CaseResult, Check } from "./result.ts";
import { checkSymmetricLosses } from "./symmetric_losses.ts";

type CheckCase = (gpu: Gpu, golden: GoldenCase) => Promise<Check[]>;

/** Kinds of cases by the beginning of their names; the first that fits. */
const KINDS: readonly (readonly [prefix: string, check: CheckCase])[] = [
  ["gpt2", checkLanguageModel],
  ["gpt-neox", checkLanguageModel],
  ["llama", checkLanguageModel],
  ["qwen2", checkLanguageModel],
  ["dpo", checkDpo],
  ["kl", checkKl],
  ["ewc-true-fisher", checkTrueFisher],
  ["ewc", checkEwc],
  ["lora-", checkLora],
  ["symmetric-losses", checkSymmetricLosses],
];

/**
 * Folders of cases in a folder, sorted by name; the folder itself when it is one.
 * @throws {InputError} when there is none.
 */
export async function goldenFolders(path: string): Promise<string[]> {
  if (await looksLikeCase(path)) return [path];
  const folders: string[] = [];
  try {
    for await (const { name, isDirectory, isSymlink } of Deno.readDir(path)) {
      const folder = join(path, name);
      if (isDirectory || isSymlink) {
        if (kindOf(name) || await looksLikeCase(folder)) folders.push(folder);
      }
    }
  } catch (error) {
    throw fileError(path, error);
  }
  if (folders.length > 0) return folders.sort();
  throw new InputError(
    `${path}: no golden cases here; a case is a folder with ${CASE_FILES.join(", ")}`,
  );
}

async function looksLikeCase(folder: string): Promise<boolean> {
  for (const name of CASE_FILES) if (await isFile(join(folder, name))) return true;
  return false;
}

function kindOf(name: string): CheckCase | undefined {
  return KINDS.find(([prefix]) => name.startsWith(prefix))?.[1];
}

/**
 * Checks one case.
 * @throws {InputError} naming the folder, when the case itself is malformed.
 */
export async function verifyGolden(gpu: Gpu, folder: string): Promise<CaseResult> {
  try {
    const golden = await GoldenCase.open(folder);
    const check = kindOf(golden.id);
    const checks = check ? await check(gpu, golden) : [];
    return { id: golden.id, checks, notCovered: check ? golden.notCovered : ["all of it"] };
  } catch (error) {
    if (!(error instanceof InputError) || error.message.startsWith(folder)) throw error;
    throw new InputError(`${folder}: ${error.message}`);
  }
}
