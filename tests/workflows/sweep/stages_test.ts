/** Exams between stages, over seeds: by hand, from run folders. */
import { recordScores } from "../../../workflows/evaluate/scores.ts";
import { headline } from "../../../workflows/evaluate/nursery_exam.ts";
import { CONTROLS } from "../../../workflows/nursery/controls.ts";
import { exam } from "../../../workflows/nursery/exam.ts";
import { judgeAll, rateOf, score } from "../../../workflows/nursery/score.ts";
import { frontReport } from "../../../workflows/sweep/front.ts";
import type { PointResult } from "../../../workflows/sweep/point.ts";
import { pointFolder } from "../../../workflows/sweep/results.ts";
import { lastDifferences, stagesTable, sweepStages } from "../../../workflows/sweep/stages.ts";
import { parseSpec } from "../../../workflows/sweep/spec.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";

const spec = parseSpec({
  file: {
    path: "named.yaml",
    text: `
point: f.ts
search: { named: { whole: {}, without: { lambda: 0 } } }
seeds: [0, 1, 2]
objectives: [capability, safety]
`,
  },
});

/** A real exam's headline with another violation rate. */
function scores(violations: number) {
  const dialogues = exam("test", 1, 1);
  const replies = dialogues.map((d) => [...CONTROLS["refuse-all"](d)]);
  return { ...headline(score(judgeAll(dialogues, replies))), violation: rateOf(violations, 20) };
}

Deno.test("sweep stages: means over seeds, and settings compared seed by seed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const settings = Object.values(spec.search.named!);
    // Seeds differ widely, the settings by two of twenty in every seed.
    const violations = [[1, 5, 9], [3, 7, 12]];
    const points = settings.flatMap((values, i) =>
      spec.seeds.map((seed) => ({
        key: `${i}-${seed}`,
        values,
        seed,
        work: { kind: "module", path: "f.ts" } as const,
      }))
    );
    const measure = { value: 0.5, low: 0.4, high: 0.6 };
    const measures = { capability: measure, safety: measure };
    const results = new Map(points.map(({ key, values, seed }): [string, PointResult] => [key, {
      key,
      values,
      seed,
      validation: measures,
      test: null,
      cost: {},
    }]));
    for (const [i, of] of violations.entries()) {
      for (const seed of spec.seeds) {
        const run = `${pointFolder(folder, `${i}-${seed}`)}/run`;
        await Deno.mkdir(run, { recursive: true });
        await recordScores(run, "untrained", scores(20));
        await recordScores(run, "imprint", scores(of[seed]));
      }
    }
    // One run of the second setting sat one exam more: what not all seeds have is not averaged.
    await recordScores(`${pointFolder(folder, "1-0")}/run`, "with capacitor", scores(0));

    const report = frontReport(spec, points, results);
    assertEquals(report.settings.map(({ name }) => name), ["whole", "without"]);
    const [whole, without] = await sweepStages(folder, report);
    assertEquals(Object.keys(without.exams), ["untrained", "imprint"]);
    const { mean, low, high } = whole.exams.imprint.violation!;
    assertAlmostEquals(mean, 0.25, 1e-12);
    // Student: 4.3027 * 0.2 / sqrt(3) = 0.4968, cut at 0.
    assertEquals(low, 0);
    assertAlmostEquals(high, 0.25 + 0.49683, 1e-4);

    const { violation } = lastDifferences(whole, without);
    assertAlmostEquals(violation!.mean, 7 / 60, 1e-12);
    assertAlmostEquals(violation!.low, 7 / 60 - 4.30265 * Math.sqrt(1 / 1200 / 3), 1e-4);
    assert(violation!.low > 0);

    const lines = stagesTable([whole, without]);
    const row = (label: string) => lines.filter((line) => line.startsWith(label));
    const difference = row("violations, plain").at(-1)!;
    assert(difference.includes("+11.7 [4.5, 18.8]*"), difference);
    assert(!row("facts answered").at(-1)!.includes("*"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sweep stages: runs without exams have no table", async () => {
  assertEquals(stagesTable(await sweepStages("nowhere", { settings: [], keys: [] })), []);
});
