/**
 * Which format a data set is in, from the names of its columns: the names of TRL, ShareGPT, Alpaca, HH-RLHF
 * and PKU-SafeRLHF.
 */
import { distance } from "fastest-levenshtein";
import { InputError } from "../../../kernels/errors.ts";
import { looksLikeTranscript } from "./transcript.ts";

/** The formats that are understood. */
export type FormatName =
  | "safe-rlhf"
  | "hh-rlhf"
  | "preference"
  | "implicit-preference"
  | "prompt-completion"
  | "alpaca"
  | "messages"
  | "conversations"
  | "text"
  | "prompt";

/** Values of a row by column. */
export type Values = Readonly<Record<string, unknown>>;

interface Format {
  readonly name: FormatName;
  /** Columns it cannot be without. */
  readonly needs: readonly string[];
  /** What else the first row has to look like. */
  readonly accepts?: (sample: Values) => boolean;
}

const isPair = (sample: Values) =>
  looksLikeTranscript(sample.chosen) && looksLikeTranscript(sample.rejected);

/** Most specific first: a set with several fitting formats is read in the first of them. */
const FORMATS: readonly Format[] = [
  { name: "safe-rlhf", needs: ["prompt", "response_0", "response_1"] },
  { name: "preference", needs: ["prompt", "chosen", "rejected"] },
  { name: "preference", needs: ["conversations", "chosen", "rejected"] },
  { name: "hh-rlhf", needs: ["chosen", "rejected"], accepts: isPair },
  { name: "implicit-preference", needs: ["chosen", "rejected"] },
  { name: "prompt-completion", needs: ["prompt", "completion"] },
  { name: "alpaca", needs: ["instruction", "output"] },
  { name: "messages", needs: ["messages"] },
  { name: "conversations", needs: ["conversations"] },
  { name: "text", needs: ["text"] },
  { name: "prompt", needs: ["prompt"] },
];

/** All format names, for messages and option schemas. */
export const FORMAT_NAMES: readonly FormatName[] = [...new Set(FORMATS.map((f) => f.name))];

/** Names under which other sets keep the same thing; what {@linkcode unknownColumns} proposes first. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  prompt: ["question", "query", "input", "instruction", "goal", "forbidden_prompt", "user_input"],
  completion: ["answer", "response", "output", "target", "reply", "assistant", "solution"],
  chosen: ["chosen_response", "preferred", "accepted", "winner", "better", "positive"],
  rejected: ["rejected_response", "dispreferred", "loser", "worse", "negative"],
  messages: ["conversation", "conversations", "dialogue", "dialog", "chat", "turns"],
  text: ["content", "document", "story", "sentence", "body", "passage"],
  instruction: ["question", "task"],
  output: ["answer", "response", "completion"],
};

/**
 * The format that columns of these names mean; `sample`, a row, tells transcripts from other pairs.
 * @throws {InputError} naming the columns found, the nearest format, and how to map them.
 */
export function detectFormat(
  columns: readonly string[],
  sample: Values = {},
  where = "data set",
): FormatName {
  const has = new Set(columns);
  const found = FORMATS.find(({ needs, accepts }) =>
    needs.every((column) => has.has(column)) && (accepts?.(sample) ?? true)
  );
  if (found) return found.name;
  throw unknownColumns(columns, where);
}

/** Like {@linkcode detectFormat}, but null instead of an error. */
export function formatOf(columns: readonly string[], sample: Values = {}): FormatName | null {
  try {
    return detectFormat(columns, sample);
  } catch {
    return null;
  }
}

/** Columns a format needs and a row lacks: none where the row fits any variant of the format. */
export function missingColumns(format: FormatName, values: Values): readonly string[] {
  const lacks = FORMATS.filter(({ name }) => name === format)
    .map(({ needs }) => needs.filter((column) => !(column in values)));
  return lacks.reduce((best, missing) => missing.length < best.length ? missing : best);
}

/**
 * The error for a column that is not there, with the columns there are and the likeliest mapping. Without
 * `missing`, the format that the best mapping would give is proposed.
 */
export function unknownColumns(
  columns: readonly string[],
  where: string,
  missing?: readonly string[],
): InputError {
  const wanted = missing ?? nearestFormat(columns).needs;
  const found = columns.map((c) => JSON.stringify(c)).slice(0, 12).join(", ") || "none";
  const mapping = wanted.filter((name) => !columns.includes(name)).map((name) => {
    const guess = likeness(name, columns);
    return `${name}: ${guess && guess.score >= ALIKE ? guess.column : "YOUR_COLUMN"}`;
  });
  const problem = missing
    ? `no column ${missing.join(", ")} among ${found}`
    : `no known format has the columns ${found}; nearest expected: ${wanted.join(" + ")}`;
  return new InputError(`${where}: ${problem}; map them with columns: {${mapping.join(", ")}}`);
}

/** Below this a column is not taken for another name of what is wanted. */
const ALIKE = 0.5;

/** The format that explains most columns: what fits counts for it, what is missing against it. */
function nearestFormat(columns: readonly string[]): Format {
  const score = ({ needs }: Format) =>
    needs.reduce((sum, name) => {
      const alike = likeness(name, columns)?.score ?? 0;
      return sum + (alike >= ALIKE ? alike : -ALIKE);
    }, 0);
  return FORMATS.reduce((best, format) => score(format) > score(best) ? format : best);
}

/** The column most like a name: 1 the same, 0.9 a synonym, below that by edit distance. */
function likeness(
  name: string,
  columns: readonly string[],
): { column: string; score: number } | null {
  let best: { column: string; score: number } | null = null;
  for (const column of columns) {
    const plain = column.toLowerCase();
    const edits = 1 - distance(name, plain) / Math.max(name.length, plain.length, 1);
    const score = column === name ? 1 : SYNONYMS[name]?.includes(plain) ? 0.9 : 0.85 * edits;
    if (!best || score > best.score) best = { column, score };
  }
  return best;
}
