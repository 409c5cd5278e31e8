/**
 * The description of a sweep: what is trained, which keys vary and how, how often, and what is compared.
 *
 * The keys of `train` and the names in `search` are those of the training configuration (`stages.imprint.rho`), so that whatever
 * `deno task train` can be told can be swept.
 */
import { z } from "zod";
import { InputError } from "../../kernels/errors.ts";
import { parseSettings, type Settings } from "../config/files.ts";
import { explainIssue } from "../config/mistakes.ts";
import { parseOverride, setOverride } from "../config/overrides.ts";
import type { Issue } from "../config/schema.ts";
import { suggestion } from "../nearest.ts";

/** A range of numbers. */
export interface Range {
  /** Smallest value. */
  readonly low: number;
  /** Largest value. */
  readonly high: number;
  /** `square` is dense near the low end, for weights that begin at 0. */
  readonly scale: "linear" | "log" | "square";
  /** Only whole numbers. */
  readonly whole: boolean;
}

/** What an adaptive sweep seeks; the last three need targets. */
export const RULES = [
  "gap",
  "hypervolume",
  "weighted_sum",
  "tchebycheff",
  "epsilon_constraint",
] as const;

/** An adaptive search. */
export interface AdaptiveSearch {
  /** Ranges by key. */
  readonly keys: Readonly<Record<string, Range>>;
  /** Settings in all. */
  readonly points: number;
  /** Settings measured before anything is known. */
  readonly start: number;
  /** What is sought. */
  readonly rule: (typeof RULES)[number];
  /** Weights of the first objective, or floors of the second (epsilon_constraint), taken in turn. */
  readonly targets: readonly number[];
  /** Settings nearer than this share of the range are not told apart. */
  readonly resolution: number;
}

/** How values are chosen; exactly one entry is there. */
export interface Search {
  /** All combinations of these values. */
  readonly grid?: Readonly<Record<string, readonly unknown[]>>;
  /** These settings. */
  readonly list?: readonly Readonly<Record<string, unknown>>[];
  /** These settings, by the names that tables call them; the first is what the others are compared with. */
  readonly named?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Points that fill ranges evenly. */
  readonly latin_hypercube?: {
    /** Ranges by key. */
    readonly keys: Readonly<Record<string, Range>>;
    /** How many settings. */
    readonly points: number;
    /** Seed of the design. */
    readonly seed: number;
  };
  /** Points chosen by what was measured before. */
  readonly adaptive?: AdaptiveSearch;
}

/** The exam that every point sits, on validation and on test dialogues. */
export interface SweepExam {
  /** Dialogues per class and attack family. */
  readonly dialogues: number;
  /** 0: greedy. */
  readonly temperature: number;
  /** Longest reply in tokens. */
  readonly max_new_tokens: number;
}

/** A sweep. */
export interface SweepSpec {
  /** Training configuration that the points have in common, with an entry `preset` if it starts from one. */
  readonly train: Settings;
  /** Module whose default export is measured in the place of training; null: points are trained. */
  readonly point: string | null;
  /** Each setting is measured with each of them. */
  readonly seeds: readonly number[];
  /** How settings are chosen. */
  readonly search: Search;
  /** The first stages, trained once for each of their configurations and shared by all points. */
  readonly shared: readonly string[];
  /** Seed of the shared stages; null: that of the point. */
  readonly shared_seed: number | null;
  /** Weights of Eq. 53, by measure. */
  readonly capability: Readonly<Record<string, number>>;
  /** The two measures that are traded off. */
  readonly objectives: readonly [string, string];
  /** Floor of the second objective for lambda* (SAAA Eq. 24); null: none. */
  readonly minimum: number | null;
  /** The exam. */
  readonly exam: SweepExam;
}

const whole = (min: number) => z.int().min(min);

const range = z.strictObject({
  low: z.number().describe("smallest value"),
  high: z.number().describe("largest value"),
  scale: z.enum(["linear", "log", "square"]).default("linear")
    .describe("square is dense near the low end, for weights that begin at 0"),
  whole: z.boolean().default(false).describe("only whole numbers"),
}).superRefine(({ low, high, scale }, context) => {
  const fail = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (!(high > low)) fail("high", `must be above low (${low}), found ${high}`);
  if (scale === "log" && !(low > 0)) {
    fail("low", `must be above 0 on a log scale, found ${low}; scale: square begins at 0`);
  }
});
const ranges = z.record(z.string().min(1), range)
  .refine((keys) => Object.keys(keys).length > 0, "must name at least one key");

