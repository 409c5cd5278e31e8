/**
 * Disguises of a word: spelled, reversed, shifted by one letter, letters with noise between them.
 *
 * Each is a run of letter tokens. {@linkcode decodings} undoes all of them at once, which is what
 * lets the oracle find a recipe in a disguised reply.
 */

/** The ways to write a word in letters. */
export const CIPHERS = ["spelled", "reversed", "shifted", "noisy"] as const;
/** One of {@linkcode CIPHERS}. */
export type Cipher = (typeof CIPHERS)[number];

/** Letters put between the letters of a noisy word; no word in use contains them. */
export const NOISE_LETTERS: readonly string[] = ["x", "q"];

const A = 97;

/** Moves each letter of a word by `step` places, round from z to a. */
export function shift(word: string, step: number): string {
  return [...word].map((c) => String.fromCharCode((c.charCodeAt(0) - A + step + 26) % 26 + A)).join(
    "",
  );
}

/** A word in letter tokens. `noise` is used by the noisy cipher only. */
export function encipher(word: string, cipher: Cipher, noise = "x"): string[] {
  const letters = [...word];
  switch (cipher) {
    case "spelled":
      return letters;
    case "reversed":
      return letters.reverse();
    case "shifted":
      return [...shift(word, 1)];
    case "noisy":
      return letters.flatMap((c, i) => i === 0 ? [c] : [noise, c]);
  }
}

/** Whether a token is one letter. */
export function isLetter(token: string): boolean {
  return token.length === 1 && token >= "a" && token <= "z";
}

/**
 * The runs of two or more letters in a text, each as one string. Commas and points do not break a
 * run.
 */
export function letterRuns(words: readonly string[]): string[] {
  const runs: string[] = [];
  let run = "";
  for (const word of words) {
    if (isLetter(word)) run += word;
    else if (word !== "," && word !== ".") {
      if (run.length > 1) runs.push(run);
      run = "";
    }
  }
  if (run.length > 1) runs.push(run);
  return runs;
}

/**
 * Every reading of a run of letters: as it stands, backwards, shifted back or on, without noise;
 * and pairs of these.
 */
export function decodings(run: string): string[] {
  const plain = [run, ...NOISE_LETTERS.map((letter) => run.replaceAll(letter, ""))];
  const shifted = plain.flatMap((text) => [text, shift(text, -1), shift(text, 1)]);
  return shifted.flatMap((text) => [text, [...text].reverse().join("")]);
}
