/** Descriptions, designs and keys: what a sweep is made of, before anything is computed. */
import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import { placeOf, startingSettings, valuesAt } from "../../../workflows/sweep/design.ts";
import { hashJson, Keys } from "../../../workflows/sweep/key.ts";
import { Planner } from "../../../workflows/sweep/plan.ts";
import { SWEEPS } from "../../../workflows/sweep/presets.ts";
import { parseSpec, type Range, type SweepSpec } from "../../../workflows/sweep/spec.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../assert.ts";

const spec = (text: string, ...overrides: string[]): SweepSpec =>
  parseSpec({ file: { path: "s.yaml", text }, overrides });
const NURSERY =
  "train: {preset: nursery-imprint}\nsearch: {grid: {stages.imprint.rho: [0.01, 0.1]}}";

Deno.test("spec: one clear line for every mistake", () => {
  const cases: readonly (readonly [text: string, line: string])[] = [
    [
      "",
      "s.yaml: search is missing: it says which keys vary (grid, list, named, latin_hypercube or adaptive)",
    ],
    ["serach: {}\nsearch: {list: [{a: 1}]}", 's.yaml: unknown key serach (did you mean "search"?)'],
    ["search: {gird: {a: [1]}}", 's.yaml: unknown key search.gird (did you mean "grid"?)'],
    [
      "search: {grid: {a: [1]}, list: [{a: 1}]}",
      "s.yaml: search needs exactly one of grid, list, named, latin_hypercube and adaptive, found grid and list",
    ],
    [
      "search: {grid: {a: []}}",
      "s.yaml: search.grid.a must be a list that is not empty, found an empty list",
    ],
    [`${NURSERY}\nseeds: [1, 1]`, "s.yaml: seeds has one seed twice"],
    [`${NURSERY}\nseeds: [-1]`, "s.yaml: seeds.0 must be at least 0, found -1"],
    [
      `${NURSERY}\nobjectives: [safety_seen]`,
      "s.yaml: objectives must be two different measures to trade off, found [safety_seen]",
    ],
    [
      `${NURSERY}\ncapability: {facts: 0.5}`,
      "s.yaml: capability must have weights of sum 1, found 0.5",
    ],
    [
      "search: {latin_hypercube: {points: 3, keys: {a: {low: 2, high: 1}}}}",
      "s.yaml: search.latin_hypercube.keys.a.high must be above low (2), found 1",
    ],
    [
      "search: {latin_hypercube: {points: 3, keys: {a: {low: 0, high: 1, scale: log}}}}",
      "s.yaml: search.latin_hypercube.keys.a.low must be above 0 on a log scale, found 0; scale: square begins at 0",
    ],
    [
      "search: {adaptive: {keys: {a: {low: 0, high: 1}}, rule: tchebycheff}}",
      "s.yaml: search.adaptive.targets must not be empty: tchebycheff needs them",
    ],
    [
      "search: {adaptive: {keys: {a: {low: 0, high: 1}}, start: 5, points: 4}}",
      "s.yaml: search.adaptive.points must be at least start (5), found 4",
    ],
    [
      `point: f.ts\nshared: [a]\n${NURSERY}`,
      "s.yaml: point names a module, which is measured instead of training: leave out train, shared",
    ],
  ];
  for (const [text, line] of cases) {
    assertEquals(assertThrows(() => spec(text), InputError).message, line);
  }
});

Deno.test("spec: overrides reach into the description and into the training configuration", () => {
  const { seeds, train, exam } = spec(
    NURSERY,
    "seeds=[4,5]",
    "train.stages.all.steps=3",
    "exam.dialogues=9",
  );
  assertEquals([seeds, exam.dialogues], [[4, 5], 9]);
  assertEquals(train, { preset: "nursery-imprint", stages: { all: { steps: 3 } } });
});

Deno.test("plan: mistakes in a point's configuration name the point and the key", async () => {
  const fails = async (text: string, line: string) => {
    const plan = async () => {
      const parsed = spec(text);
      await new Planner(parsed).points(startingSettings(parsed.search));
    };
    const error = await assertRejects(plan, InputError);
    assertEquals(error.message, line);
  };
  await fails(
    "search: {grid: {stages.imprint.rho: [0.1, -1]}}",
    "point stages.imprint.rho=-1: stages.imprint.rho must be at least 0, found -1",
  );
  await fails(
    "search: {grid: {stages.imprint.roh: [0.1]}}",
    'point stages.imprint.roh=0.1: unknown key stages.imprint.roh (did you mean "rho"?)',
  );
  await fails(
    `${NURSERY}\nobjectives: [capability, safty_seen]`,
    'there is no measure "safty_seen" (did you mean "safety_seen"?)',
  );
  await fails(
    `${NURSERY}\nshared: [imprint]`,
    "point stages.imprint.rho=0.01: shared must name the first stages in their order and leave one to the " +
      "points: found [imprint] of [pretrain, imprint]",
  );
});

