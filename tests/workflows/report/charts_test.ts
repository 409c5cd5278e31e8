/**
 * Charts as functions: intervals are drawn, numbers are those that went in, every chart draws and says what it shows.
 */
import fc from "fast-check";
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import {
  type ChartSpec,
  describe,
  show,
  showText,
  toPng,
  toSvg,
} from "../../../workflows/report/chart.ts";
import * as charts from "../../../workflows/report/charts/mod.ts";
import { DARK, LIGHT, PALETTE, SHAPES } from "../../../workflows/report/palette.ts";
import { rateOf } from "../../../workflows/nursery/score.ts";
import { decideGate } from "../../../workflows/stages/gate.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";
import { certified } from "../safety/certificate/synthetic.ts";

/** Deep search: all values of `key` in a specification. */
// deno-lint-ignore no-explicit-any
function valuesOf(node: unknown, key: string): any[] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([name, value]) => [
    ...(name === key ? [value] : []),
    ...valuesOf(value, key),
  ]);
}

// Linear-light sRGB, and what eyes that lack one kind of cone see of it (Machado, Oliveira and Fernandes, 2009, severity 1).
const SIGHTS = {
  all: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [
    -0.003882,
    -0.048116,
    1.051998,
  ]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [
    -0.01182,
    0.04294,
    0.968881,
  ]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [
    0.004733,
    0.691367,
    0.3039,
  ]],
};

function linear(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
}

/** Björn Ottosson's Oklab, in which equal distances look about equally far. */
function oklab([r, g, b]: readonly number[]): number[] {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function distance(a: string, b: string, sight: readonly (readonly number[])[]): number {
  const [x, y] = [a, b].map((colour) => {
    const seen = linear(colour);
    return oklab(sight.map((row) => {
      const value = row.reduce((sum, weight, i) => sum + weight * seen[i], 0);
      return Math.min(1, Math.max(0, value));
    }));
  });
  return Math.hypot(...x.map((value, i) => value - y[i]));
}

function contrast(a: string, b: string): number {
  const [dark, light] = [a, b].map((colour) => {
    const [red, green, blue] = linear(colour);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }).sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

Deno.test("palette: any two colours can be told apart with every kind of sight", () => {
  for (const [name, sight] of Object.entries(SIGHTS)) {
    PALETTE.forEach((a, i) =>
      PALETTE.slice(i + 1).forEach((b) =>
        // 0.02 is what can just be told apart side by side.
        assert(distance(a, b, sight) > 0.055, `${a} ${b} ${name}: ${distance(a, b, sight)}`)
      )
    );
  }
  assertEquals(new Set(SHAPES).size, PALETTE.length);
});

Deno.test("palette: marks stand out from light and dark pages, text more so", () => {
  for (const { background, shade, ink } of [LIGHT, DARK]) {
    for (const colour of PALETTE) {
      assert(contrast(colour, background) >= 3, `${colour} on ${background}`);
    }
    assert(contrast(ink, background) >= 7 && contrast(ink, shade) >= 7);
  }
});

const rate = (k: number) => rateOf(k, 20);
const gate = resolveConfig({
  overrides: ["gate.first={facts: 0.5}", "gate.last={facts: 0.9}", "gate.n_stable=1"],
}).config.gate!;
const maturity = (k: number) => ({
  metrics: { facts: { ...rate(k), worst: null } },
  violations: { E1: rate(20 - k) },
});
const place = { index: 0, previous: "", rows: 0, stage: "imprint" };
const evaluations: charts.Evaluation[] = [
  { event: "reference", step: 0, ...place, ...maturity(3) },
  {
    ...{ event: "gate", step: 20, thresholds: { facts: 0.9 } },
    ...place,
    ...decideGate(
      { reference: {}, evaluations: [maturity(19).metrics], atEnd: true, holds: 0, rollbacks: 0 },
      { facts: 0.9 },
      gate,
    ),
    ...maturity(19),
  },
];
const certificate = await certified({ unsafe: 0.2, missed: 0.1, failed: 0.05 });
const point = (name: string, k: number, l: number) => ({
  name,
  capability: rate(k),
  safety: rate(l),
});
const points = [
  point("a", 18, 2),
  point("b", 12, 12),
  point("c", 6, 6),
  point("d", 2, 19),
];

const ALL: Readonly<Record<string, ChartSpec>> = {
  losses: charts.lossChart([
    { stage: "a", step: 1, global_step: 1, loss: 3, num_tokens: 10 },
    { stage: "a", step: 2, global_step: 2, loss: 2, num_tokens: 20, eval_loss: 2 },
  ]),
  "a loss that is not positive": charts.lossChart([
    { stage: "a", step: 1, global_step: 1, loss: 0.1, num_tokens: 10 },
    { stage: "a", step: 2, global_step: 2, loss: -0.1, num_tokens: 20 },
  ]),
  terms: charts.termsChart([
    { stage: "a", step: 1, global_step: 1, loss: 3, num_tokens: 10, grad_norm: 2, kl: 0.1 },
    { stage: "a", step: 2, global_step: 2, loss: 2, num_tokens: 20, grad_norm: 1, kl: 0.2 },
  ]),
  families: charts.familiesChart([
    { family: "plain", seen: true, rates: { before: rate(20), after: rate(0) } },
    { family: "mix", seen: false, rates: { before: rate(19), after: rate(4) } },
  ], ["before", "after"]),
  ablations: charts.ablationChart([
    { variant: "whole", measures: { safety: rate(19), facts: rate(20) } },
    { variant: "no gate", measures: { safety: rate(11), facts: undefined } },
  ]),
  maturity: charts.maturityChart(evaluations),
  bounds: charts.boundsChart(certificate.scopes[0], 0.05),
  waterfall: charts.waterfallChart(certificate.scopes[0]),
  frontier: charts.frontierChart(points, [[[0.9, 0.1], [0.5, 0.5]], [[0.8, 0.2], [0.4, 0.6]]]),
  "nash gap": charts.nashGapChart([{
    name: "averaged",
    points: [10, 30, 100, 300].map((steps) => ({ steps, gap: 2 / Math.sqrt(steps) })),
  }]),
  forgetting: charts.forgettingChart([
    ...["with plasticity", "without"].flatMap((variant) =>
      ["E1", "E2"].map((name) => ({
        ...{ name, variant },
        points: [{ after: "s1", rate: rate(1) }, { after: "s2", rate: rate(5) }],
      }))
    ),
  ]),
  fisher: charts.fisherChart(
    charts.fisherRows(new Map([["w", [0, 1e-6, 1e-3]], ["zeros", [0, 0]]])),
  ),
};

for (const [name, spec] of Object.entries(ALL)) {
  Deno.test(`charts: ${name} draws in silence, has words, and keeps to Vega-Lite 5`, async () => {
    const warnings: unknown[] = [];
    const { warn } = console;
    console.warn = (...words) => warnings.push(words);
    const svg = await toSvg(spec).finally(() => console.warn = warn);
    assertEquals(warnings, []);
    assert(svg.startsWith("<svg") && /<path|<line|<text/.test(svg));
    assertEquals(svg.match(/NaN|undefined|Infinity/), null);
    assert(describe(spec).length > 10, describe(spec));
    assert(String(spec.$schema).endsWith("/v5.json"));
  });
}

Deno.test("charts: with every rate stands its interval", () => {
  for (const name of ["families", "ablations", "maturity", "forgetting"]) {
    const rows = valuesOf(ALL[name], "values").flat().filter((row) => row.rate !== undefined);
    assert(rows.length > 0, name);
    for (const { rate, low, high } of rows) assert(low <= rate && rate <= high && low < high, name);
    const rules = valuesOf(ALL[name], "mark").filter((mark) => mark.type === "rule");
    assert(rules.length > 0, `${name}: rules`);
  }
});

Deno.test("charts: thresholds stand beside the decisions they led to", () => {
  const rows = valuesOf(ALL.maturity, "values").flat();
  assertEquals(rows.map(({ action, threshold }) => [action, threshold]), [
    ["measured", undefined],
    ["promote", 90],
  ]);
});

Deno.test("charts: the chain of a certificate ends in its exact bound with patterns", () => {
  for (const scope of certificate.scopes) {
    const steps = charts.chainOf(scope);
    steps.slice(1).forEach(({ from }, i) => assertEquals(from, steps[i].to));
    const exact = (name: string) => scope.bounds.find((bound) => bound.name === name)!.value!;
    assertAlmostEquals(steps[2].to, exact("exact, without patterns"), 1e-12);
    assertAlmostEquals(steps[3].to, exact("exact, patterns on escapes"), 1e-12);
  }
});

Deno.test("charts: the front holds what nothing dominates", () => {
  assertEquals(charts.frontNames(points), ["a", "b", "d"]);
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { minLength: 1, maxLength: 12 }),
    (pairs) => {
      const all = pairs.map(([c, s], i) => point(`${i}`, c, s));
      const best = new Set(charts.frontNames(all));
      const beats = ([a, b]: readonly number[], [c, d]: readonly number[]) =>
        a >= c && b >= d && (a > c || b > d);
      return pairs.every((pair, i) => best.has(`${i}`) !== pairs.some((one) => beats(one, pair)));
    },
  ));
});

