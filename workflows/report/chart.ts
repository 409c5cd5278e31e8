/**
 * Charts without a browser: a Vega-Lite specification in, an SVG file or a notebook's display out.
 *
 * Specifications keep to what Vega-Lite 5 knows, because that is what notebooks draw. Colours are Okabe and Ito's, which
 * people with any colour vision can tell apart; marks differ in shape as well. Vega is loaded when something is drawn.
 */
import type { TopLevelSpec } from "vega-lite";

/** A Vega-Lite specification. */
export type ChartSpec = Readonly<Record<string, unknown>>;

/** What the specifications are written in. */
export const VEGA_LITE_5 = "https://vega.github.io/schema/vega-lite/v5.json";

/** Colours of series in order; the first, a grey, is for what others are compared with. */
export const PALETTE: readonly string[] = [
  "#767676",
  "#D55E00",
  "#0072B2",
  "#009E73",
  "#CC79A7",
  "#E69F00",
  "#56B4E9",
];

/** Shapes of series, in the same order. */
export const SHAPES: readonly string[] = [
  "circle",
  "square",
  "triangle-up",
  "diamond",
  "cross",
  "triangle-down",
  "triangle-right",
];

const LIGHT = { background: "#ffffff", ink: "#1f2328", line: "#8c959f", grid: "#e7eaee" } as const;
const DARK = { background: "#0d1117", ink: "#e6edf3", line: "#6e7681", grid: "#262c36" } as const;

const THEME = {
  background: LIGHT.background,
  padding: 12,
  font: "Helvetica, Arial, DejaVu Sans, sans-serif",
  view: { stroke: null },
  title: { color: LIGHT.ink, fontSize: 13, anchor: "start", frame: "group" },
  axis: {
    labelColor: LIGHT.ink,
    titleColor: LIGHT.ink,
    titleFontWeight: "normal",
    domainColor: LIGHT.line,
    tickColor: LIGHT.line,
    gridColor: LIGHT.grid,
    labelFontSize: 11,
    titleFontSize: 12,
  },
  legend: { labelColor: LIGHT.ink, titleColor: LIGHT.ink, labelFontSize: 12 },
} as const;

/** A reader's browser in dark mode repaints the card, the text and the axes; the series' colours suit both. */
const DARK_STYLE = `<style>@media (prefers-color-scheme: dark) {
rect[fill="${LIGHT.background}"] { fill: ${DARK.background} }
text { fill: ${DARK.ink} }
line[stroke="${LIGHT.grid}"] { stroke: ${DARK.grid} }
line[stroke="${LIGHT.line}"] { stroke: ${DARK.line} }
}</style>`;

/**
 * Draws a chart as a self-contained SVG text that is readable on light and on dark pages.
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
export async function toSvg(spec: ChartSpec): Promise<string> {
  const [vega, lite] = await Promise.all([import("vega"), import("vega-lite")]);
  // The schema names version 5 for notebooks; the version 6 that draws here reads the same.
  const { $schema: _, ...rest } = spec;
  const themed = { ...rest, config: THEME } as unknown as TopLevelSpec;
  const view = new vega.View(vega.parse(lite.compile(themed).spec), { renderer: "none" });
  try {
    const svg = await view.toSVG();
    return svg.replace(/<svg[^>]*>/, (open) => open + DARK_STYLE);
  } finally {
    view.finalize();
  }
}

/** What a Deno notebook displays: it calls the method named `Symbol.for("Jupyter.display")` for content by media type. */
export type Displayable = Readonly<Record<symbol, () => Promise<Record<string, unknown>>>>;

/**
 * A chart for `Deno.jupyter.display`: interactive where the notebook draws Vega-Lite, otherwise a picture, otherwise text.
 *
 * The picture is a PNG: notebooks hide an SVG of a file that is not trusted. Where resvg has no binary it is left out.
 * @param text What a reader without pictures should know.
 */
export function displayable(spec: ChartSpec, text: string): Displayable {
  return {
    async [Symbol.for("Jupyter.display")](): Promise<Record<string, unknown>> {
      const content: Record<string, unknown> = {
        "application/vnd.vegalite.v5+json": { $schema: VEGA_LITE_5, ...spec },
        "text/plain": text,
      };
      const png = await toPng(await toSvg(spec));
      return png === null ? content : { ...content, "image/png": png.toBase64() };
    },
  };
}

async function toPng(svg: string): Promise<Uint8Array | null> {
  const resvg = await import("@resvg/resvg-js").catch(() => null);
  if (resvg === null) return null;
  const options = { fitTo: { mode: "zoom", value: 1.5 } } as const;
  return new resvg.Resvg(svg, options).render().asPng();
}
