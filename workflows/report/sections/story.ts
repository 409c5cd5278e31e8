/**
 * The story of a run: a few numbers that matter, and each stage in words.
 */
import type { Headline } from "../../evaluate/nursery_exam.ts";
import { percentUp } from "../../safety/certificate/certificate.ts";
import type { Estimated } from "../charts/parts.ts";
import { percentText } from "../charts/parts.ts";
import {
  beforeAfter,
  outcomeOf,
  secondsOf,
  type StageFacts,
  stagesOf,
  tokensOf,
} from "../facts.ts";
import { type Content, heading, type Html, html } from "../page/html.ts";
import type { RunData, Settings } from "../run_data.ts";
import { capital, listed, plural, rounded, seconds, STAGE_KINDS } from "../words.ts";
import { type Context, type Section, section } from "./section.ts";

/** One paragraph and the tiles: what a reader in a hurry should know. */
export function opening(run: RunData): Html {
  return html`<p class="lead">${summary(run)}</p>
${verdict(run)}
${tiles(run)}
${problems(run)}`;
}

/** What a run did, in two or three sentences. */
export function summary(run: RunData): string {
  const stages = stagesOf(run);
  const outcome = outcomeOf(run);
  const names = listed(stages.map(({ name }) => name));
  const begun = stages.filter(({ attempts }) => attempts.length > 0);
  const time = secondsOf(run);
  const spent = `${rounded(tokensOf(run))} tokens${time === null ? "" : ` in ${seconds(time)}`}`;
  const done = outcome !== null && begun.length === stages.length;
  const verb = outcome === null ? "is being trained" : done ? "was trained" : "was to be trained";
  const what = `${capital(modelText(run))} ${verb} in ${plural(stages.length, "stage")} (${names})`;
  const first = outcome === null ? `${what}, so far on ${spent}.` : `${what}, on ${spent}.`;
  return [first, ...(done || outcome === null ? [] : [endText(begun)]), ...change(run)].join(" ");
}

/** Why a programme came to its end before its last stage. */
function endText(begun: readonly StageFacts[]): string {
  const last = begun.at(-1);
  const decision = last?.gates.at(-1);
  if (!last || !decision) return "It ended before its last stage.";
  const { missed, reason } = decision;
  return missed.length > 0
    ? `Its gate ended it at ${last.name}, where ${
      listed(missed.map((name) => name.replaceAll("_", " ")))
    } stayed below ${missed.length === 1 ? "its threshold" : "their thresholds"}.`
    : `Its gate ended it at ${last.name}: ${reason}.`;
}

function modelText({ config, parameters }: RunData): string {
  const model = (config?.model ?? {}) as Settings;
  const size = parameters === null ? "" : ` of ${rounded(parameters)} parameters`;
  if (typeof model.from === "string") return `the model ${model.from}${size}`;
  const family = typeof model.family === "string" ? `${model.family} ` : "";
  return `a new ${family}policy${size}`;
}

/** How violations changed between the helpful policy and the last one. */
function change(run: RunData): string[] {
  const names = Object.keys(run.scores);
  const pair = beforeAfter(run, names);
  if (!pair) return [];
  const [before, after] = [run.scores[pair.before], run.scores[pair.after]];
  const part = (key: keyof Headline, where: string) =>
    before[key]?.rate === null || !before[key] || !after[key]
      ? []
      : [`from ${percentText(before[key].rate)} to ${percentText(after[key].rate)} ${where}`];
  const parts = [
    ...part("violation", "when asked plainly"),
    ...part("violationSeen", "under attack families of training"),
    ...part("violationUnseen", "under families that it never saw"),
  ];
  if (parts.length === 0) return [];
  return [
    `From ${pair.before} to ${pair.after}, the share of harmful requests that it answers with a usable recipe went ${
      listed(parts)
    }.`,
  ];
}

function verdict({ certificate }: RunData): Content {
  if (!certificate) return null;
  const { granted, statement, settings } = certificate;
  return html`
    <p
      class="verdict ${granted ? "yes" : "no"}"><strong>${granted
        ? "Certificate granted."
        : "Certificate not granted."}</strong> ${statement} The limit was ${percentUp(
          settings.limit,
        )}.</p>
  `;
}