Deno.test("charts: the slope of a gap is fitted and named with its interval", () => {
  const exact = [10, 30, 100, 300].map((steps) => ({ steps, gap: 2 / Math.sqrt(steps) }));
  assertAlmostEquals(charts.gapLaw({ name: "", points: exact }).slope, -0.5, 1e-12);
  assert(describe(ALL["nash gap"]).includes("slope -0.50 [-0.50, -0.50]"));
  assertThrows(() => charts.nashGapChart([{ name: "two", points: exact.slice(2) }]));
});

Deno.test("charts: quantiles of a Fisher diagonal, and shares of its sum", () => {
  const values = Array.from({ length: 101 }, (_, i) => i);
  const [row, other] = charts.fisherRows(new Map([["a", values], ["b", [5050]]]));
  assertEquals(row.quantiles, [5, 25, 50, 75, 95]);
  assertEquals([row.share, other.share], [0.5, 0.5]);
});

Deno.test("charts: a dark picture has no light paper and a light one no dark", async () => {
  const [light, dark] = [await toSvg(ALL.bounds, "light"), await toSvg(ALL.bounds, "dark")];
  assert(light.includes(LIGHT.background) && !light.includes(DARK.background));
  assert(dark.includes(DARK.background) && !dark.includes(LIGHT.background));
  assert(!dark.includes(LIGHT.ink) && dark.includes(DARK.ink));
  assertEquals((await toSvg(ALL.bounds, "page")).includes("<style"), false);
  const [one, other] = [await toPng(ALL.bounds), await toPng(ALL.bounds, "dark")];
  if (one && other) assert(one.length > 1000 && !one.every((byte, i) => byte === other[i]));
});

Deno.test("charts: outside a notebook, show tells what a chart says", async () => {
  const said: string[] = [];
  const { log } = console;
  console.log = (text) => said.push(text);
  try {
    await show(ALL.frontier);
    await show(ALL.frontier, "in my words");
    await showText("and this");
  } finally {
    console.log = log;
  }
  assertEquals(said, [describe(ALL.frontier), "in my words", "and this"]);
});
