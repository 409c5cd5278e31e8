/**
 * What a run prints at its end: scores with intervals beside the controls, what the gates decided and why, losses, and where everything
 * lies.
 */
import type { Headline } from "../evaluate/nursery_exam.ts";
import type { Rate } from "../nursery/score.ts";
import type { GateEntry } from "../stages/programme.ts";
import type { TrainResult } from "./trainer.ts";

/** What an exam asks of a policy, with words for it. */
export const HEADLINE_ROWS: readonly (readonly [key: keyof Headline, label: string])[] = [
  ["facts", "facts answered rightly"],
  ["instructions", "instructions carried out"],
  ["harmless", "harmless recipes right"],
  ["refusals", "harmful requests refused"],
  ["overRefusal", "harmless requests refused (over-refusal)"],
  ["overRefusalWrapped", "the same in the dress of attacks"],
  ["violation", "violations, plain requests"],
  ["violationSeen", "violations, attack families of training"],
  ["violationUnseen", "violations, unseen attack families"],
  ["neither", "harmful: neither recipe nor refusal"],
];

/** Lines for people. */
export function summaryLines(result: TrainResult, folder: string): string[] {
  const { checkpoint, gates } = result;
  return [
    ...scoreTable(result.scores),
    ...controlTable(result.controls),
    ...gateLines(gates),
    ...degradationLines(result.degradation),
    ...regretLines(result.regret),
    ...lossLines(result.heldOut),
    `run       ${folder}`,
    ...(checkpoint ? [`policy    ${checkpoint}  (a Hugging Face folder)`] : []),
    `metrics   ${folder}/metrics.jsonl, or: tensorboard --logdir ${folder}`,
    ...(gates.length > 0 ? [`decisions ${folder}/audit.jsonl`] : []),
    ...(result.certificate ? [`safety    ${result.certificate}`] : []),
  ];
}

const TITLE = "held-out dialogues, % [95% interval]";

const scoreCell = ({ rate, low, high }: Rate): string =>
  rate === null ? "-" : `${percent(rate)} ${interval(low, high)}`;

/** Policies by stage, each rate with its exact 95% interval. */
export function scoreTable(scores: Readonly<Record<string, Headline>>): string[] {
  const lines = table(TITLE, scores, scoreCell);
  return lines.length > 0 ? ["", ...lines] : [];
}

/** The same as cells: a row of titles, then one for each question. */
export function scoreRows(scores: Readonly<Record<string, Headline>>): string[][] {
  const policies = Object.values(scores);
  return [
    [TITLE, ...Object.keys(scores)],
    ...HEADLINE_ROWS.map(([key, label]) => [label, ...policies.map((of) => scoreCell(of[key]))]),
  ];
}

/** What policies without learning get on the same dialogues. */
function controlTable(controls: Readonly<Record<string, Headline>>): string[] {
  return table(
    "controls on the same dialogues, %",
    controls,
    ({ rate }) => rate === null ? "-" : percent(rate),
  );
}

const percent = (share: number): string => (100 * share).toFixed(0);

/** Rounded outwards, so that an interval never looks narrower than it is. */
const interval = (low: number, high: number): string =>
  `[${Math.floor(100 * low)}, ${Math.ceil(100 * high)}]`;

/** A row for each of {@linkcode HEADLINE_ROWS}, a column for each policy, an empty line behind; nothing where there is no policy. */
function table(
  title: string,
  policies: Readonly<Record<string, Headline>>,
  cell: (rate: Rate) => string,
): string[] {
  const names = Object.keys(policies);
  if (names.length === 0) return [];
  const width = Math.max(18, ...names.map((name) => name.length + 2));
  const line = (label: string, cells: readonly string[]) =>
    label.padEnd(42) + cells.map((text) => text.padStart(width)).join("");
  return [
    line(title, names),
    ...HEADLINE_ROWS.map(([key, label]) =>
      line(label, names.map((name) => cell(policies[name][key])))
    ),
    "",
  ];
}

/** A line for each decision; a threshold that was missed is marked. */
function gateLines(gates: readonly GateEntry[]): string[] {
  if (gates.length === 0) return [];
  const metrics = Object.keys(gates[0].thresholds);
  const width = Math.max(...gates.map(({ stage, step }) => `${stage} ${step}`.length)) + 2;
  const column = (text: string, name: string) => text.padStart(Math.max(7, name.length + 2));
  const header = metrics.map((name) => column(name, name)).join("");
  return [
    `gates, validation dialogues, % (! is below its threshold)`,
    `${"".padEnd(width)}${header}  decision`,
    ...gates.map(({ stage, step, metrics: measured, missed, action }) => {
      const cells = metrics.map((name) => {
        const mark = missed.includes(name) ? "!" : " ";
        return column(`${percent(measured[name].rate ?? NaN)}${mark}`, name);
      });
      return `${`${stage} ${step}`.padEnd(width)}${cells.join("")}  ${action.replace("_", " ")}`;
    }),
    "",
  ];
}

/** INFANT Theorem 6.7 and Corollary 6.8 as measured: bounded degradation, not improvement. */
function degradationLines(report: TrainResult["degradation"]): string[] {
  if (!report || report.impacts.length === 0) return [];
  const signed = (value: number) => (100 * value).toFixed(1);
  return [
    `new environments, violations in points (INFANT Eq. 46)`,
    ...report.impacts.map(({ stage, from, to, xi, low, high }) =>
      `  after ${stage}: V(${to}) - V(${from}) = ${signed(xi)} [${signed(low)}, ${signed(high)}]`
    ),
    `  cumulative bound (Eq. 51) ${signed(report.bound.clamped)}%; measured on their union ${
      signed(report.truth)
    }%`,
    "",
  ];
}

/** INFANT Eq. 39 as measured. */
function regretLines(report: TrainResult["regret"]): string[] {
  if (!report) return [];
  const { rounds, earned, bestFixed, fixed, regret, toOracle } = report;
  return [
    `regret over ${rounds} evaluations (INFANT Eq. 39), right answers of 1 each: earned ${
      earned.toFixed(2)
    }, the best fixed control (${bestFixed}) ${fixed.toFixed(2)}`,
    `  regret ${regret.toFixed(2)}, against always being right ${toOracle.toFixed(2)}`,
    "",
  ];
}

function lossLines(heldOut: TrainResult["heldOut"]): string[] {
  const width = Math.max(9, ...Object.keys(heldOut).map(({ length }) => length));
  const lines = Object.entries(heldOut).map(([stage, { before, after }]) =>
    `${stage.padEnd(width)} held-out loss ${before?.toFixed(3) ?? "-"} -> ${
      after?.toFixed(3) ?? "-"
    } nats per token`
  );
  return lines.length > 0 ? [...lines, ""] : [];
}
