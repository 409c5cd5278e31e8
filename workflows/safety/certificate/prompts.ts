/**
 * Certificates on real prompts: a file of prompts in the place of the nursery, a harm classifier in
 * the place of its oracle.
 *
 * A classifier errs. What it misses is not seen in any count, so its share of harmful texts that it
 * recognises is measured on labelled texts and every bound divided by that share's lower limit. What
 * it takes for harmful by mistake only makes the bound larger.
 */
import { InputError } from "../../../kernels/errors.ts";
import { openDataset } from "../../data/dataset.ts";
import { normaliseRows } from "../../data/formats/normalise.ts";
import { readFlag } from "../../data/formats/preferences.ts";
import { type Content, plainText, type TaskRow } from "../../data/formats/rows.ts";
import { Random } from "../../data/random.ts";
import { loadHarmClassifier } from "../harm_classifier.ts";
import { checkInvariant, type SafetyJudge } from "../invariants.ts";
import { openPatterns } from "../patterns/open.ts";
import { isRefusalText } from "../refusal.ts";
import type { CertificateSettings, JudgeRecord } from "./certificate.ts";
import { hashModel } from "./hashes.ts";
import { type Examination, trialsHash } from "./observe.ts";
import type { Trial } from "./trials.ts";

/** The one mix of a file. */
export const PROMPTS = "prompts";

/** What a certificate on a file needs to be told. */
export interface PromptFileRequest {
  /** Data file of prompts. */
  readonly data: string;
  /** Its column that holds them; null: as its format says. */
  readonly column: string | null;
  /** A harm classifier (`.json`) or a pattern set (`.yaml`), whose matches then count as harm. */
  readonly judge: string;
  /** A reply is harmful above this, in (0, 1). */
  readonly threshold: number;
  /** Labelled texts on which the judge's errors are counted. */
  readonly labels: string;
}

async function readPrompts({ data, column }: PromptFileRequest): Promise<Content[]> {
  const rows = await openDataset(data, data.endsWith(".txt") ? { separator: "\n" } : {});
  const options = column === null
    ? {}
    : { format: "prompt", columns: { prompt: column }, onEmpty: "drop" } as const;
  const prompts: Content[] = [];
  for await (const row of normaliseRows(rows, options)) prompts.push(promptOf(row));
  return prompts;
}

function promptOf(row: TaskRow): Content {
  switch (row.kind) {
    case "text":
      return row.text;
    case "prompt":
    case "prompt-completion":
    case "preference":
      return row.prompt;
    default:
      throw new InputError(
        `${row.where}: expected a prompt, found a ${row.kind} row; name the column with --prompt-column`,
      );
  }
}

/** Score of a text by a classifier file, or by a pattern set: 1 where some pattern matches. */
async function openScore(path: string): Promise<(text: string) => number> {
  if (/\.ya?ml$/.test(path)) {
    const patterns = await openPatterns(path);
    return (text) => patterns.matches(text) ? 1 : 0;
  }
  const classifier = await loadHarmClassifier(path);
  return (text) => classifier.score(text);
}

/** Texts of a file that are labelled harmful. */
async function harmfulTexts(path: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const { values, where } of await openDataset(path)) {
    const { text } = values;
    const harmful = readFlag(values.harmful ?? values.label);
    if (typeof text !== "string" || harmful === null) {
      throw new InputError(
        `${where}: expected a column text and a column harmful (or label) with true or false, found ` +
          Object.keys(values).join(", "),
      );
    }
    if (harmful) texts.push(text);
  }
  if (texts.length === 0) throw new InputError(`${path}: no text in it is labelled harmful`);
  return texts;
}

async function openJudge(
  { judge, threshold, labels }: PromptFileRequest,
): Promise<{ record: JudgeRecord; judge: SafetyJudge }> {
  if (!(threshold > 0 && threshold < 1)) {
    throw new InputError(`--judge-threshold must lie between 0 and 1, found ${threshold}`);
  }
  const score = await openScore(judge);
  const texts = await harmfulTexts(labels);
  const k = texts.filter((text) => score(text) > threshold).length;
  return {
    record: {
      kind: "classifier",
      name: `f_harm of ${judge} above ${threshold}`,
      files: await hashModel(judge),
      threshold,
      labels: await hashModel(labels),
      sensitivity: { k, n: texts.length },
    },
    judge: {
      harm: (action) => score(String(action)),
      harmThreshold: threshold,
      isRefusal: isRefusalText,
    },
  };
}

/**
 * The examination on a file: up to `dialogues` of its prompts, each once, in a shuffled order.
 * @throws {InputError} when a file cannot be read or used.
 */
export async function promptExamination(
  request: PromptFileRequest,
  { dialogues, seed }: Pick<CertificateSettings, "dialogues" | "seed">,
): Promise<Examination<Content>> {
  const prompts = await readPrompts(request);
  const { record, judge } = await openJudge(request);
  const drawn = new Random(seed, "certificate prompts").sample(
    prompts,
    Math.min(dialogues, prompts.length),
  );
  const harmful = drawn.map((prompt): Trial<Content> => ({
    mix: PROMPTS,
    turns: 1,
    key: JSON.stringify(prompt),
    prompt: () => prompt,
    judge([reply]) {
      const context = plainText(prompt);
      const { safe } = checkInvariant([{ context, action: reply }], judge);
      return { violates: !safe, right: isRefusalText(reply), overRefuses: false };
    },
  }));
  return {
    harmful,
    harmless: [],
    data: {
      source: "file",
      split: null,
      file: await hashModel(request.data),
      column: request.column,
      meaning: { [PROMPTS]: "prompts of the file, each once" },
      sha256: trialsHash(harmful),
    },
    judge: record,
  };
}
