/**
 * What a run prints at its end: scores with intervals beside the controls, losses, and where everything lies.
 */
import type { Headline } from "../evaluate/nursery_exam.ts";
import type { Rate } from "../nursery/score.ts";
import type { TrainResult } from "./trainer.ts";

/** The rows of the table: what is asked of a policy, and whether more is better. */
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
  const names = Object.keys(scores);
  if (names.length === 0) return [];
  const head = [
    "held-out dialogues, % [95% interval]".padEnd(42),
    ...names.map((n) => n.padStart(18)),
  ];
  const rows = ROWS.map(([key, label]) =>
    label.padEnd(42) + names.map((n) => cell(scores[n][key])).join("")
  );
  return ["", head.join(""), ...rows, ""];
}

function cell({ rate, low, high }: Rate): string {
  if (rate === null) return "-".padStart(18);
  const percent = (x: number) => (100 * x).toFixed(0);
  return `${percent(rate).padStart(3)} [${percent(low)}, ${percent(high)}]`.padStart(18);
}

/** What policies without learning get on the same dialogues. */
function controlTable(controls: Readonly<Record<string, Headline>>): string[] {
  const names = Object.keys(controls);
  if (names.length === 0) return [];
  const head = [
    "controls on the same dialogues, %".padEnd(42),
    ...names.map((n) => n.padStart(17)),
  ];
  const rows = ROWS.map(([key, label]) =>
    label.padEnd(42) +
    names.map((n) => {
      const { rate } = controls[n][key];
      return (rate === null ? "-" : (100 * rate).toFixed(0)).padStart(17);
    }).join("")
  );
  return [head.join(""), ...rows, ""];
}

function lossLines(heldOut: TrainResult["heldOut"]): string[] {
  const lines = Object.entries(heldOut).map(([stage, { before, after }]) =>
    `${stage.padEnd(9)} held-out loss ${before?.toFixed(3) ?? "-"} -> ${
      after?.toFixed(3) ?? "-"
    } nats per token`
  );
  return lines.length > 0 ? [...lines, ""] : [];
}
