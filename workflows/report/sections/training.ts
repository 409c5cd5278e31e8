/**
 * How training went: losses, the other metrics, the maturity vector and the gate's decisions.
 */
import { ACTION_MARKS } from "../palette.ts";
import { actionOf, maturityChart, placeOf } from "../charts/gates.ts";
import { lossChart, termNames, termsChart } from "../charts/losses.ts";
import { rateText } from "../charts/parts.ts";
import { evaluationsOf, stagesOf } from "../facts.ts";
import { folded, Html, html } from "../page/html.ts";
import { count } from "../words.ts";
import { type Context, type Section, section } from "./section.ts";

const GLYPHS: Readonly<Record<string, string>> = {
  circle: '<circle cx="5" cy="5" r="4"/>',
  square: '<path d="M1 1h8v8H1z"/>',
  "triangle-up": '<path d="M5 1l4.6 8H.4z"/>',
  "triangle-down": '<path d="M5 9L.4 1h9.2z"/>',
  diamond: '<path d="M5 0l5 5-5 5-5-5z"/>',
  cross: '<path d="M3.5 0h3v3.5H10v3H6.5V10h-3V6.5H0v-3h3.5z"/>',
};

/** Losses over tokens, with the other metrics folded away. */
export async function lossSection(context: Context): Promise<Section> {
  const { run, artist, prefix } = context;
  // The untrained policy keeps its colour in the charts of a run, and has no losses.
  const trained = [...new Set(run.metrics.map(({ stage }) => stage))];
  const series = ["untrained", ...trained];
  const rows = stagesOf(run).flatMap(({ attempts }) => attempts).map((stage) => {
    const own = run.metrics.filter((row) => row.stage === stage);
    const losses = own.flatMap(({ loss }) => typeof loss === "number" ? [loss] : []);
    const last = run.checkpoints.findLast((one) => one.stage === stage);
    const tokens = own.findLast(({ num_tokens }) => typeof num_tokens === "number")?.num_tokens;
    return [
      stage,
      own.at(-1)?.step ?? "-",
      typeof tokens === "number" ? count(tokens) : "-",
      losses[0]?.toFixed(3) ?? "-",
      losses.at(-1)?.toFixed(3) ?? "-",
      last?.heldOutBefore?.toFixed(3) ?? "-",
      last?.heldOutAfter?.toFixed(3) ?? "-",
    ];
  });
  const figure = await artist.figure({
    id: `${prefix}loss`,
    title: "Loss over tokens",
    spec: {
      ...lossChart(run.metrics, series, { width: 640, height: 300 }, trained),
      title: undefined,
    },
    caption:
      "Each point is the mean since the one before; large marks are losses on held-out data. Losses of different stages are of different objectives and compare only within a stage.",
    table: {
      caption: "Losses by stage, nats per token",
      head: ["stage", "steps", "tokens", "first loss", "last loss", "held out before", "after"],
      rows,
    },
  });
  const names = termNames(run.metrics);
  const more = names.length > 0 && folded(
    `${prefix}terms-fold`,
    "Accuracy, gradient norm and what the terms of the objective report",
    await artist.figure({
      id: `${prefix}terms`,
      title: "Other metrics over tokens",
      spec: termsChart(run.metrics, names),
      caption: "The same colours as above. Losses of terms are unweighted (INFANT Eq. 6).",
      table: {
        caption: "Last value of each metric by stage",
        head: ["metric", ...new Set(run.metrics.map(({ stage }) => stage))],
        rows: names.map((name) => [
          name,
          ...[...new Set(run.metrics.map(({ stage }) => stage))].map((stage) => {
            const value = run.metrics.findLast((row) =>
              row.stage === stage && typeof row[name] === "number"
            )?.[name];
            return typeof value === "number" ? value.toPrecision(3) : "-";
          }),
        ]),
      },
    }),
  );
  return section(context, "losses", "Losses", html`${figure}${more}`);
}

/** The maturity vector beside its thresholds, and every decision with its reason; null without a gate. */
export async function gateSection(context: Context): Promise<Section | null> {
  const { run, artist, prefix } = context;
  const evaluations = evaluationsOf(run);
  if (evaluations.length === 0) return null;
  const names = [...new Set(evaluations.flatMap(({ metrics }) => Object.keys(metrics)))];
  const figure = await artist.figure({
    id: `${prefix}maturity`,
    title: "Maturity at every evaluation",
    spec: maturityChart(evaluations),
    caption:
      "Points are rates on validation dialogues that no earlier evaluation had, with exact 95% intervals; dashes are the stage's thresholds (INFANT Eq. 42). A stage is promoted when all metrics stay above them.",
    table: {
      caption: "Maturity vector, % with exact 95% intervals",
      head: ["evaluation", "decision", ...names],
      rows: evaluations.map((one) => [
        placeOf(one),
        actionOf(one),
        ...names.map((name) => rateText(one.metrics[name])),
      ]),
      numbers: names.map((_, i) => i + 2),
    },
  });
  const decisions = evaluations.map((one) => {
    const [action, place] = [actionOf(one), placeOf(one)];
    const reason = "reason" in one ? String(one.reason) : "before the first gate";
    return html`
      <li><span class="action">${glyph(
        action,
      )}${action}</span> <span class="soft">${place}</span> <span>${reason}</span></li>
    `;
  });
  const whole = run.audit?.ok
    ? "Every entry of the audit file holds the hash of the one before; the chain is whole."
    : `The audit file is broken: ${run.audit?.problem}.`;
  return section(
    context,
    "gate",
    "Maturity and the gate",
    html`<p>A gate stands at the end of each stage. It promotes, holds the stage for another portion, or rolls it back to the policy that was last promoted.</p>
<ol class="decisions">
${decisions}</ol>
${figure}
<p class="soft">${whole}</p>`,
  );
}

function glyph(action: string): Html {
  const { colour, shape } = ACTION_MARKS[action] ?? ACTION_MARKS.measured;
  return new Html(
    `<svg viewBox="0 0 10 10" role="img" aria-label="${shape}" fill="${colour}"><title>${shape}</title>${
      GLYPHS[shape]
    }</svg>`,
  );
}
