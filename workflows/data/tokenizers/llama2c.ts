/**
 * The tokenizer file of llama2.c (`tokenizer.bin`, `tok512.bin`): SentencePiece pieces with their
 * scores.
 *
 * int32 longest piece; then for each id a float32 score, an int32 length and that many UTF-8 bytes.
 * Ids 0, 1, 2 are unknown, BOS and EOS; 3 to 258 are the bytes. Read from karpathy/llama2.c
 * `tokenizer.py` and `run.c`.
 */
import { InputError } from "../../../kernels/errors.ts";
import { isByteText, type Piece } from "./pieces.ts";
import { SentencePieceTokenizer } from "./sentencepiece.ts";

const BYTES_FROM = 3;
const NORMAL_FROM = 259;

function readPieces(bytes: Uint8Array, path: string): { text: string; score: number }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (at: number, what: string): never => {
    throw new InputError(`${path}: not a llama2.c tokenizer (byte ${at}: ${what})`);
  };
  if (bytes.length < 4) fail(0, `the file has only ${bytes.length} bytes`);
  const longest = view.getInt32(0, true);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const pieces: { text: string; score: number }[] = [];
  for (let at = 4; at < bytes.length;) {
    if (at + 8 > bytes.length) fail(at, "cut off");
    const score = view.getFloat32(at, true);
    const length = view.getInt32(at + 4, true);
    if (length < 0 || length > longest) {
      fail(at, `a piece of ${length} bytes, at most ${longest} expected`);
    }
    if (at + 8 + length > bytes.length) fail(at, "cut off");
    try {
      pieces.push({ score, text: decoder.decode(bytes.subarray(at + 8, at + 8 + length)) });
    } catch {
      fail(at, "a piece that is not UTF-8");
    }
    at += 8 + length;
  }
  return pieces;
}

/**
 * Reads a llama2.c tokenizer.
 * @param bytes The file.
 * @param path Names it in errors.
 * @throws {InputError} when the file does not have the format.
 */
export function llama2cTokenizer(
  bytes: Uint8Array,
  path = "tokenizer.bin",
): SentencePieceTokenizer {
  const pieces = readPieces(bytes, path).map(({ text, score }, id): Piece => {
    // The exporter wraps <s> and </s> in newlines.
    if (id < BYTES_FROM) {
      return { text: text.trim(), score, kind: id === 0 ? "unknown" : "control" };
    }
    if (id >= NORMAL_FROM) return { text, score, kind: "normal" };
    if (!isByteText(text)) {
      throw new InputError(
        `${path}: piece ${id} is ${JSON.stringify(text)}, a byte <0xNN> expected`,
      );
    }
    return { text, score, kind: "byte" };
  });
  if (pieces.length < NORMAL_FROM) {
    throw new InputError(`${path}: has ${pieces.length} pieces, at least ${NORMAL_FROM} expected`);
  }
  return new SentencePieceTokenizer(pieces, {
    bosId: 1,
    eosId: 2,
    padId: null,
    addBos: true,
    controlInText: false,
    spacePrefix: true,
    chatTemplate: null,
    original: new Map([["tokenizer.bin", bytes]]),
  });
}
