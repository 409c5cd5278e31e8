/**
 * Charts without a browser: a Vega-Lite specification in, an SVG file, a PNG or a notebook's display out.
 *
 * Specifications keep to what Vega-Lite 5 knows, because that is what notebooks draw, and say in `description` what they show, for
 * readers who see no picture. Vega is loaded when something is drawn.
 */
import type { TopLevelSpec } from "vega-lite";
import { DARK, LIGHT, type Surface } from "./palette.ts";
import { encodePng } from "./png.ts";

export { PALETTE, SHAPES } from "./palette.ts";

/** A Vega-Lite specification. */
export type ChartSpec = Readonly<Record<string, unknown>>;

/** What the specifications are written in. */
export const VEGA_LITE_5 = "https://vega.github.io/schema/vega-lite/v5.json";

/**
 * What a chart is drawn for: a light page, a dark one, a file that follows the reader's choice of the two, or a page whose own
 * style repaints it.
 */
export type ChartTheme = "light" | "dark" | "both" | "page";

function config({ background, ink, line, grid }: Surface, page: boolean): object {
  return {
    aria: false,
    background: page ? null : background,
    padding: page ? 4 : 12,
    font: "Helvetica, Arial, DejaVu Sans, sans-serif",
    view: { stroke: null },
    title: { color: ink, fontSize: 13, anchor: "start", frame: "group" },
    header: { labelColor: ink, titleColor: ink, labelFontSize: 12, labelFontWeight: "bold" },
    text: { color: ink },
    axis: {
      labelColor: ink,
      titleColor: ink,
      titleFontWeight: "normal",
      domainColor: line,
      tickColor: line,
      gridColor: grid,
      labelFontSize: 11,
      titleFontSize: 12,
    },
    legend: {
      labelColor: ink,
      titleColor: ink,
      labelFontSize: 12,
      labelLimit: 480,
      layout: { bottom: { direction: "vertical", anchor: "start" } },
    },
  };
}

/** A reader's browser in dark mode repaints the card, the text and the axes; the series' colours suit both. */
const DARK_STYLE = `<style>@media (prefers-color-scheme: dark) {
rect[fill="${LIGHT.background}"] { fill: ${DARK.background} }
text { fill: ${DARK.ink} }
[stroke="${LIGHT.ink}"] { stroke: ${DARK.ink} }
path[fill="${LIGHT.ink}"] { fill: ${DARK.ink} }
[fill="${LIGHT.shade}"] { fill: ${DARK.shade} }
line[stroke="${LIGHT.grid}"] { stroke: ${DARK.grid} }
line[stroke="${LIGHT.line}"] { stroke: ${DARK.line} }
}</style>`;

/**
 * Draws a chart as a self-contained SVG text, by default one that is readable on light and on dark pages.
 *
 * @example
 * ```ts
 * import { toSvg } from "@infant/toolkit";
 *
 * const svg = await toSvg({
 *   data: { values: [{ step: 1, loss: 5.8 }, { step: 2, loss: 4.5 }] },
 *   mark: "line",
 *   encoding: {
 *     x: { field: "step", type: "quantitative" },
 *     y: { field: "loss", type: "quantitative" },
 *   },
 * });
 * console.log(svg.startsWith("<svg")); // true
 * ```
 */
export async function toSvg(spec: ChartSpec, theme: ChartTheme = "both"): Promise<string> {
  const [vega, lite] = await Promise.all([import("vega"), import("vega-lite")]);
  // The schema names version 5 for notebooks; the version 6 that draws here reads the same.
  const { $schema: _, ...rest } = spec;
  const surface = theme === "dark" ? DARK : LIGHT;
  const repainted = theme === "dark" ? inDark(rest) : rest;
  const themed = {
    ...repainted,
    config: config(surface, theme === "page"),
  } as unknown as TopLevelSpec;
  const view = new vega.View(vega.parse(lite.compile(themed).spec), { renderer: "none" });
  try {
    const svg = await view.toSVG();
    return theme === "both" ? svg.replace(/<svg[^>]*>/, (open) => open + DARK_STYLE) : svg;
  } finally {
    view.finalize();
  }
}

