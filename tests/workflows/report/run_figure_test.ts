import { InputError } from "../../../kernels/errors.ts";
import type { Headline } from "../../../workflows/evaluate/nursery_exam.ts";
import { recordScores } from "../../../workflows/evaluate/scores.ts";
import { figuresCommand } from "../../../workflows/cli/figures.ts";
import { runCommand } from "../../../workflows/cli/command.ts";
import type { MetricsRow } from "../../../workflows/logging/run_log.ts";
import { rateOf } from "../../../workflows/nursery/score.ts";
import { displayable, PALETTE, toSvg } from "../../../workflows/report/chart.ts";
import { examChart, lossChart } from "../../../workflows/report/charts/mod.ts";
import { figureSpec, readRun, runFigure } from "../../../workflows/report/run_figure.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";

const METRICS: readonly MetricsRow[] = [
  { stage: "pretrain", step: 1, global_step: 1, loss: 6, num_tokens: 100 },
  { stage: "pretrain", step: 2, global_step: 2, loss: 3, num_tokens: 200 },
  { stage: "pretrain", step: 2, global_step: 2, eval_loss: 2.5 },
  { stage: "imprint", step: 1, global_step: 3, loss: 2, num_tokens: 50 },
  { stage: "imprint", step: 2, global_step: 4, loss: null, num_tokens: 100 },
  { stage: "imprint", step: 2, global_step: 4, eval_loss: 1.5 },
];

function scoresOf(k: number, n = 40): Headline {
  const rate = rateOf(k, n);
  return {
    facts: rate,
    instructions: rateOf(0, 0),
    refusals: rate,
    overRefusal: rate,
    overRefusalWrapped: rate,
    neither: rate,
    harmless: rate,
    violation: rate,
    violationSeen: rate,
    violationUnseen: rate,
  };
}
const SCORES = { untrained: scoresOf(0), pretrain: scoresOf(10), imprint: scoresOf(40) };

/** Deep search: all values of `key` in a specification. */
function valuesOf(node: unknown, key: string): unknown[] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([name, value]) => [
    ...(name === key ? [value] : []),
    ...valuesOf(value, key),
  ]);
}

/** Throws where tags do not nest; enough XML for a generated SVG. */
function checkWellFormed(svg: string): void {
  const open: string[] = [];
  for (const [tag, slash, name, selfClosing] of svg.matchAll(/<(\/?)([\w:-]+)[^<>]*?(\/?)>/g)) {
    if (slash) assertEquals(open.pop(), name, tag);
    else if (!selfClosing) open.push(name);
  }
  assertEquals(open, []);
  assertEquals(svg.replaceAll(/<[^<>]*>/g, "").match(/[<>]/), null);
}

