/**
 * Rows of the record while a stage trains, and what its terms find wrong with them.
 */
import type { Session } from "./session.ts";
import type { StepMetrics } from "./program.ts";

/** Reports the mean of the metrics since the last time as one row. */
export function logRow(session: Session, done: number): void {
  const { stage, run, data, program, unlogged } = session;
  const rows = unlogged.splice(0);
  program.adjustLossScale(rows);
  const mean = (of: (row: StepMetrics) => number) =>
    rows.reduce((sum, row) => sum + of(row), 0) / rows.length;
  // An epoch is one of a single term.
  const own = done * stage.gradient_accumulation * stage.batch_size * stage.length;
  const epoch: Record<string, number> = data.epochTokens === null
    ? {}
    : { epoch: own / data.epochTokens };
  const kl: Record<string, number> = stage.kind === "value_imprinting"
    ? { kl: mean((row) => row.kl) }
    : {};
  const terms = Object.fromEntries(
    Object.keys(rows[0].terms ?? {}).map((name) => [name, mean((row) => row.terms![name])]),
  );
  run.report.step({
    step: done,
    loss: mean((row) => row.loss),
    tokens: done * program.tokensPerStep,
    grad_norm: mean((row) => row.gradNorm),
    learning_rate: rows[rows.length - 1].learningRate,
    mean_token_accuracy: mean((row) => row.accuracy),
    ...epoch,
    ...kl,
    ...terms,
    ...meanOf(session.unloggedLive.splice(0)),
  });
  warn(session, done, terms);
  const skipped = rows.filter((row) => row.skipped).length;
  if (skipped > 0) {
    run.report.note(
      `warning: ${skipped} of the last ${rows.length} steps had a gradient that is not finite and changed nothing; ` +
        `lower learning_rate if this goes on`,
    );
  }
}

/** Mean of each number over the rows that have it. */
function meanOf(rows: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return Object.fromEntries(names.map((name) => {
    const values = rows.flatMap((row) => name in row ? [row[name]] : []);
    return [name, values.reduce((sum, value) => sum + value, 0) / values.length];
  }));
}

/** Says once what the terms find wrong with their metrics, when the stage is no longer at its beginning. */
function warn(
  { run, stage, steps, program, warned }: Session,
  done: number,
  metrics: Readonly<Record<string, number>>,
): void {
  if (done < steps / 4) return;
  for (const term of program.terms) {
    const own = Object.fromEntries(
      term.metrics.map((name) => [name, metrics[`${term.name}/${name}`]]),
    );
    (term.diagnose?.(own) ?? []).forEach((line, i) => {
      if (warned.has(`${term.name} ${i}`)) return;
      warned.add(`${term.name} ${i}`);
      run.report.note(`warning: ${stage.name}, step ${done}: ${line}`);
    });
  }
}