Deno.test("plan: a grid has all combinations, each with every seed; they share their first stages", async () => {
  const parsed = spec(
    "train: {preset: nursery-imprint}\n" +
      "search: {grid: {stages.imprint.rho: [0.01, 0.1], stages.imprint.steps: [5, 10]}}\n" +
      "seeds: [3, 4]\nshared: [pretrain]\nshared_seed: 9",
  );
  const points = await new Planner(parsed).points(startingSettings(parsed.search));
  assertEquals(points.length, 8);
  assertEquals(new Set(points.map(({ key }) => key)).size, 8);
  assertEquals(points.map(({ seed }) => seed).slice(0, 4), [3, 4, 3, 4]);
  const works = points.map(({ work }) => work.kind === "training" ? work : null);
  assertEquals(
    works.map((work) => work!.shared!.config.stages.map(({ name }) => name).join()),
    Array(8).fill("pretrain"),
  );
  // One seed and one configuration: all points share one training of the first stage.
  assertEquals(new Set(works.map((work) => work!.shared!.key)).size, 1);
  assertEquals([works[0]!.shared!.config.seed, works[0]!.config.seed], [9, 3]);
});

Deno.test("keys: they know configuration, seed, exam and data, and not the order, place or adapter", async () => {
  const keys = new Keys();
  const { config } = resolveConfig();
  const exam = { dialogues: 5, temperature: 0, max_new_tokens: 8 };
  const work = { kind: "training", config, shared: null, exam, capability: { facts: 1 } } as const;
  const point = { work, values: {}, seed: 1 };
  const key = await keys.ofPoint(point);
  const same = { ...work, config: { ...config, out: "elsewhere", adapter: "software" } };
  assertEquals(await keys.ofPoint({ ...point, work: same }), key);
  const others = [
    { ...point, seed: 2 },
    { ...point, work: { ...work, config: { ...config, precision: "f16" as const } } },
    { ...point, work: { ...work, exam: { ...exam, dialogues: 6 } } },
    { ...point, work: { ...work, capability: { harmless: 1 } } },
  ];
  for (const other of others) assert(await keys.ofPoint(other) !== key);
  assertEquals(hashJson({ a: 1, b: [2] }), hashJson({ b: [2], a: 1 }));
  assert(hashJson([1, 2]) !== hashJson([2, 1]));

  const folder = await Deno.makeTempDir();
  const path = `${folder}/f.ts`;
  const keyOf = async (text: string) => {
    await Deno.writeTextFile(path, text);
    return await new Keys().ofPoint({ work: { kind: "module", path }, values: {}, seed: 0 });
  };
  assert(await keyOf("1") !== await keyOf("2"));
  await Deno.remove(folder, { recursive: true });
  const gone = { work: { kind: "module", path } as const, values: {}, seed: 0 };
  await assertRejects(() => new Keys().ofPoint(gone), InputError, `${path} does not exist`);
});

Deno.test("designs: a Latin hypercube has one point in each part of every range", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 12 }),
    fc.integer({ min: 1, max: 4 }),
    fc.nat(),
    (points, dimensions, seed) => {
      const range: Range = { low: 0, high: points, scale: "linear", whole: false };
      const keys = Object.fromEntries(
        Array.from({ length: dimensions }, (_, k) => [`k${k}`, range]),
      );
      const settings = startingSettings({ latin_hypercube: { keys, points, seed } });
      for (const key in keys) {
        const parts = settings.map((values) =>
          Math.min(points - 1, Math.floor(values[key] as number))
        );
        assertEquals(parts.sort((a, b) => a - b), Array.from({ length: points }, (_, i) => i));
      }
    },
  ));
});

Deno.test("designs: scales lead there and back; an adaptive search starts at the corners", () => {
  const search = {
    keys: {
      a: { low: 0.01, high: 100, scale: "log", whole: false },
      b: { low: 0, high: 4, scale: "square", whole: false },
    },
    points: 9,
    start: 6,
    rule: "gap",
    targets: [],
    resolution: 0.01,
  } as const;
  assertEquals(valuesAt(search.keys, [0.5, 0.5]), { a: 1, b: 1 });
  fc.assert(fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (u) => {
    for (const at of placeOf(search, valuesAt(search.keys, [u, u]))) {
      assertAlmostEquals(at, u, 1e-4);
    }
  }));
  const start = startingSettings({ adaptive: search });
  assertEquals(start.slice(0, 4), [
    { a: 0.01, b: 0 },
    { a: 100, b: 0 },
    { a: 0.01, b: 4 },
    { a: 100, b: 4 },
  ]);
  assertEquals(start.length, 6);
});

Deno.test("plan: the toolkit's own sweeps are valid, and those of one programme share its pretraining", async () => {
  const shared = new Map<string, Set<string>>();
  for (const [name, text] of Object.entries(SWEEPS)) {
    const spec = parseSpec({ file: { path: name, text } });
    const points = await new Planner(spec).points(startingSettings(spec.search));
    assertEquals(new Set(points.map(({ key }) => key)).size, points.length, name);
    const keys = points.map(({ work }) => work.kind === "training" ? work.shared!.key : "");
    shared.set(name, new Set(keys));
    if (name === "lambda") assert(points.length >= 36 && spec.seeds.length >= 3);
    assertEquals(shared.get(name)!.size, spec.seeds.length, name);
  }
  assert(shared.get("ablations")!.isSubsetOf(shared.get("seeds")!));
  assert(!shared.get("lambda")!.isSubsetOf(shared.get("seeds")!));
});
