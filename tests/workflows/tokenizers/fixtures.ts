/**
 * A tiny SentencePiece vocabulary in the form of llama2.c.
 */

/** Text and score of each piece; ids 0 to 2 special, 3 to 258 bytes. */
export const TINY_PIECES: readonly (readonly [text: string, score: number])[] = [
  ["<unk>", 0],
  ["\n<s>\n", 0],
  ["\n</s>\n", 0],
  ...Array.from(
    { length: 256 },
    (_, byte) => [`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`, 0] as const,
  ),
  ["bc", -1],
  ["ab", -2],
  [" a", -3],
  [" bc", -4],
  ["abc", -5],
  ["a", -6],
  ["b", -7],
  ["c", -8],
  [" ", -9],
];

/** The file that llama2.c's exporter would write. */
export function llama2cFile(pieces: readonly (readonly [string, number])[]): Uint8Array {
  const texts = pieces.map(([text]) => new TextEncoder().encode(text));
  const size = texts.reduce((sum, text) => sum + 8 + text.length, 4);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, Math.max(...texts.map((text) => text.length)), true);
  let at = 4;
  for (const [i, text] of texts.entries()) {
    view.setFloat32(at, pieces[i][1], true);
    view.setInt32(at + 4, text.length, true);
    bytes.set(text, at + 8);
    at += 8 + text.length;
  }
  return bytes;
}

/** The ids of a text's bytes. */
export function byteTokens(text: string): number[] {
  return [...new TextEncoder().encode(text)].map((byte) => 3 + byte);
}
