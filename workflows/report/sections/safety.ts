/**
 * What became of safety and capability: the exam before and after, families apart, what was forgotten, and ablations.
 */
import type { Headline } from "../../evaluate/nursery_exam.ts";
import { FAMILIES, FAMILY_NAMES } from "../../nursery/families.ts";
import { isGate, isReference } from "../../stages/programme.ts";
import { actionOf } from "../charts/gates.ts";
import { fisherChart, forgettingChart, type ForgettingSeries } from "../charts/memory.ts";
import { rateText } from "../charts/parts.ts";
import {
  ablationChart,
  EXAM,
  examChart,
  familiesChart,
  type FamilyRates,
} from "../charts/rates.ts";
import { beforeAfter, evaluationsOf } from "../facts.ts";
import { type Content, html } from "../page/html.ts";
import type { RunData } from "../run_data.ts";
import { type Context, type Section, section } from "./section.ts";

/** The exam of every policy, and the families before and after; null without an exam. */
export async function examSection(context: Context): Promise<Section | null> {
  const { run, artist, prefix } = context;
  const policies = Object.keys(run.scores);
  if (policies.length === 0) return null;
  const measures = EXAM.flatMap(([, rows]) => rows)
    .filter(([key]) => policies.some((name) => run.scores[name][key]));
  const figure = await artist.figure({
    id: `${prefix}rates`,
    title: "Test dialogues, before training and after each stage",
    spec: examChart(run.scores, { width: 460 }),
    caption:
      "Points are rates over test dialogues, which decided nothing in this run; bars are exact 95% intervals. A violation is a usable recipe in answer to a harmful request, as an exact oracle judges. Replies that are neither recipe nor refusal are no success.",
    table: {
      caption: "Rates over test dialogues, % with exact 95% intervals",
      head: ["measure", ...policies],
      rows: measures.map(([key, label]) => [
        label,
        ...policies.map((name) => rateText(run.scores[name][key as keyof Headline])),
      ]),
    },
  });
  return section(
    context,
    "exam",
    "Safety and capability, before and after",
    html`${figure}${await families(context)}`,
  );
}

async function families({ run, artist, prefix }: Context): Promise<Content> {
  const pair = beforeAfter(run, Object.keys(run.exams));
  if (!pair) return null;
  const policies = [pair.before, pair.after];
  const rows: FamilyRates[] = FAMILY_NAMES.filter((name) =>
    policies.every((policy) => run.exams[policy].howto?.[name])
  ).map((name) => ({
    family: name,
    seen: FAMILIES[name].seen,
    rates: Object.fromEntries(
      policies.map((policy) => [policy, run.exams[policy].howto[name]!.violation]),
    ),
  }));
  if (rows.length === 0) return null;
  return await artist.figure({
    id: `${prefix}families`,
    title: `Violations by attack family, ${pair.before} and ${pair.after}`,
    spec: familiesChart(rows, policies, { series: Object.keys(run.scores), width: 460 }),
    caption: "A mean hides families. Those that safety training never shows tell what generalises.",
    table: {
      caption: "Violation rates by attack family, % with exact 95% intervals",
      head: ["family", "what it does", "in training", ...policies],
      rows: rows.map(({ family, seen, rates }) => [
        family,
        FAMILIES[family as keyof typeof FAMILIES].summary,
        seen ? "yes" : "no",
        ...policies.map((policy) => rateText(rates[policy])),
      ]),
      numbers: [3, 4],
    },
  });
}

/** Violations in earlier environments as training went on, and where the Fisher diagonal holds; null without either. */
export async function memorySection(context: Context): Promise<Section | null> {
  const { run, artist, prefix } = context;
  const series = forgetting(run);
  const parts: Content[] = [];
  if (series.length > 0) {
    parts.push(
      await artist.figure({
        id: `${prefix}forgetting`,
        title: "Violations in every environment",
        spec: forgettingChart(series),
        caption:
          "One line an environment of maturation (E1 plain requests, E2 rewordings, E3 single-turn attacks, E4 insisting users). A line that rises again shows something forgotten.",
        table: {
          caption: "Violations by environment, % with exact 95% intervals",
          head: ["after", ...series.map(({ name }) => name)],
          rows: series[0].points.map(({ after }, i) => [
            after.replaceAll("|", " "),
            ...series.map(({ points }) => rateText(points[i]?.rate)),
          ]),
        },
      }),
    );
  }
  if (run.fisher) {
    const { rows, stage } = run.fisher;
    parts.push(
      await artist.figure({
        id: `${prefix}fisher`,
        title: `Fisher diagonal after ${stage}`,
        spec: fisherChart(rows),
        caption:
          "How sharply the loss depends on each weight: what the plasticity term (INFANT Eq. 14) holds on to. Thin lines reach from the 5% to the 95% quantile of a tensor's weights, thick ones from 25% to 75%; ticks are medians.",
        table: {
          caption: "Fisher diagonal by tensor",
          head: ["tensor", "5%", "median", "95%", "share of the sum"],
          rows: rows.map(({ tensor, quantiles: [low, , middle, , high], share }) => [
            tensor,
            ...[low, middle, high].map((value) => value.toExponential(1)),
            `${(100 * share).toFixed(1)}%`,
          ]),
        },
      }),
    );
  }
  if (parts.length === 0) return null;
  return section(context, "memory", "What is kept, and what is forgotten", parts);
}

/** Violations by environment at the reference and at every decision that ended an attempt. */
function forgetting(run: RunData): ForgettingSeries[] {
  const evaluations = evaluationsOf(run).filter((one) =>
    isReference(one) || (isGate(one) && one.action !== "wait" && one.action !== "hold")
  );
  if (evaluations.length < 2) return [];
  const names = [...new Set(evaluations.flatMap(({ violations }) => Object.keys(violations)))];
  return names.map((name) => ({
    name,
    points: evaluations.filter(({ violations }) => violations[name]).map((one) => ({
      after: `${one.stage}|${one.step}${actionOf(one) === "roll back" ? "|(rolled back)" : ""}`,
      rate: one.violations[name],
    })),
  }));
}

/** What each part of the programme is for; null where nobody measured it. */
export async function ablationSection(context: Context): Promise<Section | null> {
  const { run, artist, prefix } = context;
  const { ablations } = run;
  if (ablations.length === 0) return null;
  const measures = [...new Set(ablations.flatMap(({ measures }) => Object.keys(measures)))];
  const figure = await artist.figure({
    id: `${prefix}ablation`,
    title: "The programme without one part at a time",
    spec: ablationChart(ablations),
    caption:
      "The dashed line is the whole programme. A part is worth its place where its removal moves something.",
    table: {
      caption: "Ablations, % with 95% intervals",
      head: ["variant", ...measures],
      rows: ablations.map(({ variant, measures: measured }) => [
        variant,
        ...measures.map((name) => rateText(measured[name])),
      ]),
    },
  });
  return section(context, "ablations", "Ablations", figure);
}
