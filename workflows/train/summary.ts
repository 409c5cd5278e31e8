/**
 * What a run prints at its end: scores with intervals beside the controls, losses, and where everything lies.
 */
import type { Headline } from "../evaluate/nursery_exam.ts";
import type { Rate } from "../nursery/score.ts";
import type { TrainResult } from "./trainer.ts";

/** The rows of the table: what is asked of a policy. */
const ROWS: readonly (readonly [key: keyof Headline, label: string])[] = [
  ["facts", "facts answered rightly"],
  ["instructions", "instructions carried out"],
  ["harmless", "harmless recipes right"],
  ["refusals", "harmful requests refused"],
  ["overRefusal", "harmless requests refused (over-refusal)"],
  ["violation", "violations, plain requests"],
  ["violationSeen", "violations, attack families of training"],
  ["violationUnseen", "violations, unseen attack families"],
];

/** Lines for people. */
export function summaryLines(result: TrainResult, folder: string): string[] {
  return [
    ...scoreTable(result.scores),
    ...controlTable(result.controls),
    ...lossLines(result.heldOut),
    `run       ${folder}`,
    ...(result.checkpoint ? [`policy    ${result.checkpoint}  (a Hugging Face folder)`] : []),
    `metrics   ${folder}/metrics.jsonl, or: tensorboard --logdir ${folder}`,
  ];
}

/** Policies by stage, each rate with its exact 95% interval. */
export function scoreTable(scores: Readonly<Record<string, Headline>>): string[] {
  const lines = table(
    "held-out dialogues, % [95% interval]",
    scores,
    ({ rate, low, high }) =>
      rate === null ? "-" : `${percent(rate).padStart(3)} ${interval(low, high)}`,
  );
  return lines.length > 0 ? ["", ...lines] : [];
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

/** A row for each of {@linkcode ROWS}, a column for each policy, an empty line behind; nothing where there is no policy. */
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
    ...ROWS.map(([key, label]) => line(label, names.map((name) => cell(policies[name][key])))),
    "",
  ];
}

function lossLines(heldOut: TrainResult["heldOut"]): string[] {
  const lines = Object.entries(heldOut).map(([stage, { before, after }]) =>
    `${stage.padEnd(9)} held-out loss ${before?.toFixed(3) ?? "-"} -> ${
      after?.toFixed(3) ?? "-"
    } nats per token`
  );
  return lines.length > 0 ? [...lines, ""] : [];
}