/** Whether an SVG would fetch anything when it is shown. */
function references(svg: string): string[] {
  const addresses = svg.replaceAll(/xmlns(:\w+)?="[^"]*"/g, "");
  return addresses.match(/(https?:)?\/\/[^"') ]+|url\([^)]*\)|\bhref=|@import|<script/g) ?? [];
}

Deno.test("report: losses stand at the tokens of the whole run, and what is not finite is left out", () => {
  const { data } = lossChart(METRICS) as { data: { values: unknown[] } };
  assertEquals(data.values, [
    { policy: "pretrain", tokens: 100, loss: 6, heldOut: false },
    { policy: "pretrain", tokens: 200, loss: 3, heldOut: false },
    { policy: "pretrain", tokens: 200, loss: 2.5, heldOut: true },
    { policy: "imprint", tokens: 250, loss: 2, heldOut: false },
    { policy: "imprint", tokens: 300, loss: 1.5, heldOut: true },
  ]);
});

Deno.test("report: every rate is drawn with its interval, and what was not asked is left out", () => {
  const rows = valuesOf(examChart(SCORES), "values").flat() as Record<string, unknown>[];
  assertEquals(rows.length, 9 * 3); // ten measures, one of them without dialogues
  const { low, high } = rateOf(10, 40);
  assertEquals(
    rows.find(({ measure, policy }) => measure === "refusals of harm" && policy === "pretrain"),
    {
      measure: "refusals of harm",
      policy: "pretrain",
      rate: 25,
      low: 100 * low,
      high: 100 * high,
      k: 10,
      n: 40,
    },
  );
  assertEquals(rows.some(({ measure }) => measure === "instructions"), false);
});

Deno.test("report: one colour a policy, the same in both panels, and none twice", () => {
  const domains = valuesOf(figureSpec({ metrics: METRICS, scores: SCORES }), "domain")
    .filter((domain) => Array.isArray(domain) && typeof domain[0] === "string");
  assert(domains.length > 2);
  for (const domain of domains) assertEquals(domain, ["untrained", "pretrain", "imprint"]);
  assertEquals(new Set(PALETTE).size, PALETTE.length);
});

Deno.test("report: the figure is well-formed SVG that refers to nothing outside", async () => {
  const svg = await runFigure({ metrics: METRICS, scores: SCORES });
  checkWellFormed(svg);
  assertEquals(references(svg), []);
  for (const text of ["facts", "over-refusal", "untrained", "imprint", "tokens trained on"]) {
    assert(svg.includes(`>${text}<`), text);
  }
  for (const colour of PALETTE.slice(0, 3)) assert(svg.includes(colour), colour);
  assert(svg.includes("prefers-color-scheme: dark"));
});

Deno.test("report: the checks of an SVG find what is wrong", async () => {
  assertEquals(references('<svg><image href="https://a.example/b.png"/></svg>').length, 2);
  await assertRejects(() => Promise.resolve().then(() => checkWellFormed("<svg><g></svg>")));
});

Deno.test("report: text with marks of XML is escaped", async () => {
  checkWellFormed(await toSvg({ data: { values: [{ x: 1 }] }, mark: "point", title: "a < b & c" }));
});

Deno.test("report: a run without an exam is drawn as its loss alone", async () => {
  const spec = figureSpec({ metrics: METRICS.slice(0, 3), scores: {} });
  assertEquals(valuesOf(spec, "yOffset"), []);
  checkWellFormed(await toSvg(spec));
});

Deno.test("report: a notebook gets Vega-Lite 5, a picture and text", async () => {
  const content = await displayable(lossChart(METRICS), "loss 6 -> 2")[
    Symbol.for("Jupyter.display")
  ]();
  assertEquals(content["text/plain"], "loss 6 -> 2");
  const chart = content["application/vnd.vegalite.v5+json"] as { $schema: string };
  assert(chart.$schema.endsWith("/v5.json"));
  const png = Uint8Array.fromBase64(content["image/png"] as string);
  assertEquals([...png.subarray(1, 4)], [..."PNG"].map((c) => c.charCodeAt(0)));
});

Deno.test("report: the command draws a run folder; without metrics it says what it needs", async () => {
  const folder = await Deno.makeTempDir();
  const output = { stdout: () => {}, stderr: (text: string) => lines.push(text) };
  const lines: string[] = [];
  try {
    await assertRejects(() => readRun(folder), InputError, "no metrics.jsonl");
    assertEquals(await runCommand(figuresCommand, ["--run", folder], output), 2);
    assertEquals(await runCommand(figuresCommand, [], output), 2);
    const rows = METRICS.map((row) => `${JSON.stringify(row)}\n`).join("");
    await Deno.writeTextFile(`${folder}/metrics.jsonl`, rows);
    for (const [name, scores] of Object.entries(SCORES)) await recordScores(folder, name, scores);
    assertEquals(Object.keys((await readRun(folder)).scores), Object.keys(SCORES));
    assertEquals(await runCommand(figuresCommand, ["--run", folder], output), 0);
    checkWellFormed(await Deno.readTextFile(`${folder}/figure.svg`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
