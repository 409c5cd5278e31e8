/** Counts what a chart draws. */

/** Marks of a kind (`rect` for bars, `symbol` for points) in an SVG of Vega, axes and legends left out. */
export function marksIn(svg: string, kind: "rect" | "symbol"): number {
  const groups = svg.matchAll(
    new RegExp(`<g class="mark-${kind} role-mark[^>]*>((?:<path[^>]*/?>|</path>)*)</g>`, "g"),
  );
  return [...groups].reduce((sum, [, inside]) => sum + [...inside.matchAll(/<path/g)].length, 0);
}
