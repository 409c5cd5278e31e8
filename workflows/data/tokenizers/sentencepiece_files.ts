/**
 * A SentencePiece BPE as Hugging Face's `tokenizer.json`, so that a saved model folder loads
 * elsewhere.
 *
 * SentencePiece ranks unions by the score of the result; `tokenizer.json` ranks pairs. Every pair
 * of pieces whose union is a piece is listed, best score first. The two can differ in three places,
 * where the original file, written beside, remains the truth: text that spells a special token
 * (`<s>`) becomes that token; U+2581 in text becomes a space; and a run that a periodic piece (such
 * as four equal characters) covers in two overlapping ways may be cut at another place.
 */
import type { Piece, SentencePieceOptions } from "./pieces.ts";

/** SentencePiece writes a space as U+2581. */
function visible(text: string): string {
  return text.replaceAll(" ", "\u2581");
}

/** All `left right` pairs whose union is a piece, best first. */
function pairMerges(pieces: readonly Piece[]): string[] {
  const normal = new Set(pieces.filter(({ kind }) => kind === "normal").map(({ text }) => text));
  const ranked = pieces.filter(({ kind }) => kind === "normal")
    .sort((a, b) => b.score - a.score);
  const merges: string[] = [];
  for (const { text } of ranked) {
    const chars = [...text];
    for (let i = 1; i < chars.length; i++) {
      const [left, right] = [chars.slice(0, i).join(""), chars.slice(i).join("")];
      if (normal.has(left) && normal.has(right)) merges.push(`${visible(left)} ${visible(right)}`);
    }
  }
  return merges;
}

function tokenizerJson(pieces: readonly Piece[], options: SentencePieceOptions): unknown {
  const { addBos, bosId, spacePrefix } = options;
  const replace = (from: string, content: string) => ({
    type: "Replace",
    pattern: { String: from },
    content,
  });
  const bos = addBos && bosId !== null ? pieces[bosId].text : null;
  const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
  const sequence = (id: string) => ({ Sequence: { id, type_id: id === "A" ? 0 : 1 } });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: pieces.map(({ text, kind }, id) => ({ id, content: text, kind }))
      .filter(({ kind }) => kind !== "normal" && kind !== "byte")
      .map(({ id, content, kind }) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: kind !== "literal",
      })),
    normalizer: {
      type: "Sequence",
      normalizers: [
        ...(spacePrefix ? [{ type: "Prepend", prepend: "\u2581" }] : []),
        replace(" ", "\u2581"),
      ],
    },
    pre_tokenizer: null,
    post_processor: bos === null ? null : {
      type: "TemplateProcessing",
      single: [special(bos), sequence("A")],
      pair: [special(bos), sequence("A"), special(bos), sequence("B")],
      special_tokens: { [bos]: { id: bos, ids: [bosId], tokens: [bos] } },
    },
    decoder: {
      type: "Sequence",
      decoders: [
        replace("\u2581", " "),
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(spacePrefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: pieces.find(({ kind }) => kind === "unknown")?.text ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(pieces.map(({ text }, id) => [visible(text), id])),
      merges: pairMerges(pieces),
    },
  };
}

/** The files of a model folder that hold this tokenizer. */
export function sentencePieceFiles(
  pieces: readonly Piece[],
  options: SentencePieceOptions,
): Map<string, Uint8Array | string> {
  const text = (id: number | null) => id === null ? undefined : pieces[id].text;
  const special = {
    bos_token: text(options.bosId),
    eos_token: text(options.eosId),
    pad_token: text(options.padId),
    unk_token: pieces.find(({ kind }) => kind === "unknown")?.text,
  };
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    clean_up_tokenization_spaces: false,
    ...special,
    ...(options.chatTemplate === null ? {} : { chat_template: options.chatTemplate }),
  };
  return new Map<string, Uint8Array | string>([
    ["tokenizer.json", JSON.stringify(tokenizerJson(pieces, options))],
    ["tokenizer_config.json", JSON.stringify(config, null, 2) + "\n"],
    ["special_tokens_map.json", JSON.stringify(special, null, 2) + "\n"],
    ...options.original,
  ]);
}
