/**
 * Several runs side by side: their last policies on the same questions, what they cost, and which settings differ.
 */
import type { Headline } from "../../evaluate/nursery_exam.ts";
import { percentUp } from "../../safety/certificate/certificate.ts";
import { rateText } from "../charts/parts.ts";
import { EXAM, ratesChart } from "../charts/rates.ts";
import { flatSettings, secondsOf, tokensOf } from "../facts.ts";
import { type Content, folded, html, tableHtml } from "../page/html.ts";
import type { RunData } from "../run_data.ts";
import { count, seconds } from "../words.ts";
import { type Context, type Section, section } from "./section.ts";

/** Runs with names that tell them apart. */
export type NamedRuns = readonly { readonly name: string; readonly run: RunData }[];

/** Names of runs; those of like name get a number. */
export function named(runs: readonly RunData[]): NamedRuns {
  return runs.map((run, i) => {
    const twins = runs.filter(({ name }) => name === run.name).length > 1;
    return { name: twins ? `${run.name} (${i + 1})` : run.name, run };
  });
}

/** The comparison. */
export async function compareSection(
  runs: NamedRuns,
  { artist, level, prefix }: Pick<Context, "artist" | "level" | "prefix">,
): Promise<Section> {
  const names = runs.map(({ name }) => name);
  const last = new Map(runs.map(({ name, run }) => [name, Object.entries(run.scores).at(-1)]));
  const groups = EXAM.map(([title, rows]) => ({
    title: `Last policy of each run, ${title}`,
    rows: rows.map(([key, label]) => ({
      name: label,
      rates: Object.fromEntries(names.map((name) => [name, last.get(name)?.[1][key]])),
    })).filter(({ rates }) => Object.values(rates).some((rate) => rate && rate.rate !== null)),
  })).filter(({ rows }) => rows.length > 0);
  const figure = groups.length > 0 && await artist.figure({
    id: `${prefix}last-policies`,
    title: "The last policy of each run on test dialogues",
    spec: ratesChart(groups, names),
    caption:
      "Exact 95% intervals, each of one run: they cover the choice of dialogues, not the choice of a seed. Intervals that overlap do not show a difference.",
    table: {
      caption: "Last policies, % with exact 95% intervals",
      head: ["measure", ...names],
      rows: EXAM.flatMap(([, rows]) => rows).map(([key, label]) => [
        label,
        ...names.map((name) => rateText(last.get(name)?.[1][key as keyof Headline])),
      ]),
    },
  });
  return section(
    { prefix, level },
    "comparison",
    "Comparison",
    html`${figure}
${
      tableHtml({
        caption: "What they came to and what they took",
        head: ["", ...names],
        rows: facts(runs),
      })
    }
${differences(runs)}`,
  );
}

function facts(runs: NamedRuns): Content[][] {
  const row = (label: string, of: (run: RunData) => string) => [
    label,
    ...runs.map(({ run }) => of(run)),
  ];
  const certified = ({ certificate }: RunData) =>
    certificate
      ? `≤ ${percentUp(certificate.scopes[0].certified)}${
        certificate.granted ? "" : ", not granted"
      }`
      : "-";
  const time = (run: RunData) => {
    const value = secondsOf(run);
    return value === null ? "-" : seconds(value);
  };
  return [
    row("certified violations, all mixes", certified),
    row("tokens trained", (run) => count(tokensOf(run))),
    row("time", time),
    row("parameters", ({ parameters }) => parameters === null ? "-" : count(parameters)),
    row("seed", ({ config }) => String(config?.seed ?? "-")),
  ];
}

/** Settings that are not the same in all runs. */
function differences(runs: NamedRuns): Content {
  const settings = runs.map(({ run }) => new Map(flatSettings(run.config ?? {})));
  const paths = [...new Set(settings.flatMap((one) => [...one.keys()]))].filter((path) =>
    path !== "out" && new Set(settings.map((one) => one.get(path))).size > 1
  );
  if (paths.length === 0) {
    return html`<p>Their configurations are the same.</p>`;
  }
  const everywhere = paths.filter((path) => settings.every((one) => one.has(path)));
  const rest = paths.filter((path) => !everywhere.includes(path));
  const rows = (paths: readonly string[]) =>
    tableHtml({
      caption: "Settings that differ",
      head: ["setting", ...runs.map(({ name }) => name)],
      rows: paths.map((path) => [
        html`<code>${path}</code>`,
        ...settings.map((one) => one.get(path) ?? "-"),
      ]),
      numbers: [],
    });
  return html`
    ${everywhere.length > 0 && rows(everywhere)} ${rest.length > 0 &&
      folded("settings-apart", `${rest.length} settings that not all of them have`, rows(rest))}
  `;
}
