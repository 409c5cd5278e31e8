/**
 * Which format a data set is in, from the names of its columns: the names of TRL, ShareGPT, Alpaca, HH-RLHF
 * and PKU-SafeRLHF.
 */
import { InputError } from "../../../kernels/errors.ts";
import { nearest } from "../../nearest.ts";
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
  const found = formatOf(columns, sample);
  if (found === null) throw unknownColumns(columns, where);
  return found;
}

/** Like {@linkcode detectFormat}, but null instead of an error. */
export function formatOf(columns: readonly string[], sample: Values = {}): FormatName | null {
  const has = new Set(columns);
  const found = FORMATS.find(({ needs, accepts }) =>
    needs.every((column) => has.has(column)) && (accepts?.(sample) ?? true)
  );
  return found?.name ?? null;
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
  const mapping = [...likelyColumns(wanted, columns)].filter(([name, column]) => name !== column)
    .map(([name, column]) => `${name}: ${column ?? "YOUR_COLUMN"}`);
  const problem = missing
    ? `no column ${missing.join(", ")} among ${found}`
    : `no known format has the columns ${found}; nearest expected: ${wanted.join(" + ")}`;
  return new InputError(`${where}: ${problem}; map them with columns: {${mapping.join(", ")}}`);
}

/** The format that explains most columns: what fits counts for it, what is missing against it. */
function nearestFormat(columns: readonly string[]): Format {
  const score = ({ needs }: Format) =>
    [...likelyColumns(needs, columns)].reduce(
      (sum, [name, column]) => sum + (column === null ? -0.5 : column === name ? 1 : 0.8),
      0,
    );
  return FORMATS.reduce((best, format) => score(format) > score(best) ? format : best);
}

/**
 * The column that probably means each name: the same, its synonym, or the one spelled most like it. No column
 * means two things.
 */
function likelyColumns(
  names: readonly string[],
  columns: readonly string[],
): Map<string, string | null> {
  const left = new Set(columns);
  const found = new Map<string, string | null>();
  for (const name of names) if (left.delete(name)) found.set(name, name);
  for (const name of names.filter((name) => !found.has(name))) {
    const synonym = [...left].find((column) => SYNONYMS[name]?.includes(column.toLowerCase()));
    const column = synonym ?? nearest(name, left);
    if (column !== null) left.delete(column);
    found.set(name, column);
  }
  return found;
}
