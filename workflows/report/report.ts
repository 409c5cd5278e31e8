/**
 * The report: one self-contained HTML file that tells a run, compares several, and shows a sweep's frontier.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { writeFileAtomic } from "../files.ts";
import { Artist } from "./page/figure.ts";
import { type Content, heading, html } from "./page/html.ts";
import { type Page, pageHtml } from "./page/page.ts";
import { type Memory, readRunData, type RunData } from "./run_data.ts";
import { certificateSection } from "./sections/certificate.ts";
import { compareSection, named } from "./sections/compare.ts";
import { configSection, originSection } from "./sections/origin.ts";
import { ablationSection, examSection, memorySection } from "./sections/safety.ts";
import { samplesSection } from "./sections/samples.ts";
import type { Context, Section } from "./sections/section.ts";
import { opening, stagesSection } from "./sections/story.ts";
import { sweepSection } from "./sections/sweep.ts";
import { gateSection, lossSection } from "./sections/training.ts";
import { readSweepData, type SweepData } from "./sweep_data.ts";

/** What a report is made from. */
export interface ReportRequest {
  /** Folders of runs, the first is told first. */
  readonly runs: readonly string[];
  /** Folder of a sweep; null: none. */
  readonly sweep: string | null;
  /** The file to write; links to runs go out from it. */
  readonly out: string;
}

/** Sections of a run. */
export async function runSections(context: Context): Promise<Section[]> {
  const { run } = context;
  const sections = [
    stagesSection(context),
    run.metrics.length > 0 ? await lossSection(context) : null,
    await examSection(context),
    await gateSection(context),
    await memorySection(context),
    await ablationSection(context),
    await certificateSection(context),
    samplesSection(context),
    configSection(context),
    originSection(context),
  ];
  return sections.filter((one) => one !== null);
}

/** The page of one run. */
export async function runPage(run: RunData, artist: Artist = new Artist()): Promise<Page> {
  return {
    title: `Run ${run.name}`,
    opening: html`${heading(1, `Run ${run.name}`)}
${opening(run)}`,
    sections: await runSections({ run, artist, level: 2, prefix: "" }),
    footer: FOOTER,
  };
}

/** A page of several runs, of a sweep, or of both. */
async function joinedPage(
  runs: readonly RunData[],
  sweep: SweepData | null,
  out: string,
): Promise<Page> {
  const artist = new Artist();
  const sections: Section[] = [];
  if (sweep) sections.push(await sweepSection(sweep, { artist, level: 2, prefix: "" }, out));
  const all = named(runs);
  if (all.length > 1) {
    sections.push(await compareSection(all, { artist, level: 2, prefix: "" }));
  }
  for (const [i, { name, run }] of all.entries()) {
    const prefix = `run${i + 1}-`;
    const parts = await runSections({ run, artist, level: 3, prefix });
    const id = `run${i + 1}`;
    sections.push({
      id,
      title: `Run ${name}`,
      html: html`<section id="${id}" aria-labelledby="${id}-h">
${heading(2, `Run ${name}`, `${id}-h`)}
${opening(run)}
${
        parts.map((part) =>
          html`
            ${part.html}
          `
        )
      }</section>`,
    });
  }
  const title = [
    ...(sweep ? [`Sweep ${sweep.name}`] : []),
    ...(all.length > 1 ? [`${all.length} runs`] : all.map(({ name }) => `run ${name}`)),
  ].join(" and ");
  return { title, opening: heading(1, title), sections, footer: FOOTER };
}

const FOOTER: Content =
  html`<p>Made by <code>deno task report</code> from the run's own files. Rates are shares of independent dialogues with exact (Clopper-Pearson) 95% intervals; numbers that decided something during training come from other dialogues than those reported here.</p>`;

/**
 * Makes a report and writes it.
 * @returns The size of the file in bytes.
 * @throws {InputError} when there is nothing to report on, or a folder is not one of a run.
 */
export async function writeReport({ runs, sweep, out }: ReportRequest): Promise<number> {
  if (runs.length === 0 && sweep === null) {
    throw new InputError("name the run to report on: --run DIR (or --sweep DIR)");
  }
  const memory: Memory = new Map();
  const data = await Promise.all(runs.map((folder) => readRunData(folder, memory)));
  const page = data.length === 1 && sweep === null
    ? await runPage(data[0])
    : await joinedPage(data, sweep === null ? null : await readSweepData(sweep), out);
  const text = pageHtml(page);
  await writeFileAtomic(out, text);
  return new TextEncoder().encode(text).length;
}

/** Where a report goes that no name was given. */
export function defaultReportPath(runs: readonly string[], sweep: string | null): string {
  return join(sweep ?? runs[0] ?? ".", "report.html");
}
