/**
 * Disguises of a text and how each is taken off: letters kept apart, digits and signs for letters,
 * everything backwards, letters moved along the alphabet, base64. Every function is linear in its
 * text.
 */

/** A letter, up to two marks or one blank (or a mark between blanks), a letter, and so on. */
const BETWEEN = String.raw`(?:\s?[^\p{L}\p{N}\s]{1,2}\s?|\s)`;
/** Two blanks or more: the gap between words that are themselves spaced out. */
const GAP = String.raw`\s{2,4}`;
const SPACED = new RegExp(
  String.raw`(?<![\p{L}\p{N}])\p{L}(?:(?:${BETWEEN}|${GAP})\p{L}(?![\p{L}\p{N}])){2,}`,
  "gu",
);
const SEPARATOR = new RegExp(`${GAP}|${BETWEEN}`, "gu");

/**
 * Words out of three or more single letters: "k i l l", "b.o.m.b", "h-o-w  t-o" (two blanks end a
 * word). Doing it again changes nothing.
 */
export function joinLetters(text: string): string {
  return text.replace(
    SPACED,
    (run) => run.replace(SEPARATOR, (between) => /^\s{2,}$/.test(between) ? "  " : ""),
  );
}

/** The letters that digits and signs stand for; an ambiguous sign has the commonest of its letters. */
const LEET: Readonly<Record<string, string>> = {
  "0": "o",
  "1": "i",
  "3": "e",
  "4": "a",
  "5": "s",
  "7": "t",
  "8": "b",
  "9": "g",
  "@": "a",
  "$": "s",
  "!": "i",
  "|": "l",
  "+": "t",
};

/**
 * Letters for the digits and signs inside words ("k1ll", "b0mb"); a word is a run that has a letter,
 * and closing "!", "|", "+" are punctuation. Doing it again changes nothing.
 */
export function unleet(text: string): string {
  return text.replace(/[\p{L}\p{N}@$!|+]+/gu, (run) => {
    if (!/\p{L}/u.test(run)) return run;
    let end = run.length; // counted by hand: a regular expression that looks for the end is quadratic
    while ("!|+".includes(run[end - 1])) end--;
    return run.slice(0, end).replace(/[0-9@$!|+]/g, (c) => LEET[c] ?? c) + run.slice(end);
  });
}

/** The text from its end to its beginning. */
export function reverseText(text: string): string {
  return [...text].reverse().join("");
}

/** Each word backwards, the words in their order. */
export function reverseWords(text: string): string {
  return text.replace(/[\p{L}\p{N}]+/gu, reverseText);
}

/** The letters a-z moved by `step` places along the alphabet, round from z to a; case is kept. */
export function shiftLetters(text: string, step: number): string {
  const by = ((step % 26) + 26) % 26;
  return text.replace(/[a-z]/gi, (letter) => {
    const base = letter <= "Z" ? 65 : 97;
    return String.fromCharCode((letter.charCodeAt(0) - base + by) % 26 + base);
  });
}

/** Fewest characters of a run that is tried as base64. */
const SHORTEST_BASE64 = 12;
const BASE64 = new RegExp(
  `(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{${SHORTEST_BASE64},}={0,2}(?![A-Za-z0-9+/_=-])`,
  "g",
);

/** The text that a run of base64 (plain or for URLs) holds, or null when it holds no text. */
function decodeBase64(run: string): string | null {
  const plain = run.replace(/=+$/, "").replaceAll("-", "+").replaceAll("_", "/");
  if (plain.length % 4 === 1) return null;
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(plain), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return /^[\P{Cc}\s]+$/u.test(text) ? text : null;
  } catch {
    return null; // not UTF-8: a hash, an identifier, a long word
  }
}

/** Every text in base64 that a text contains, one a line; empty when there is none. */
export function base64Texts(text: string): string {
  return [...text.matchAll(BASE64)].map(([run]) => decodeBase64(run)).filter((found) =>
    found !== null
  ).join("\n");
}
