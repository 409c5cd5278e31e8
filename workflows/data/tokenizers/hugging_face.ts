/**
 * `tokenizer.json` of Hugging Face, run by `@huggingface/tokenizers`, and GPT-2's two-file form of
 * it.
 */
import type { Tokenizer as Engine } from "@huggingface/tokenizers";
import { InputError, oneLine } from "../../../kernels/errors.ts";
import type { DecodeOptions, EncodeOptions, Tokenizer } from "./tokenizer.ts";

/** Files that describe one tokenizer, by name, as found in a model folder. */
export type TokenizerFiles = ReadonlyMap<string, Uint8Array | string>;

type Json = Readonly<Record<string, unknown>>;

/** Everything a model folder may hold about its tokenizer. */
export const TOKENIZER_FILES: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  "tokenizer.bin",
];

function parseObject(text: Uint8Array | string | undefined, name: string): Json {
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(typeof text === "string" ? text : new TextDecoder().decode(text));
  } catch (error) {
    throw new InputError(`${name}: not valid JSON (${oneLine(error)}); mend it or copy it again`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InputError(`${name}: expected a JSON object`);
  }
  return value as Json;
}

/** A special token is written as its text or as `{ content }`. */
function tokenContent(value: unknown): string | null {
  if (typeof value === "string") return value;
  const content = (value as Json | null | undefined)?.content;
  return typeof content === "string" ? content : null;
}

/** The template: a string, a list of named ones, or a file of its own. */
function findTemplate(config: Json, files: TokenizerFiles): string | null {
  const file = files.get("chat_template.jinja");
  if (file !== undefined) return typeof file === "string" ? file : new TextDecoder().decode(file);
  const { chat_template: template } = config;
  if (typeof template === "string") return template;
  if (!Array.isArray(template)) return null;
  const named = template.find((entry) => entry?.name === "default");
  return typeof named?.template === "string" ? named.template : null;
}

/** Special ids of the model's own configuration, for tokenizer files that name none. */
export interface SpecialIds {
  /** Beginning of a sequence. */
  readonly bosTokenId: number | null;
  /** End of a sequence. */
  readonly eosTokenId: number | null;
  /** Fills up a batch. */
  readonly padTokenId: number | null;
}

/** Parts that a `tokenizer.json` may leave out and the engine insists on. */
const OPTIONAL_PARTS = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
};

const NO_IDS: SpecialIds = { bosTokenId: null, eosTokenId: null, padTokenId: null };

/** A tokenizer described by `tokenizer.json`. */
export class HuggingFaceTokenizer implements Tokenizer {
  readonly kind = "tokenizer.json";
  readonly vocabSize: number;
  readonly bosId: number | null;
  readonly eosId: number | null;
  readonly padId: number | null;
  readonly chatTemplate: string | null;
  readonly #engine: Engine;
  readonly #texts: ReadonlyMap<number, string>;
  readonly #files: TokenizerFiles;
  readonly #cleanUp: boolean;

  private constructor(engine: Engine, config: Json, files: TokenizerFiles, model: SpecialIds) {
    this.#engine = engine;
    this.#files = files;
    this.#texts = new Map([...engine.get_vocab(true)].map(([text, id]) => [id, text]));
    this.vocabSize = [...this.#texts.keys()].reduce((most, id) => Math.max(most, id + 1), 0);
    const map = parseObject(files.get("special_tokens_map.json"), "special_tokens_map.json");
    const id = (name: string, fallback: number | null) => {
      const text = tokenContent(config[name] ?? map[name]);
      if (text !== null) return engine.token_to_id(text) ?? null;
      return fallback !== null && this.#texts.has(fallback) ? fallback : null;
    };
    this.bosId = id("bos_token", model.bosTokenId);
    this.eosId = id("eos_token", model.eosTokenId);
    this.padId = id("pad_token", model.padTokenId);
    this.chatTemplate = findTemplate(config, files);
    this.#cleanUp = config.clean_up_tokenization_spaces === true;
  }

  /**
   * Builds the tokenizer that a folder's files describe.
   * @param files `tokenizer.json`, and `tokenizer_config.json` and others where they exist.
   * @param model Ids to fall back on, from the model's `config.json`.
   * @throws {InputError} when `tokenizer.json` is missing, malformed, or of an unknown kind.
   */
  static async create(
    files: TokenizerFiles,
    model: SpecialIds = NO_IDS,
  ): Promise<HuggingFaceTokenizer> {
    if (!files.has("tokenizer.json")) throw new InputError("tokenizer.json is missing");
    const json = parseObject(files.get("tokenizer.json"), "tokenizer.json");
    const config = parseObject(files.get("tokenizer_config.json"), "tokenizer_config.json");
    const { Tokenizer: Engine } = await import("@huggingface/tokenizers");
    let engine: Engine;
    try {
      engine = new Engine({ ...OPTIONAL_PARTS, ...json }, config);
    } catch (error) {
      throw new InputError(
        `tokenizer.json: not a tokenizer that can be used (${
          oneLine(error)
        }); save it again with save_pretrained`,
      );
    }
    return new HuggingFaceTokenizer(engine, config, files, model);
  }

  encode(text: string, { addSpecialTokens = true }: EncodeOptions = {}): number[] {
    return this.#engine.encode(text, { add_special_tokens: addSpecialTokens }).ids;
  }

  decode(ids: readonly number[], { skipSpecialTokens = true }: DecodeOptions = {}): string {
    if (ids.length === 0) return "";
    for (const id of ids) this.tokenText(id);
    return this.#engine.decode([...ids], {
      skip_special_tokens: skipSpecialTokens,
      clean_up_tokenization_spaces: this.#cleanUp,
    });
  }

  tokenText(id: number): string {
    const text = this.#texts.get(id);
    if (text === undefined) {
      throw new InputError(`token id ${id} is not in the vocabulary (0 to ${this.vocabSize - 1})`);
    }
    return text;
  }

  files(): Map<string, Uint8Array | string> {
    return new Map(this.#files);
  }
}

