/**
 * A verification as a table for people and as an object for programs.
 */
import { type CaseResult, type CaseSummary, holds, summarise } from "./result.ts";

/** What `--json` prints. */
export interface Report extends Readonly<Record<string, unknown>> {
  /** Cases whose checks all hold, and cases with one that does not. */
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly CaseSummary[];
  /**
   * Cases that this build has nothing to compare with, and parts of cases as `case: quantity`;
   * neither passed nor failed.
   */
  readonly not_covered: readonly string[];
}

/** All results in one object. */
export function report(results: readonly CaseResult[]): Report {
  const cases = results.filter(({ checks }) => checks.length > 0).map(summarise);
  const passed = cases.filter(({ ok }) => ok).length;
  const not_covered = results.flatMap(({ id, checks, notCovered }) =>
    checks.length === 0 ? [id] : notCovered.map((name) => `${id}: ${name}`)
  );
  return { passed, failed: cases.length - passed, cases, not_covered };
}

/** The heading of the table. */
export const HEADING: string = row("case", "quantity", "worst", "limit", "");

/** The lines of one case; the id stands on the first. Empty when nothing of it is covered. */
export function caseLines({ id, checks }: CaseResult): string[] {
  return checks.map((check, i) => {
    const verdict = holds(check) ? "ok" : `FAILED${check.where ? ` at ${check.where}` : ""}`;
    return row(
      i === 0 ? id : "",
      check.quantity,
      number(check.worst),
      number(check.limit),
      verdict,
    );
  });
}

function row(id: string, quantity: string, worst: string, limit: string, verdict: string): string {
  const cells = [id.padEnd(26), quantity.padEnd(34), worst.padStart(8), limit.padStart(8), verdict];
  return cells.join("  ").trimEnd();
}

function number(value: number): string {
  return value === 0 ? "0" : Number.isFinite(value) ? value.toExponential(1) : "infinite";
}

/** The closing lines: what was not covered, kinds of numbered cases counted, and the sums. */
export function closingLines(results: readonly CaseResult[], { passed, failed }: Report): string[] {
  const counts = new Map<string, number>();
  const add = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  for (const { id, checks, notCovered } of results) {
    const kind = id.replace(/\/\d+$/, "");
    if (checks.length === 0) add(kind);
    else for (const name of notCovered) add(`${name} of ${kind}`);
  }
  const names = [...counts].map(([name, count]) => count > 1 ? `${name} (${count})` : name);
  const lines = names.length > 0 ? [`not covered by this build: ${names.join(", ")}`] : [];
  return [...lines, `${passed} passed, ${failed} failed`];
}
