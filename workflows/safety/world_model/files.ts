/**
 * A world model on disk: a Hugging Face folder for sequence classification (classes `safe` and `unsafe`), which `transformers` loads
 * unchanged, and `world_model.json` beside it.
 */
import { join } from "node:path";
import { InputError } from "../../../kernels/errors.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import type { Family } from "../../../kernels/policy/config.ts";
import type { Tokenizer } from "../../data/tokenizers/tokenizer.ts";
import { writeFileAtomic, writeFolderAtomic } from "../../files.ts";
import { isFile, readJson } from "../../model_files/files.ts";
import { loadModel } from "../../model_files/load_model.ts";
import { saveModel } from "../../model_files/save_model.ts";
import { type WorldModelCard, worldModelCard } from "./card.ts";
import { sha256 } from "./examples.ts";
import { WorldModel, type WorldModelWeights } from "./model.ts";

/** The card's file. */
const CARD = "world_model.json";
/** The weights' file. */
const WEIGHTS = "model.safetensors";
/** The head's name in it. */
const HEAD = "score.weight";

const ARCHITECTURES: Readonly<Record<Family, string>> = {
  gpt2: "GPT2ForSequenceClassification",
  llama: "LlamaForSequenceClassification",
  qwen2: "Qwen2ForSequenceClassification",
  gpt_neox: "GPTNeoXForSequenceClassification",
};

/** What is written. */
export interface WorldModelFiles {
  /** Body and head. */
  readonly weights: WorldModelWeights;
  /** What is known of it. */
  readonly card: WorldModelCard;
  /** Written beside the weights. */
  readonly tokenizer?: Tokenizer | null;
}

/** Writes the folder whole or not at all; returns the card with the weights' hash. */
export async function saveWorldModel(
  folder: string,
  { weights: { body, head }, card, tokenizer }: WorldModelFiles,
): Promise<WorldModelCard> {
  let written = card;
  await writeFolderAtomic(folder, async (temporary) => {
    const heads = new Map([[HEAD, { shape: [...head.shape], data: head.data }]]);
    // One file whatever its size, so that one hash speaks for all weights.
    await saveModel(temporary, body, { tokenizer, heads, shardBytes: Infinity });
    const config = join(temporary, "config.json");
    await writeJson(config, {
      ...await readJson(config),
      architectures: [ARCHITECTURES[body.config.family]],
      num_labels: 2,
      id2label: { "0": "safe", "1": "unsafe" },
      label2id: { safe: 0, unsafe: 1 },
      problem_type: "single_label_classification",
    });
    written = { ...card, weights_sha256: await fileHash(join(temporary, WEIGHTS)) };
    await writeJson(join(temporary, CARD), written);
  });
  return written;
}

/** A world model with its card. */
export interface LoadedWorldModel {
  /** Ready to judge. */
  readonly worldModel: WorldModel;
  /** `world_model.json`. */
  readonly card: WorldModelCard;
  /** null where the folder has none. */
  readonly tokenizer: Tokenizer | null;
}

/**
 * Reads the card alone.
 * @throws {InputError} when it is missing or malformed.
 */
export async function readWorldModelCard(folder: string): Promise<WorldModelCard> {
  const path = join(folder, CARD);
  if (!await isFile(path)) {
    throw new InputError(`${folder}: has no ${CARD}; name a folder that holds a world model`);
  }
  const { success, data, error } = worldModelCard.safeParse(await readJson(path));
  if (success) return data;
  const [{ path: key, message }] = error.issues;
  throw new InputError(`${path}: ${key.join(".") || "the file"}: ${message}`);
}

/**
 * Loads what {@linkcode saveWorldModel} wrote, onto the GPU.
 * @throws {InputError} when something is missing or malformed, or the weights are not those that the threshold was chosen for.
 */
export async function loadWorldModel(gpu: Gpu, folder: string): Promise<LoadedWorldModel> {
  const card = await readWorldModelCard(folder);
  const hash = await fileHash(join(folder, WEIGHTS));
  if (hash !== card.weights_sha256) {
    throw new InputError(
      `${folder}: ${WEIGHTS} is not the file that ${CARD} speaks of (SHA-256 ${
        hash.slice(0, 12)
      }..., expected ${
        card.weights_sha256?.slice(0, 12)
      }...): its threshold and error rates do not hold; build it again`,
    );
  }
  const { weights, heads, tokenizer } = await loadModel(folder);
  const head = heads.get(HEAD);
  if (!head) throw new InputError(`${folder}: ${WEIGHTS} has no ${HEAD}`);
  const worldModel = new WorldModel(gpu, { body: weights, head }, card.threshold.value);
  return { worldModel, card, tokenizer };
}

async function fileHash(path: string): Promise<string> {
  try {
    return await sha256(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new InputError(`${path} does not exist`);
    throw error;
  }
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