/** What a byte-level BPE is made of, besides its merges. */
export interface ByteLevelBpe {
  /** Token text (in GPT-2's printable bytes) to id. */
  readonly vocab: Readonly<Record<string, number>>;
  /** Pairs in order of rank, each `left right`. */
  readonly merges: readonly string[];
  /** Tokens recognised in text before anything is split, and left out of decoded text. */
  readonly special: readonly string[];
  /** Tokens recognised in text and kept in decoded text. */
  readonly literal?: readonly string[];
  /** Cuts text into words; null: GPT-2's own expression. */
  readonly pattern?: string | null;
  /** A word that is itself a token is taken whole (Llama 3). */
  readonly ignoreMerges?: boolean;
}

/** The `tokenizer.json` of a byte-level BPE. */
export function byteLevelBpeJson(bpe: ByteLevelBpe): Record<string, unknown> {
  const { vocab, merges, special, literal = [], pattern = null, ignoreMerges = false } = bpe;
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };
  const split = { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [...special, ...literal].map((content) => ({
      id: vocab[content],
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: special.includes(content),
    })),
    normalizer: null,
    pre_tokenizer: pattern === null
      ? { ...byteLevel, use_regex: true }
      : { type: "Sequence", pretokenizers: [split, { ...byteLevel, use_regex: false }] },
    post_processor: { ...byteLevel, use_regex: true },
    decoder: { ...byteLevel, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoreMerges,
      vocab,
      merges,
    },
  };
}

const END_OF_TEXT = "<|endoftext|>";

/**
 * GPT-2's two files: `vocab.json` (or `encoder.json`) and `merges.txt` (or `vocab.bpe`).
 * @throws {InputError} when they do not belong together.
 */
export async function gpt2Tokenizer(vocabJson: string, mergesText: string): Promise<Tokenizer> {
  const vocab = parseObject(vocabJson, "vocab.json") as Record<string, number>;
  const merges = mergesText.split(/\r?\n/).filter((line, i) =>
    line !== "" && !(i === 0 && line.startsWith("#version"))
  );
  for (const [i, line] of merges.entries()) {
    const [left, right, ...rest] = line.split(" ");
    if (!left || !right || rest.length > 0 || vocab[left + right] === undefined) {
      throw new InputError(
        `merges.txt: merge ${i + 1} (${JSON.stringify(line)}) is not "left right" with their ` +
          "union in vocab.json; are the two files of one tokenizer?",
      );
    }
  }
  const special = END_OF_TEXT in vocab ? [END_OF_TEXT] : [];
  const config = {
    tokenizer_class: "GPT2Tokenizer",
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    ...(special.length > 0 ? { bos_token: END_OF_TEXT, eos_token: END_OF_TEXT } : {}),
  };
  return await HuggingFaceTokenizer.create(
    new Map([
      ["tokenizer.json", JSON.stringify(byteLevelBpeJson({ vocab, merges, special }))],
      ["tokenizer_config.json", JSON.stringify(config, null, 2) + "\n"],
    ]),
  );
}
