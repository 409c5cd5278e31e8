/**
 * The gate's side of the trainer: what is measured of a policy on the GPU, and how a decision is told.
 */
import { hash32 } from "../data/random.ts";
import { nurseryReplies } from "../evaluate/nursery_exam.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { Examination, type Examinee, type HeldOutPairs } from "../stages/examination.ts";
import { type Maturity, measureMaturity } from "../stages/maturity.ts";
import type { GateEntry, ReferenceEntry } from "../stages/programme.ts";
import { rewardsOf } from "../stages/regret.ts";
import type { Run } from "./session.ts";

/**
 * Measures the maturity of a policy on the validation split, on dialogues that no earlier evaluation of the run had.
 * @returns null when asked to stop meanwhile.
 */
export async function measurePolicy(
  run: Run,
  parameters: Parameters,
  metrics: readonly string[],
): Promise<Maturity | null> {
  const { config: { gate, seed }, stopped } = run.request;
  const { dialogues, temperature, max_new_tokens } = gate!;
  const fresh = hash32(seed, "gate", run.audit.entries.length);
  const settings = { temperature, max_new_tokens, seed: fresh, onProgress: () => !stopped() };
  const speaks = run.stages.some(({ stage }) => stage.data === "nursery");
  const examinee: Examinee = {
    ...(speaks && { answer: (asked) => nurseryReplies(parameters, asked, settings) }),
    policy: { parameters, tokenizer: run.tokenizer },
    pairs: decidingPairs(run),
  };
  const exam = new Examination(examinee, { split: "validation", dialogues, seed: fresh });
  const [maturity, rewards] = await Promise.all([
    measureMaturity(exam, metrics),
    exam.speaks ? rewardsOf(exam) : undefined,
  ]);
  return stopped() ? null : { ...maturity, ...(rewards && { rewards }) };
}

/** The pairs that the first stage that has any holds out for gates. */
function decidingPairs({ stages }: Run): HeldOutPairs | undefined {
  const first = stages.find(({ data }) => data.pairs && data.pairs.deciding.length > 0);
  if (!first) return undefined;
  const { batch_size: rows, length } = first.stage;
  return { list: first.data.pairs!.deciding, rows, length };
}

/** Tells a decision: a row of numbers for the record, a line for people. */
export function reportGate({ log, report }: Run, entry: GateEntry): void {
  const { stage, step, action, reason, violations } = entry;
  log.metrics(step, { ...maturityRow(entry), [`gate/${action}`]: 1 });
  const rates = Object.entries(violations)
    .map(([name, { rate }]) => `${name} ${(rate ?? NaN).toFixed(2)}`).join(", ");
  const where = rates === "" ? "" : ` (violations: ${rates})`;
  report.note(`gate after ${stage}, step ${step}: ${action.replace("_", " ")}: ${reason}${where}`);
}

/** Puts what was measured before the first gated stage on record. */
export function reportReference({ log }: Run, entry: ReferenceEntry): void {
  log.metrics(entry.step, maturityRow(entry));
}

function maturityRow({ metrics, violations }: Maturity): Record<string, number> {
  const named = (prefix: string, rates: Readonly<Record<string, { rate: number | null }>>) =>
    Object.entries(rates).map(([name, { rate }]) => [`${prefix}/${name}`, rate ?? NaN]);
  return Object.fromEntries([...named("maturity", metrics), ...named("violation", violations)]);
}