/** The specification with every colour of the light surface replaced by the dark one's. */
function inDark<T>(node: T): T {
  if (typeof node === "string") {
    const key = Object.entries(LIGHT).find(([, colour]) => colour === node)?.[0];
    return (key ? DARK[key as keyof Surface] : node) as T;
  }
  if (Array.isArray(node)) return node.map(inDark) as T;
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, inDark(value)])) as T;
}

/** Draws a chart as a PNG; null where resvg has no binary for this machine. Its text needs a font on the system. */
export async function toPng(spec: ChartSpec, theme: "light" | "dark" = "light"): Promise<
  Uint8Array | null
> {
  const resvg = await import("@resvg/resvg-js").catch(() => null);
  if (resvg === null) return null;
  const options = { fitTo: { mode: "zoom", value: 1.5 } } as const;
  const { pixels, width, height } = new resvg.Resvg(await toSvg(spec, theme), options).render();
  return encodePng(pixels, width, height);
}

/** What a Deno notebook displays: it calls the method named `Symbol.for("Jupyter.display")` for content by media type. */
export type Displayable = Readonly<Record<symbol, () => Promise<Record<string, unknown>>>>;

/**
 * A chart for `Deno.jupyter.display`: interactive where the notebook draws Vega-Lite, otherwise a picture, otherwise text.
 *
 * The picture is a PNG: notebooks hide an SVG of a file that is not trusted.
 * @param text What a reader without pictures should know; default: the specification's `description`.
 */
export function displayable(spec: ChartSpec, text: string = describe(spec)): Displayable {
  return {
    async [Symbol.for("Jupyter.display")](): Promise<Record<string, unknown>> {
      const content: Record<string, unknown> = {
        "application/vnd.vegalite.v5+json": { $schema: VEGA_LITE_5, ...spec },
        "text/plain": text,
      };
      const png = await toPng(spec);
      return png === null ? content : { ...content, "image/png": png.toBase64() };
    },
  };
}

/** What a specification says it shows. */
export function describe({ description, title }: ChartSpec): string {
  const named = title as string | { readonly text?: string } | undefined;
  const text = description ?? (typeof named === "string" ? named : named?.text) ?? "a chart";
  return String(text);
}

/**
 * Shows a chart in a notebook, wherever it is read; outside one, its text. Await it: a notebook loses some of the values that a
 * cell merely ends with.
 * @param text What a reader without pictures should know; default: the specification's `description`.
 *
 * @example
 * ```ts
 * import { charts, show } from "@infant/toolkit";
 *
 * const gaps = [[10, 0.3], [100, 0.1], [1000, 0.031]].map(([steps, gap]) => ({ steps, gap }));
 * await show(charts.nashGapChart([{ name: "averaged", points: gaps }]));
 * ```
 */
export async function show(spec: ChartSpec, text?: string): Promise<void> {
  await display(displayable(spec, text), text ?? describe(spec));
}

/**
 * Shows text in a notebook, in its place among what else the cell shows; outside one, prints it. Await it: what a cell prints behind
 * long work is sometimes lost.
 */
export async function showText(text: string): Promise<void> {
  const content = { "text/plain": text };
  await display({ [Symbol.for("Jupyter.display")]: () => Promise.resolve(content) }, text);
}

/**
 * The kernel (Deno 2.9.6) hands displays to another thread, which may tell of a cell's end before it has sent the last of them; such
 * a display is lost. Without this wait one of four runs of a notebook lost one, on a busy machine.
 */
const HANDED_OVER_MS = 100;

async function display(content: Displayable, text: string): Promise<void> {
  const jupyter = notebook();
  if (!jupyter) return console.log(text);
  await jupyter.display(content);
  await new Promise((resolve) => setTimeout(resolve, HANDED_OVER_MS));
}

/** The notebook's kernel; outside one Deno has none, or throws when asked. */
function notebook(): { display(content: Displayable): Promise<void> } | null {
  try {
    return (Deno as { jupyter?: { display(content: Displayable): Promise<void> } }).jupyter ?? null;
  } catch {
    return null;
  }
}
