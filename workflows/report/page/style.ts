/**
 * The look of a page: one column to read, figures that may be wider, light and dark by the reader's choice, and paper.
 *
 * Text has a contrast of at least 4.5 to 1 with what it lies on. Charts are drawn in the colours of the light page; the rules at
 * the end repaint them.
 */
import { DARK, LIGHT } from "../palette.ts";

const variables = (
  surface: typeof LIGHT,
  more: Readonly<Record<string, string>>,
): string =>
  Object.entries({ ...surface, ...more }).map(([name, value]) => `--${name}: ${value};`).join(" ");

const LIGHT_MORE = { soft: "#57606a", link: "#0550ae", good: "#00674b", bad: "#a33b00" };
const DARK_MORE = { soft: "#9ea7b3", link: "#79b8ff", good: "#3fd0a4", bad: "#ff9a62" };

/** The style sheet. */
export const STYLE: string = `
:root { color-scheme: light dark; ${variables(LIGHT, LIGHT_MORE)} }
@media (prefers-color-scheme: dark) { :root { ${variables(DARK, DARK_MORE)} } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0 auto; padding: 0 1.25rem 4rem; max-width: 60rem; background: var(--background);
  color: var(--ink); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial,
  "DejaVu Sans", sans-serif; }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: 2rem; margin: 2.5rem 0 .5rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.4rem; margin: 3.5rem 0 .75rem; padding-top: .9rem; border-top: 1px solid var(--grid); }
h3 { font-size: 1.1rem; margin: 2rem 0 .5rem; } h4 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, li { max-width: 44rem; } .lead { font-size: 1.15rem; max-width: 46rem; }
a { color: var(--link); } a:focus-visible, summary:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
.soft, figcaption, caption, .tile small { color: var(--soft); }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
code, pre { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { background: var(--shade); padding: .9rem 1rem; border-radius: 6px; overflow-x: auto; }
.skip { position: absolute; left: -100vw; } .skip:focus { left: 1rem; top: .5rem; background: var(--background); padding: .5rem; }
nav ol { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; margin: 1.25rem 0 0; font-size: .95rem; max-width: none; }
nav a { text-underline-offset: .2em; text-decoration-thickness: 1px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .75rem; padding: 0; margin: 1.5rem 0; list-style: none; }
.tile { background: var(--shade); border-radius: 8px; padding: .8rem 1rem .9rem; max-width: none; }
.tile span, .tile small { display: block; } .tile span { font-size: .9rem; }
.tile b { display: block; font-size: 1.7rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile small { font-size: .83rem; line-height: 1.4; }
.verdict { border-left: .35rem solid var(--line); background: var(--shade); border-radius: 0 6px 6px 0; padding: .7rem 1rem; max-width: none; }
.verdict.yes { border-color: #009e73; } .verdict.no { border-color: #d55e00; }
figure { margin: 1.5rem 0 2rem; } figcaption { font-size: .92rem; max-width: 44rem; margin: .35rem 0 .25rem; }
figcaption strong { color: var(--ink); }
.chart { overflow-x: auto; } .chart svg { display: block; width: 100%; height: auto; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; min-width: 50%; }
caption { text-align: left; padding: .2rem 0 .4rem; font-size: .9rem; }
caption.quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--grid); font-weight: 400; }
thead th { font-weight: 600; border-bottom-color: var(--line); } .n { text-align: right; white-space: nowrap; }
tr:target { background: var(--shade); outline: 2px solid var(--link); } tr.best th, tr.best td { font-weight: 600; }
details { margin: .4rem 0; } summary { cursor: pointer; color: var(--link); width: fit-content; font-size: .92rem; padding: .1rem .2rem; }
.stages { list-style: none; padding: 0; counter-reset: stage; margin: 1.25rem 0; }
.stages > li { counter-increment: stage; position: relative; padding: 0 0 1.1rem 3.1rem; max-width: 47rem; }
.stages > li::before { content: counter(stage); position: absolute; left: 0; top: 0; width: 2rem; height: 2rem; line-height: 2rem; border-radius: 50%; text-align: center; font-weight: 600; background: var(--shade); border: 1px solid var(--line); }
.stages > li:not(:last-child)::after { content: ""; position: absolute; left: 1rem; top: 2.2rem; bottom: .1rem; border-left: 2px solid var(--grid); }
.stages p { margin: .15rem 0; } .stages h3, .stages h4 { margin: .2rem 0; }
.decisions { list-style: none; padding: 0; margin: 1rem 0; } .decisions li { display: grid; grid-template-columns: 7.5rem 9rem 1fr; gap: .1rem 1rem; overflow-wrap: anywhere; padding: .35rem 0; border-bottom: 1px solid var(--grid); max-width: none; font-size: .93rem; }
.action { font-weight: 600; white-space: nowrap; } .action svg { width: .8em; height: .8em; margin-right: .35em; }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 1em; padding: 0 .6em; font-size: .82rem; line-height: 1.5; white-space: nowrap; color: var(--soft); }
.badge.good { color: var(--good); } .badge.bad { color: var(--bad); }
.sample { border-left: 3px solid var(--grid); padding: .1rem 0 .1rem 1rem; margin: 1rem 0; }
.sample p { margin: .2rem 0; } .turn { display: grid; grid-template-columns: 8rem 1fr; gap: .75rem; } .turn b { font-weight: 600; color: var(--soft); font-size: .88rem; text-align: right; overflow-wrap: anywhere; padding-top: .1rem; }
.warning { border: 1px solid var(--bad); border-radius: 6px; padding: .6rem 1rem; max-width: none; }
.live { position: sticky; top: 0; z-index: 1; background: var(--shade); border-bottom: 1px solid var(--line); padding: .4rem 0; box-shadow: 0 0 0 100vmax var(--shade); clip-path: inset(0 -100vmax); font-size: .9rem; display: flex; gap: 1rem; flex-wrap: wrap; align-items: center; }
.live progress { width: 12rem; accent-color: var(--link); }
footer { margin-top: 4rem; border-top: 1px solid var(--grid); padding-top: 1rem; font-size: .9rem; color: var(--soft); }
.chart text { fill: var(--ink); } .chart line[stroke="${LIGHT.grid}"] { stroke: var(--grid); }
.chart line[stroke="${LIGHT.line}"] { stroke: var(--line); } .chart path[fill="${LIGHT.ink}"], .chart rect[fill="${LIGHT.ink}"] { fill: var(--ink); }
.chart [stroke="${LIGHT.ink}"] { stroke: var(--ink); } .chart [fill="${LIGHT.shade}"] { fill: var(--shade); }
.chart a { cursor: pointer; } .chart a:focus-visible path { stroke: var(--link); stroke-width: 4px; }
@media (max-width: 40rem) { .decisions li, .turn { grid-template-columns: 1fr; } .turn b { text-align: left; } .turn { gap: 0; } }
@media print {
  :root { ${variables(LIGHT, LIGHT_MORE)} color-scheme: light; }
  body { max-width: none; font-size: 10.5pt; padding: 0; } nav, .skip, .live { display: none; }
  h2 { margin-top: 1.5rem; } h2, h3, h4 { break-after: avoid; } figure, .sample, .stages > li, .tile, .verdict, tr { break-inside: avoid; }
  figure details { display: none; } .chart, .scroll { overflow: visible; } .chart svg { min-width: 0 !important; }
  pre { white-space: pre-wrap; } a { color: inherit; text-decoration: none; }
  .tile, .verdict, pre, .badge { print-color-adjust: exact; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
`;
