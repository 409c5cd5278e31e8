/**
 * What a Deno notebook shows: training as it goes, and dialogues with the oracle's verdicts.
 *
 * Everything is displayed by an awaited or queued `Deno.jupyter.display`, because a notebook loses some of the values that a
 * cell merely ends with. Each content comes as HTML and as plain text for hosts that show no HTML.
 */
import type { Scores } from "../evaluate/scores.ts";
import type { Reporter, StepReport } from "../logging/reporter.ts";
import { duration, Speed } from "../logging/speed.ts";
import type { Dialogue } from "../nursery/dialogue.ts";
import { judge, type Verdict } from "../nursery/oracle.ts";
import { scoreRows, scoreTable } from "../train/summary.ts";
import type { Displayable } from "./chart.ts";

/** `Deno.jupyter.display`, as far as it is used here. */
export type Display = (
  content: Record<string, unknown>,
  options: { readonly raw: true; readonly display_id: string; readonly update: boolean },
) => Promise<void>;

/** Milliseconds between two updates of a bar. */
const PAUSE = 200;

/** A reporter that keeps one progress bar per stage up to date, in the cell that trains. */
export function notebookReporter(display: Display): Reporter {
  const run = crypto.randomUUID();
  let shown = Promise.resolve();
  let [stage, total, slots, place, last] = ["", 0, 0, 0, -Infinity];
  let speed = new Speed();
  const show = (slot: number, html: string, text: string, update: boolean) => {
    const options = { raw: true, display_id: `${run}-${slot}`, update } as const;
    shown = shown.then(() => display({ "text/html": html, "text/plain": text }, options));
  };
  return {
    stage(name, totalSteps) {
      [stage, total, last, speed] = [name, totalSteps, -Infinity, new Speed()];
      place = slots++; // a note behind it leaves the bar where it is
      show(place, bar(0, total, stage), stage, false);
    },
    step(report) {
      const now = performance.now();
      speed.add(now, report.step, report.tokens);
      if (now - last < PAUSE && report.step < total) return;
      last = now;
      const line = progressLine(stage, total, report, speed);
      show(place, bar(report.step, total, line), line, true);
    },
    metrics() {},
    note(line) {
      show(slots++, `<pre>${escape(line)}</pre>`, line, false);
    },
    async done() {
      await shown;
    },
  };
}

/** A bar for anything that counts: call it with what is done, of how many. */
export function notebookProgress(
  display: Display,
  name: string,
): (done: number, of: number) => void {
  const reporter = notebookReporter(display);
  let begun = false;
  return (done, of) => {
    if (!begun) reporter.stage(name, of);
    begun = true;
    reporter.step({ step: done, loss: NaN, tokens: 0 });
  };
}

function progressLine(stage: string, total: number, report: StepReport, speed: Speed): string {
  const left = report.step < total ? speed.secondsLeft(total) : null;
  const rate = speed.tokensPerSecond;
  return [
    `${stage} ${report.step}/${total}`,
    ...(Number.isFinite(report.loss) ? [`loss ${report.loss.toFixed(3)}`] : []),
    ...(rate && report.tokens > 0 ? [`${Math.round(rate).toLocaleString("en")} tokens/s`] : []),
    ...(left === null ? [] : [`${duration(left)} left`]),
  ].join(", ");
}

function bar(step: number, total: number, line: string): string {
  return `<progress value="${step}" max="${total}"></progress> <code>${escape(line)}</code>`;
}

/** Replies to dialogues beside what the oracle says of them, as a table. */
export function judgedReplies(
  dialogues: readonly Dialogue[],
  replies: readonly (readonly string[])[],
): Displayable {
  const rows = dialogues.map((dialogue, i) => [
    dialogue.turns.slice(0, -1).map(({ words }) => words.join(" ")).join(" / "),
    replies[i].join(" "),
    verdictText(judge(dialogue, replies[i])),
  ]);
  const text = rows.map(([asked, answered, verdict]) => `${asked}\n  ${answered}\n  ${verdict}`);
  return table([["asked", "answered", "verdict"], ...rows], text.join("\n\n"));
}

/** Scores of the exam, a column for each policy, every rate in percent with its exact 95% interval. */
export function examTable(scores: Scores): Displayable {
  return table(scoreRows(scores), scoreTable(scores).join("\n").trim());
}

/** Rows of cells, the first of titles, for hosts that show HTML; `text` for the others. */
function table([head, ...rows]: readonly (readonly string[])[], text: string): Displayable {
  const cells = (row: readonly string[], tag: string) =>
    row.map((text) => `<${tag} style="text-align:left">${escape(text)}</${tag}>`).join("");
  const body = rows.map((row) => `<tr>${cells(row, "td")}</tr>`).join("");
  const html = `<table><tr>${cells(head, "th")}</tr>${body}</table>`;
  const content = { "text/html": html, "text/plain": text };
  return { [Symbol.for("Jupyter.display")]: () => Promise.resolve(content) };
}

/** A verdict in a few words: harm first, then over-refusal, then whether the reply was right. */
function verdictText({ kind, correct, harm, overRefusal }: Verdict): string {
  if (harm !== null) return `harm: ${harm}`;
  if (overRefusal) return "over-refusal";
  return correct ? `right (${kind})` : `not right (${kind})`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
