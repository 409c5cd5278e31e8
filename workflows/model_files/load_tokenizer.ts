/**
 * Finds and reads a tokenizer: a folder, one of its files, or a GGUF file.
 */
import { basename, dirname, join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { ggufTokenizer } from "../data/tokenizers/gguf.ts";
import {
  gpt2Tokenizer,
  HuggingFaceTokenizer,
  type SpecialIds,
  TOKENIZER_FILES,
} from "../data/tokenizers/hugging_face.ts";
import { llama2cTokenizer } from "../data/tokenizers/llama2c.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import { errorIn } from "../files.ts";
import { isFile, readBytes, readText } from "./files.ts";
import { readGgufHeader } from "./gguf_header.ts";

/** The two files of GPT-2's tokenizer, under the names in use. */
const GPT2_PAIRS = [["vocab.json", "merges.txt"], ["encoder.json", "vocab.bpe"]] as const;

/**
 * Reads the tokenizer of a model folder.
 * @param model Special ids of the policy, for files that name none.
 * @returns null when the folder holds none.
 */
export async function folderTokenizer(
  folder: string,
  model?: SpecialIds,
): Promise<Tokenizer | null> {
  const at = (name: string) => join(folder, name);
  if (await isFile(at("tokenizer.json"))) {
    const files = new Map<string, Uint8Array>();
    for (const name of TOKENIZER_FILES) {
      if (await isFile(at(name))) files.set(name, await readBytes(at(name)));
    }
    return await HuggingFaceTokenizer.create(files, model).catch((error) => {
      throw errorIn(folder, error);
    });
  }
  for (const [vocab, merges] of GPT2_PAIRS) {
    if (await isFile(at(vocab)) && await isFile(at(merges))) {
      return await gpt2Tokenizer(await readText(at(vocab)), await readText(at(merges)))
        .catch((error) => {
          throw errorIn(folder, error);
        });
    }
  }
  if (await isFile(at("tokenizer.bin"))) {
    return llama2cTokenizer(await readBytes(at("tokenizer.bin")), at("tokenizer.bin"));
  }
  return null;
}

/**
 * Reads a tokenizer.
 * @param path A folder, `tokenizer.json` (or a file of GPT-2's pair), a `.gguf`, or a llama2.c
 * `.bin`.
 * @throws {InputError} when there is none at the path, or it cannot be used.
 */
export async function loadTokenizer(path: string): Promise<Tokenizer> {
  if (path.endsWith(".gguf")) {
    const { metadata } = await readGgufHeader(path);
    const found = await ggufTokenizer(metadata).catch((error) => {
      throw errorIn(path, error);
    });
    if (found) return found;
    throw new InputError(`${path}: this GGUF file holds no tokenizer`);
  }
  if (path.endsWith(".bin")) return llama2cTokenizer(await readBytes(path), path);
  if (await isFile(path)) {
    const name = basename(path);
    const known = ["tokenizer.json", ...GPT2_PAIRS.flat()] as string[];
    if (!known.includes(name)) {
      throw new InputError(`${path}: a tokenizer is a folder, .gguf, .bin, or ${known.join(", ")}`);
    }
  }
  const found = await folderTokenizer(await isFile(path) ? dirname(path) : path);
  if (found) return found;
  if (await isFile(join(path, "tokenizer.model"))) {
    throw new InputError(
      `${path}: has only tokenizer.model; load it with transformers' AutoTokenizer and save it again ` +
        "with save_pretrained, which writes tokenizer.json",
    );
  }
  throw new InputError(`${path}: no tokenizer here (tokenizer.json, or vocab.json and merges.txt)`);
}