const adaptive = z.strictObject({
  keys: ranges,
  points: whole(2).default(12),
  start: whole(2).default(4),
  rule: z.enum(RULES).default("hypervolume"),
  targets: z.array(z.number().min(0).max(1)).default([]),
  resolution: z.number().gt(0).lt(1).default(0.01),
}).superRefine(({ keys, start, points, rule, targets }, context) => {
  const fail = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  const corners = 2 ** Object.keys(keys).length;
  if (start < corners) fail("start", `must be at least ${corners}, the corners of the ranges`);
  if (points < start) fail("points", `must be at least start (${start}), found ${points}`);
  const needed = rule !== "gap" && rule !== "hypervolume";
  if (needed && targets.length === 0) fail("targets", `must not be empty: ${rule} needs them`);
  if (!needed && targets.length > 0) fail("targets", `must be empty: ${rule} has none`);
});

const search = z.strictObject({
  grid: z.record(z.string().min(1), z.array(z.unknown()).min(1)).optional(),
  list: z.array(z.record(z.string().min(1), z.unknown())).min(1).optional(),
  named: z.record(z.string().min(1), z.record(z.string().min(1), z.unknown()))
    .refine((settings) => Object.keys(settings).length > 0, "must name at least one setting")
    .optional(),
  latin_hypercube: z.strictObject({ keys: ranges, points: whole(1), seed: whole(0).default(0) })
    .optional(),
  adaptive: adaptive.optional(),
}).superRefine((given, context) => {
  const names = Object.keys(given);
  if (names.length === 1) return;
  const found = names.length === 0 ? "none of them" : names.join(" and ");
  context.addIssue({
    code: "custom",
    message: `needs exactly one of grid, list, named, latin_hypercube and adaptive, found ${found}`,
  });
});

const exam = z.strictObject({
  dialogues: whole(1).default(60),
  temperature: z.number().min(0).default(0),
  max_new_tokens: whole(1).default(24),
});

const sweep: z.ZodType<SweepSpec> = z.strictObject({
  train: z.record(z.string(), z.unknown()).default({}),
  point: z.string().min(1).nullable().default(null),
  seeds: z.array(whole(0).max(2 ** 32 - 1)).min(1).default([0]),
  search,
  shared: z.array(z.string().min(1)).default([]),
  shared_seed: whole(0).max(2 ** 32 - 1).nullable().default(null),
  capability: z.record(z.string(), z.number().min(0))
    .default({ facts: 0.25, instructions: 0.5, harmless: 0.25 }),
  objectives: z.array(z.string().min(1)).default(["capability", "safety_seen"]),
  minimum: z.number().nullable().default(null),
  exam: exam.default(exam.parse({})),
}).superRefine(({ seeds, objectives, capability, point, train, shared }, context) => {
  const fail = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (new Set(seeds).size < seeds.length) fail("seeds", "has one seed twice");
  if (objectives.length !== 2 || objectives[0] === objectives[1]) {
    fail("objectives", `must be two different measures to trade off, found [${objectives}]`);
  }
  const sum = Object.values(capability).reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) > 1e-9) fail("capability", `must have weights of sum 1, found ${sum}`);
  if (point !== null && (Object.keys(train).length > 0 || shared.length > 0)) {
    fail("point", "names a module, which is measured instead of training: leave out train, shared");
  }
}) as unknown as z.ZodType<SweepSpec>;

/** Where the description of a sweep comes from. */
export interface SpecSources {
  /** A YAML file: its path, for messages, and its text. */
  readonly file: { readonly path: string; readonly text: string };
  /** `key=value` words, dotted paths in that file. */
  readonly overrides?: readonly string[];
}

/**
 * Reads and checks the description of a sweep.
 * @throws {InputError} one line naming the file, the key and what to change.
 */
export function parseSpec({ file, overrides = [] }: SpecSources): SweepSpec {
  let settings = parseSettings(file.text, file.path);
  for (const text of overrides) {
    const [key, value] = parseOverride(text);
    settings = setOverride(settings, key.split("."), value);
  }
  const checked = sweep.safeParse(settings);
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues as Issue[];
  throw new InputError(`${file.path}: ${mistake(issue, settings)}`);
}

function mistake(issue: Issue, settings: Settings): string {
  if (issue.code !== "unrecognized_keys") {
    const missing = issue.path.length === 1 && issue.path[0] === "search" &&
      settings.search === undefined;
    return missing
      ? "search is missing: it says which keys vary (grid, list, named, latin_hypercube or adaptive)"
      : explainIssue(issue, settings, []);
  }
  const key = String(issue.keys?.[0]);
  const where = [...issue.path, key].join(".");
  const known: Readonly<Record<string, readonly string[]>> = {
    "": Object.keys(DEFAULTS),
    search: ["grid", "list", "named", "latin_hypercube", "adaptive"],
    exam: Object.keys(DEFAULTS.exam),
    "search.adaptive": ["keys", "points", "start", "rule", "targets", "resolution"],
    "search.latin_hypercube": ["keys", "points", "seed"],
  };
  const valid = known[issue.path.join(".")] ?? ["low", "high", "scale", "whole"];
  return `unknown key ${where}${suggestion(key, valid)}`;
}

const DEFAULTS = sweep.parse({ search: { list: [{ x: 0 }] } });
