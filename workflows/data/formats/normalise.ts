/**
 * From the columns of a data set to rows with a known meaning: maps columns, detects the format once, reads
 * each row in it, and turns away rows that would teach nothing.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { SourceRow } from "../read/bytes.ts";
import { TokenisationReport } from "../report.ts";
import {
  detectFormat,
  FORMAT_NAMES,
  type FormatName,
  formatOf,
  missingColumns,
  unknownColumns,
} from "./detect.ts";
import { parseMessages } from "./messages.ts";
import {
  explicitPreference,
  implicitPreference,
  readContent,
  readFlag,
  safeRlhfPreference,
  sameTurns,
  transcriptPreference,
} from "./preferences.ts";
import {
  type Content,
  type DropReason,
  isBlank,
  type PromptCompletionRow,
  type TaskRow,
} from "./rows.ts";

/** How to understand the columns, and what to do with unusable rows. */
export interface FormatOptions {
  /** Instead of detecting it. */
  readonly format?: FormatName;
  /** Expected name -> name (or dotted path, `instances.0.output`) in the data set. */
  readonly columns?: Readonly<Record<string, string>>;
  /** PKU-SafeRLHF only, and required there. */
  readonly preference?: "helpful" | "harmless";
  /** A row with an empty text, prompt or reply: stop (the default) or leave it out and count it. */
  readonly onEmpty?: "error" | "drop";
  /** A transcript or pair that is not well-formed: leave it out and count it (the default), or stop. */
  readonly onMalformed?: "error" | "drop";
}

type Values = Readonly<Record<string, unknown>>;
type Reader = (values: Values, where: string, options: FormatOptions) => TaskRow | DropReason;

const READERS: Readonly<Record<FormatName, Reader>> = {
  "safe-rlhf": (values, where, { preference }) => safeRlhfPreference(values, where, preference),
  "hh-rlhf": transcriptPreference,
  "preference": explicitPreference,
  "implicit-preference": implicitPreference,
  "prompt-completion": readPromptCompletion,
  "alpaca": readAlpaca,
  "messages": (values, where) => readConversation(values.messages, where, "messages"),
  "conversations": (values, where) =>
    readConversation(values.conversations, where, "conversations"),
  "text": readText,
  "prompt": (values, where) => ({
    kind: "prompt",
    where,
    prompt: readContent(values.prompt, where, "prompt"),
  }),
};

/** Reasons that are about emptiness, and so follow `onEmpty`. */
const EMPTY: ReadonlySet<DropReason> = new Set(["empty reply", "empty prompt", "empty text"]);

/**
 * The rows of a data set in its task's type.
 * @param report counts every row read and left out.
 * @throws {InputError} for unknown columns, values of the wrong type, an empty reply (unless `onEmpty` is
 *   `drop`), or when no row is left.
 */
export async function* normaliseRows(
  rows: AsyncIterable<SourceRow>,
  options: FormatOptions = {},
  report: TokenisationReport = new TokenisationReport(),
): AsyncGenerator<TaskRow> {
  const read = rowReader(options);
  let usable = 0;
  for await (const row of rows) {
    report.rowsRead++;
    const result = read(row);
    if (typeof result === "string") report.drop(result, row.where);
    else {
      usable++;
      yield result;
    }
  }
  if (usable === 0) {
    throw new InputError(
      `no usable row in the data set: ${report.reasons().join(", ") || "it is empty"}`,
    );
  }
}

/** Reads rows one by one; the first row decides the format of all. */
export function rowReader(options: FormatOptions = {}): (row: SourceRow) => TaskRow | DropReason {
  if (options.format && !FORMAT_NAMES.includes(options.format)) {
    throw new InputError(
      `format: ${JSON.stringify(options.format)} is unknown; expected one of ${
        FORMAT_NAMES.join(", ")
      }`,
    );
  }
  let format = options.format;
  return (row) => {
    const values = mapColumns(row, options.columns);
    format ??= chooseFormat(values, options.columns, row.where);
    const missing = missingColumns(format, values);
    if (missing.length > 0) throw unknownColumns(Object.keys(row.values), row.where, missing);
    const result = READERS[format](values, row.where, options);
    const outcome = typeof result === "string" ? result : emptiness(result) ?? result;
    if (typeof outcome !== "string") return outcome;
    const policy = EMPTY.has(outcome) ? options.onEmpty ?? "error" : options.onMalformed ?? "drop";
    if (policy === "drop") return outcome;
    const option = EMPTY.has(outcome) ? "on_empty" : "onMalformed";
    throw new InputError(
      `${row.where}: ${outcome}; mend the row, or leave such rows out with ${option}: drop`,
    );
  };
}

