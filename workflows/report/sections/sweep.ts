/**
 * The frontier of a sweep: every point leads to its settings and to the runs behind it.
 */
import { dirname, join, relative, sep } from "node:path";
import { frontierChart } from "../charts/pareto.ts";
import { rateText } from "../charts/parts.ts";
import { type Content, html, tableHtml } from "../page/html.ts";
import type { SweepData, SweepSetting } from "../sweep_data.ts";
import { count, listed, plural } from "../words.ts";
import { type Context, type Section, section } from "./section.ts";

/**
 * The frontier.
 * @param out The page's own path, from which links to runs go out.
 */
export async function sweepSection(
  sweep: SweepData,
  { artist, level, prefix }: Pick<Context, "artist" | "level" | "prefix">,
  out: string,
): Promise<Section> {
  const { settings, objectives, seeds, points, bySeed } = sweep;
  const idOf = (i: number) => `${prefix}point-${i + 1}`;
  const figure = settings.length > 0 && await artist.figure({
    id: `${prefix}frontier`,
    title: `${objectives[0]} and ${objectives[1]} of every setting`,
    spec: frontierChart(
      settings.map(({ name, validation: [capability, safety], supported, onFront }, i) => ({
        name,
        capability,
        safety,
        unsupported: onFront && !supported,
        href: `#${idOf(i)}`,
      })),
      bySeed,
      objectives,
    ),
    linked: true,
    caption: html`Means over ${
      plural(seeds.length, "seed")
    } on validation dialogues, with 95% intervals. Points lead to their settings below. ${
      seeds.length > 1 &&
      "Green stairs: goals that half of the seeds and all seeds attain."
    }`,
    table: {
      caption: "Settings of the sweep",
      head: ["setting", objectives[0], objectives[1], "front"],
      rows: settings.map((one) => [
        one.name,
        ...one.validation.map(rateText),
        standing(one),
      ]),
    },
  });
  const best = settings.filter(({ onFront }) => onFront);
  return section(
    { prefix, level },
    "sweep",
    `Frontier of ${sweep.name}`,
    html`<p>${count(points.done)} of ${count(points.planned)} points are computed. ${
      best.length > 0 &&
      `On the front: ${
        listed(best.map(({ name }) => name))
      }. The front was chosen on validation dialogues and is reported on test dialogues, because the best of many noisy numbers is too good.`
    }</p>
${figure}
${
      tableHtml({
        caption: "Every setting with its runs",
        head: [
          "setting",
          `${objectives[0]}, test`,
          `${objectives[1]}, test`,
          "front",
          "runs by seed",
        ],
        rows: settings.map((one) => [
          one.name,
          ...(one.test ?? [undefined, undefined]).map(rateText),
          standing(one),
          runs(one, seeds, out),
        ]),
        numbers: [1, 2],
        ids: settings.map((_, i) => idOf(i)),
      })
    }`,
  );
}

function standing({ onFront, supported }: SweepSetting): string {
  if (!onFront) return "";
  return supported ? "on the front" : "on the front, no weighted sum finds it";
}

/** Links to each run's report where it has one, or to its folder. */
function runs({ runs }: SweepSetting, seeds: readonly number[], out: string): Content {
  return runs.map((folder, s) => {
    const label = `${seeds[s]}`;
    if (folder === null) {
      return html`
        ${label}
      `;
    }
    const report = join(folder, "report.html");
    const target = isThere(report) ? addressOf(report, out) : `${addressOf(folder, out)}/`;
    return html`
      <a href="${target}" aria-label="run with seed ${label}">${label}</a>
    `;
  });
}

/** A file's address as seen from the page. */
function addressOf(path: string, out: string): string {
  return relative(dirname(out), path).split(sep).map(encodeURIComponent).join("/");
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
