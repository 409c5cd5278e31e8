/**
 * Labelled replies from data files: a prompt, a completion and a label; or two replies with a safety label each (PKU-SafeRLHF).
 */
import { InputError } from "../../../kernels/errors.ts";
import type { PromptCompletionRow, TaskRow } from "../../data/formats/rows.ts";
import type { TokenisationReport } from "../../data/report.ts";
import type { Encoder } from "../../data/tokenise/segments.ts";
import { type TokeniseOptions, tokeniseRow } from "../../data/tokenise/tokenise.ts";
import type { LabelledReply } from "./examples.ts";

/**
 * Replies of `prompt-completion` rows (label true: safe) and of `preference` rows with safety labels; nothing is learned from which
 * reply is preferred. Rows that tokenisation drops are told to the report.
 * @throws {InputError} for a row without a label.
 */
export async function labelledRows(
  rows: AsyncIterable<TaskRow> | Iterable<TaskRow>,
  encoder: Encoder,
  options: TokeniseOptions,
  report?: TokenisationReport,
): Promise<LabelledReply[]> {
  const replies: LabelledReply[] = [];
  for await (const row of rows) {
    for (const single of singles(row)) {
      const example = tokeniseRow(
        single,
        encoder,
        { ...options, promptWeight: 0, replies: "last" },
        report,
      );
      if (!example) continue;
      const begins = example.weights.findIndex((weight) => weight > 0);
      replies.push({
        prompt: example.ids.slice(0, begins),
        reply: example.ids.slice(begins),
        unsafe: single.label === false,
        source: "file",
        sort: row.kind,
        family: "",
        seen: true,
        // Nobody has said which safe replies refuse, so all of them count among the false positives.
        refusal: false,
      });
    }
  }
  return replies;
}

/** A row's replies, one at a time. */
function singles(row: TaskRow): PromptCompletionRow[] {
  const { where } = row;
  if (row.kind === "prompt-completion" && row.label !== null) return [row];
  if (row.kind === "preference" && row.safe) {
    const { prompt, safe } = row;
    return (["chosen", "rejected"] as const).map((side) => ({
      kind: "prompt-completion",
      where,
      prompt,
      completion: row[side],
      label: safe[side],
    }));
  }
  throw new InputError(
    `${where}: a world model needs to know whether each reply is safe: give rows of prompt, completion and label ` +
      `(true: safe), or PKU-SafeRLHF's columns`,
  );
}
