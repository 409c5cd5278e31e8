import { toSvg } from "../../../workflows/report/chart.ts";
import { curvesChart } from "../../../workflows/report/charts/curves.ts";
import { trajectoryChart } from "../../../workflows/report/charts/trajectory.ts";
import { assert, assertEquals } from "../../assert.ts";

const line = (from: number) => [1, 10, 100].map((x) => ({ x, y: from / x }));

Deno.test("curves: a mark for every point, a legend entry for every curve, logarithms where asked", async () => {
  const curves = [{ name: "one", points: line(1) }, { name: "two", points: line(7) }];
  const spec = curvesChart(curves, { x: "size", y: "error", log: ["x", "y"] });
  assertEquals(
    spec.description,
    "error against size. one: 1 at 1, 0.1 at 10, 0.01 at 100; two: 7 at 1, 0.7 at 10, 0.07 at 100.",
  );
  const svg = await toSvg(spec);
  for (const text of ["one", "two", "size (log scale)", "error (log scale)"]) {
    assert(svg.includes(`>${text}<`), text);
  }
  const [{ layer }] = [spec as unknown as { layer: { mark: { type: string } }[] }];
  assertEquals(layer.map(({ mark }) => mark.type), ["line", "point"]);
  // Equal steps in the logarithm are equal steps on paper: falling straight lines.
  const [a, b, c] = /class="mark-line[^>]*>.*?d="M([^"]+)"/s.exec(svg)![1].split("L")
    .map((point) => point.split(",").map(Number));
  assert(Math.abs((b[0] - a[0]) - (c[0] - b[0])) < 0.1 && b[1] > a[1], `${a} ${b} ${c}`);
});

Deno.test("curves: very small numbers are written with exponents", async () => {
  const points = [{ x: 1e-6, y: 1 }, { x: 1e-2, y: 2 }];
  const svg = await toSvg(curvesChart([{ name: "a", points }], { x: "x", y: "y", log: ["x"] }));
  assert(svg.includes(">1e-6<"), svg.slice(0, 2000));
});

Deno.test("curves: long names stand below each other in the legend, whole", async () => {
  const names = ["first", "second"].map((name) =>
    `${name} of two curves: slope -0.50, interval from -0.54 to -0.46`
  );
  const svg = await toSvg(
    curvesChart(names.map((name) => ({ name, points: line(1) })), { x: "x", y: "y" }),
  );
  for (const name of names) assert(svg.includes(`>${name}<`), name);
  assert(Number(/<svg[^>]* width="([\d.]+)"/.exec(svg)![1]) < 700, svg.slice(0, 200));
});

Deno.test("curves: an interval is drawn where it is given, and nowhere else", async () => {
  const points = [{ x: 0, y: 2, low: 1, high: 4 }, { x: 20, y: 1 }];
  const svg = await toSvg(curvesChart([{ name: "a", points }], { x: "x", y: "y" }));
  const rules = /class="mark-rule role-mark[^>]*>(.*?)<\/g>/s.exec(svg)![1];
  assertEquals(rules.match(/<line/g)!.length, 1);
  for (const tick of ["4", "20"]) assert(svg.includes(`>${tick}<`), tick);
});

Deno.test("trajectories: start, ends and equilibrium are told and drawn", async () => {
  const points = [{ x: 1, y: 0 }, { x: 0, y: 1 }, { x: -0.5, y: 0.25 }];
  const spec = trajectoryChart([{ name: "spiral", points }]);
  assertEquals(
    spec.description,
    "Paths from (1.00, 0.00) beside the equilibrium (0.00, 0.00): spiral ends at (-0.50, 0.25).",
  );
  const svg = await toSvg(spec);
  assert(svg.includes(">spiral<"));
  assertEquals(svg.match(/class="mark-symbol/g)!.length >= 2, true);
});
