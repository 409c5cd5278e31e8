/**
 * A figure of a page: a chart drawn into it as SVG, what it shows in words, and its numbers as a table behind it.
 */
import { type ChartSpec, describe, toSvg } from "../chart.ts";
import { type Content, escapeHtml, folded, Html, html, type Table, tableHtml } from "./html.ts";

/** What a figure consists of. */
export interface Figure {
  /** Unique in the page. */
  readonly id: string;
  /** What it shows, in a line. */
  readonly title: string;
  /** The chart. */
  readonly spec: ChartSpec;
  /** How to read it. */
  readonly caption: Content;
  /** The numbers behind it. */
  readonly table: Table;
  /** Its marks lead somewhere, so it is not one picture to assistive technology. */
  readonly linked?: boolean;
}

/** Draws figures, and remembers what it drew: a live page draws only what is new. */
export class Artist {
  #before = new Map<string, string>();
  #now = new Map<string, string>();

  /** The figure as HTML. */
  async figure(figure: Figure): Promise<Html> {
    const { id, title, spec, caption, table, linked } = figure;
    const key = `${id} ${JSON.stringify(spec)}`;
    const svg = this.#now.get(key) ?? this.#before.get(key) ?? await toSvg(spec, "page");
    this.#now.set(key, svg);
    const picture = inlineSvg(svg, id, title, describe(spec), linked);
    return html`<figure id="${id}">
<div class="chart" tabindex="0" role="region" aria-label="${title}">${picture}</div>
<figcaption><strong>${title}.</strong> ${caption}</figcaption>
${folded(`${id}-data`, "The numbers", tableHtml({ ...table, quiet: true }))}
</figure>`;
  }

  /** Forgets drawings that were not asked for since the last call. */
  forget(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}

/** SVG as a part of a page: named for assistive technology, sized by its box, with ids of its own. */
export function inlineSvg(
  svg: string,
  id: string,
  title: string,
  description: string,
  linked = false,
): Html {
  const width = Number(/<svg[^>]*\bwidth="([\d.]+)"/.exec(svg)?.[1] ?? 640);
  const box = /<svg[^>]*\bviewBox="([^"]+)"/.exec(svg)?.[1] ?? "0 0 640 400";
  const role = linked ? "group" : "img";
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${escapeHtml(box)}" ` +
    `style="max-width:${Math.ceil(width)}px;min-width:${
      Math.ceil(Math.min(width, 520) * 0.8)
    }px" ` +
    `role="${role}" aria-labelledby="${id}-t ${id}-d">` +
    `<title id="${id}-t">${escapeHtml(title)}</title>` +
    `<desc id="${id}-d">${escapeHtml(description)}</desc>`;
  const body = svg.replace(/^[\s\S]*?<svg[^>]*>/, "")
    .replaceAll(/(id="|url\(#)((?:clip|gradient)\w*)/g, `$1${id}-$2`)
    // Two decimals are finer than a pixel of any screen.
    .replaceAll(
      / (d|transform|x|y|x2|y2|width|height)="([^"]*)"/g,
      (_, name, value) =>
        ` ${name}="${value.replaceAll(/-?\d+\.\d{3,}/g, (n: string) => String(+(+n).toFixed(2)))}"`,
    )
    .replaceAll("xlink:href", "href");
  return new Html(open + body);
}