/** The numbers that matter most, each with its interval and what it was before. */
function tiles(run: RunData): Content {
  const names = Object.keys(run.scores);
  const pair = beforeAfter(run, names);
  const now = run.scores[pair?.after ?? names[names.length - 1]];
  if (!now) return null;
  const was = pair && { name: pair.before, scores: run.scores[pair.before] };
  const tile = (label: string, key: keyof Headline) => {
    const rate: Estimated | undefined = now[key];
    if (!rate || rate.rate === null) return null;
    return html`
      <li class="tile"><span>${label}</span><b>${percentText(rate.rate)}</b>
      <small>95% interval ${intervalText(rate)}${was?.scores[key] &&
        html`<br>${was.name}: ${percentText(was.scores[key].rate)}`}</small></li>
    `;
  };
  return html`<ul class="tiles" aria-label="Main results">
${tile("Violations, plain requests", "violation")}${
    tile("Violations, seen attacks", "violationSeen")
  }${tile("Violations, unseen attacks", "violationUnseen")}${
    tile("Harmless requests refused", "overRefusal")
  }${tile("Facts right", "facts")}${tile("Instructions right", "instructions")}</ul>`;
}

/** `11.5 to 16.5%`, rounded outwards. */
function intervalText({ low, high }: Estimated): string {
  return `${Math.floor(1000 * low) / 10} to ${Math.ceil(1000 * high) / 10}%`;
}

function problems({ problems, audit }: RunData): Content {
  const broken = audit?.problem ? [`audit.jsonl, ${audit.problem}`] : [];
  const lines = [...broken, ...problems];
  return lines.length > 0 && html`
    <div class="warning">
      <p><strong>Parts of this run could not be read.</strong></p>
      <ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>
    </div>
  `;
}

/** Stage by stage: what each was for, how it went, and what the gate said. */
export function stagesSection(context: Context): Section {
  const items = stagesOf(context.run).map((stage) =>
    html`
      <li>${heading(context.level + 1, stage.name)}
      ${stageText(stage).map((line) => html`<p>${line}</p>`)}</li>
    `
  );
  return section(
    context,
    "stages",
    "What was trained",
    html`<ol class="stages">
${items}</ol>`,
  );
}

function stageText(stage: StageFacts): Content[] {
  const { settings, attempts, checkpoint, gates, exam } = stage;
  const kind = String(settings.kind ?? "");
  const [name, meaning] = STAGE_KINDS[kind] ?? [kind.replaceAll("_", " "), ""];
  const learning = [
    name && capital(name),
    meaning && `${meaning}`,
  ].filter(Boolean).join(": ");
  const lines: Content[] = [learning && `${learning}.`];
  if (attempts.length === 0) return [...lines, html`<span class="soft">Not begun.</span>`];
  const { data, learning_rate: rate, batch_size: batch } = settings;
  const source = typeof data === "string"
    ? data
    : (data as Settings | undefined)?.path ?? (data as Settings | undefined)?.hub;
  const facts = [
    source && `data: ${source}`,
    checkpoint && `${rounded(checkpoint.tokens)} tokens in ${checkpoint.step} steps`,
    typeof batch === "number" && `batches of ${batch}`,
    typeof rate === "number" && `learning rate ${rate}`,
    ...weightsText(settings),
  ].filter(Boolean);
  if (facts.length > 0) lines.push(html`<span class="soft">${capital(facts.join("; "))}.</span>`);
  if (checkpoint?.heldOutAfter != null) {
    const before = checkpoint.heldOutBefore;
    lines.push(
      `Loss on held-out data: ${before === null ? "" : `${before.toFixed(3)} → `}${
        checkpoint.heldOutAfter.toFixed(3)
      } nats per token.`,
    );
  }
  if (exam) lines.push(examText(exam.headline));
  const last = gates.at(-1);
  if (last) {
    const decisions = gates.map(({ action }) => action.replace("_", " "));
    lines.push(
      `The gate evaluated ${
        ["never", "once", "twice"][gates.length] ?? `${plural(gates.length, "time")}`
      } (${decisions.join(", ")}); at last: ${last.reason}.`,
    );
  }
  return lines;
}

/** Weights of the objective's terms (INFANT Eq. 6) that are not zero. */
function weightsText({ weights, rho }: Settings): string[] {
  const terms = Object.entries((weights ?? {}) as Settings)
    .filter(([, weight]) => typeof weight === "number" && weight > 0)
    .map(([term, weight]) => `${term} ${weight}`);
  return [
    ...(terms.length > 0 ? [`weights ${terms.join(", ")}`] : []),
    ...(typeof rho === "number" ? [`rho ${rho}`] : []),
  ];
}

function examText(headline: Headline): string {
  const part = (key: keyof Headline, label: string) =>
    headline[key] && headline[key].rate !== null
      ? [`${label} ${percentText(headline[key].rate)}`]
      : [];
  const parts = [
    ...part("facts", "facts right"),
    ...part("instructions", "instructions right"),
    ...part("violation", "violations plain"),
    ...part("violationSeen", "under seen attacks"),
    ...part("violationUnseen", "under unseen ones"),
    ...part("overRefusal", "harmless requests refused"),
  ];
  return `Exam after it: ${parts.join(", ")}.`;
}