function chooseFormat(
  values: Values,
  columns: FormatOptions["columns"],
  where: string,
): FormatName {
  // What the user mapped is what the user means, whatever else the row holds.
  const mapped = columns && formatOf(Object.keys(columns), values);
  return mapped || detectFormat(Object.keys(values), values, where);
}

function mapColumns(row: SourceRow, columns: FormatOptions["columns"]): Values {
  if (!columns) return row.values;
  const mapped: Record<string, unknown> = { ...row.values };
  for (const [expected, path] of Object.entries(columns)) {
    const value = lookUp(row.values, path);
    if (value === undefined) {
      const found = Object.keys(row.values).map((c) => JSON.stringify(c)).slice(0, 12).join(", ");
      throw new InputError(
        `${row.where}: columns maps ${expected} to ${
          JSON.stringify(path)
        }, which the row lacks; it has ${found}`,
      );
    }
    mapped[expected] = value;
  }
  return mapped;
}

function lookUp(values: Values, path: string): unknown {
  if (Object.hasOwn(values, path)) return values[path];
  let value: unknown = values;
  for (const part of path.split(".")) {
    const held = typeof value === "object" && value !== null && Object.hasOwn(value, part);
    value = held ? (value as Values)[part] : undefined;
  }
  return value;
}

function readText(values: Values, where: string): TaskRow {
  if (typeof values.text === "string") return { kind: "text", where, text: values.text };
  throw new InputError(`${where}: text must be a string, found ${typeof values.text}`);
}

function readPromptCompletion(values: Values, where: string): PromptCompletionRow {
  const prompt = readContent(values.prompt, where, "prompt");
  const completion = readContent(values.completion, where, "completion");
  const label = values.label === undefined ? null : readFlag(values.label);
  if (label === null && values.label !== undefined) {
    throw new InputError(
      `${where}: label must be true or false, found ${JSON.stringify(values.label)}`,
    );
  }
  // One side in messages makes both so: a template renders whole conversations only.
  if (typeof prompt === typeof completion) {
    return { kind: "prompt-completion", where, prompt, completion, label };
  }
  const turns = (content: Content, role: "user" | "assistant") =>
    typeof content === "string" ? [{ role, content }] : content;
  return {
    kind: "prompt-completion",
    where,
    prompt: turns(prompt, "user"),
    completion: turns(completion, "assistant"),
    label,
  };
}

/** Alpaca (Taori et al. 2023): instruction, optional input, output, in the prompt its models were trained on. */
function readAlpaca(values: Values, where: string): PromptCompletionRow {
  const [instruction, input, completion] = ["instruction", "input", "output"].map((column) => {
    const value = values[column] ?? "";
    if (typeof value === "string") return value;
    throw new InputError(`${where}: ${column} must be text, found ${typeof value}`);
  });
  const context = input.trim() === "" ? "" : ", paired with an input that provides further context";
  const prompt = `Below is an instruction that describes a task${context}. ` +
    `Write a response that appropriately completes the request.\n\n` +
    `### Instruction:\n${instruction}\n\n` +
    (input.trim() === "" ? "" : `### Input:\n${input}\n\n`) +
    `### Response:`;
  return { kind: "prompt-completion", where, prompt, completion, label: null };
}

function readConversation(value: unknown, where: string, column: string): TaskRow | DropReason {
  const messages = parseMessages(value, where, column);
  if (!messages.some((message) => message.role === "assistant")) return "no assistant turn";
  return { kind: "conversation", where, messages };
}

function emptiness(row: TaskRow): DropReason | null {
  switch (row.kind) {
    case "text":
      return isBlank(row.text) ? "empty text" : null;
    case "prompt":
      return isBlank(row.prompt) ? "empty prompt" : null;
    case "prompt-completion":
      return isBlank(row.completion) ? "empty reply" : null;
    case "preference":
      if (isBlank(row.chosen) || isBlank(row.rejected)) return "empty reply";
      return equal(row.chosen, row.rejected) ? "chosen equals rejected" : null;
    case "conversation":
      return row.messages.findLast((m) => m.role === "assistant")?.content.trim() === ""
        ? "empty reply"
        : null;
  }
}

function equal(a: Content, b: Content): boolean {
  return typeof a === "string" || typeof b === "string" ? a === b : sameTurns(a, b);
}
