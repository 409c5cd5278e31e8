/**
 * The tokenizer inside a GGUF file: its `tokenizer.ggml.*` metadata.
 *
 * Model `llama` is SentencePiece BPE by scores, model `gpt2` byte-level BPE by merges; `pre` names
 * the expression that cuts the text first. Names as in llama.cpp's `gguf` constants.
 */
import { InputError } from "../../../kernels/errors.ts";
import { byteLevelBpeJson, HuggingFaceTokenizer } from "./hugging_face.ts";
import { isByteText, type Piece, type PieceKind } from "./pieces.ts";
import { SentencePieceTokenizer } from "./sentencepiece.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Metadata of a GGUF file, by key. */
export type GgufMetadata = Readonly<Record<string, unknown>>;

const TYPE_UNKNOWN = 2;
const TYPE_CONTROL = 3;
const TYPE_LITERAL = 4;
const TYPE_BYTE = 6;

/** Llama 3's words; Qwen2's differ only in how many digits stay together. */
const words = (digits: string) =>
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" + digits +
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Word patterns by `tokenizer.ggml.pre`; null is GPT-2's. */
const PATTERNS: Readonly<Record<string, string | null>> = {
  "gpt-2": null,
  "olmo": null,
  "phi-2": null,
  "mpt": null,
  "llama-bpe": words("\\p{N}{1,3}"),
  "qwen2": words("\\p{N}"),
};

function texts(metadata: GgufMetadata, key: string): string[] {
  const value = metadata[key];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new InputError(
    `GGUF metadata: ${key} must be a list of texts; pass a tokenizer.json instead`,
  );
}

/** A list with one number for each token. */
function numbers(metadata: GgufMetadata, key: string, length: number): number[] {
  const value = metadata[key];
  const right = Array.isArray(value) && value.length === length &&
    value.every((item) => Number.isFinite(item));
  if (right) return value;
  const found = Array.isArray(value) ? `a list of ${value.length}` : "none";
  throw new InputError(`GGUF metadata: ${key} must be a list of ${length} numbers, found ${found}`);
}

/** A special token; null where there is none, or (as in llama.cpp) an id outside the vocabulary. */
function tokenId(metadata: GgufMetadata, name: string, vocabSize: number): number | null {
  const id = Number(metadata[`tokenizer.ggml.${name}_token_id`] ?? -1);
  return Number.isInteger(id) && id >= 0 && id < vocabSize ? id : null;
}

function template(metadata: GgufMetadata): string | null {
  const value = metadata["tokenizer.chat_template"];
  return typeof value === "string" ? value : null;
}

function sentencePiece(metadata: GgufMetadata, tokens: string[]): Tokenizer {
  const scores = numbers(metadata, "tokenizer.ggml.scores", tokens.length);
  const types = numbers(metadata, "tokenizer.ggml.token_type", tokens.length);
  const kinds: Readonly<Record<number, PieceKind>> = {
    [TYPE_UNKNOWN]: "unknown",
    [TYPE_CONTROL]: "control",
    [TYPE_LITERAL]: "literal",
    [TYPE_BYTE]: "byte",
  };
  const pieces = tokens.map((token, id): Piece => {
    const kind = kinds[types[id]] ?? "normal";
    if (kind === "byte" && !isByteText(token)) {
      throw new InputError(`GGUF metadata: byte token ${id} is ${JSON.stringify(token)}`);
    }
    return { text: token.replaceAll("\u2581", " "), score: scores[id], kind };
  });
  return new SentencePieceTokenizer(pieces, {
    bosId: tokenId(metadata, "bos", tokens.length),
    eosId: tokenId(metadata, "eos", tokens.length),
    padId: tokenId(metadata, "padding", tokens.length),
    addBos: metadata["tokenizer.ggml.add_bos_token"] !== false,
    controlInText: true,
    spacePrefix: metadata["tokenizer.ggml.add_space_prefix"] !== false,
    chatTemplate: template(metadata),
    original: new Map(),
  });
}

function byteLevel(metadata: GgufMetadata, tokens: string[]): Promise<Tokenizer> {
  const types = (metadata["tokenizer.ggml.token_type"] ?? []) as number[];
  const pre = metadata["tokenizer.ggml.pre"] ?? "gpt-2";
  if (typeof pre !== "string" || !Object.hasOwn(PATTERNS, pre)) {
    throw new InputError(
      `GGUF metadata: tokenizer.ggml.pre is ${JSON.stringify(pre)}, expected ` +
        `${Object.keys(PATTERNS).join(", ")}; pass the model's tokenizer.json instead`,
    );
  }
  const json = byteLevelBpeJson({
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges: texts(metadata, "tokenizer.ggml.merges"),
    special: tokens.filter((_, id) => types[id] === TYPE_CONTROL),
    literal: tokens.filter((_, id) => types[id] === TYPE_LITERAL),
    pattern: PATTERNS[pre],
    ignoreMerges: pre === "llama-bpe",
  });
  const text = (name: string) => tokens[tokenId(metadata, name, tokens.length) ?? -1];
  if (metadata["tokenizer.ggml.add_bos_token"] === true && text("bos") !== undefined) {
    const [content, id] = [text("bos"), tokenId(metadata, "bos", tokens.length)];
    json.post_processor = {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: content, type_id: 0 } }, {
        Sequence: { id: "A", type_id: 0 },
      }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { [content]: { id: content, ids: [id], tokens: [content] } },
    };
  }
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    bos_token: text("bos"),
    eos_token: text("eos"),
    pad_token: text("padding"),
    chat_template: template(metadata) ?? undefined,
  };
  return HuggingFaceTokenizer.create(
    new Map([
      ["tokenizer.json", JSON.stringify(json)],
      ["tokenizer_config.json", JSON.stringify(config, null, 2) + "\n"],
    ]),
  );
}

/**
 * The tokenizer of a GGUF file.
 * @returns null when the file holds none.
 * @throws {InputError} on a kind of tokenizer that cannot be reproduced exactly.
 */
export async function ggufTokenizer(metadata: GgufMetadata): Promise<Tokenizer | null> {
  const model = metadata["tokenizer.ggml.model"];
  if (model === undefined || model === "no_vocab" || model === "none") return null;
  const tokens = texts(metadata, "tokenizer.ggml.tokens");
  if (model === "llama") return sentencePiece(metadata, tokens);
  if (model === "gpt2") return await byteLevel(metadata, tokens);
  throw new InputError(
    `GGUF metadata: tokenizer.ggml.model is ${
      JSON.stringify(model)
    }, expected "llama" or "gpt2"; ` +
      "pass the model's tokenizer.json instead",
  );
}
