/**
 * Known answers: numbers computed elsewhere, against the public function that gives them here.
 *
 * A file is `{"cases": [{"id": "area.kind/number", "inputs", "expected", "tolerance"}]}`. A number
 * passes when |got - want| <= tolerance * max(1, |want|); strings, booleans, null and lengths must
 * be equal; infinities are the strings "Infinity" and "-Infinity".
 */
import { z } from "zod";
import { InputError } from "../../kernels/errors.ts";
import { readJson } from "../model_files/files.ts";
import { BOUND_KINDS } from "./answers/bounds.ts";
import { GAME_KINDS } from "./answers/games.ts";
import { OBJECTIVE_KINDS } from "./answers/objective.ts";
import { PARETO_KINDS } from "./answers/pareto.ts";
import { SAAA_KINDS } from "./answers/saaa.ts";
import { SAFETY_KINDS } from "./answers/safety.ts";
import type { Kinds, Solution } from "./answers/solve.ts";
import { STATISTICS_KINDS } from "./answers/statistics.ts";
import type { CaseResult, Check } from "./result.ts";

const FILE = z.object({
  cases: z.array(z.object({
    id: z.string().regex(/^[\w-]+\.[\w-]+\/\d+$/, "must be area.kind/number"),
    inputs: z.record(z.string(), z.unknown()),
    expected: z.record(z.string(), z.unknown()),
    tolerance: z.number().min(0),
  })).min(1),
});

/** One known answer. */
export type Answer = z.infer<typeof FILE>["cases"][number];

const KINDS: Kinds = {
  ...BOUND_KINDS,
  ...GAME_KINDS,
  ...OBJECTIVE_KINDS,
  ...PARETO_KINDS,
  ...SAFETY_KINDS,
  ...STATISTICS_KINDS,
  ...SAAA_KINDS,
};

/** Reads a file of known answers. @throws {InputError} naming what is malformed. */
export async function readAnswers(path: string): Promise<Answer[]> {
  const { success, data, error } = FILE.safeParse(await readJson(path));
  if (success) return data.cases;
  const [{ path: place, message }] = error.issues;
  throw new InputError(`${path}: ${place.join(".")}: ${message}`);
}

/** Kind of an answer: its id without the number. */
export function kindOf({ id }: Pick<Answer, "id">): string {
  return id.slice(0, id.indexOf("/"));
}

/**
 * Compares one answer with what this build computes.
 * @throws {InputError} naming the case, when its inputs are malformed.
 */
export async function verifyAnswer(answer: Answer): Promise<CaseResult> {
  const { id, inputs, expected, tolerance } = answer;
  const solution = KINDS[kindOf(answer)];
  const names = Object.keys(expected);
  if (!solution) return { id, checks: [], notCovered: names };
  let got: Solution;
  try {
    got = await solution(inputs);
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${id}: ${error.message}`) : error;
  }
  const checks = names.filter((name) => Object.hasOwn(got, name)).map((name): Check => ({
    quantity: name,
    worst: answerError(got[name], expected[name]),
    limit: tolerance,
  }));
  return { id, checks, notCovered: names.filter((name) => !Object.hasOwn(got, name)) };
}

/**
 * Largest |got - want| / max(1, |want|) of all numbers in a value; infinite where anything else
 * differs.
 */
export function answerError(got: unknown, want: unknown): number {
  if (typeof got === "number") {
    const number = want === "Infinity" ? Infinity : want === "-Infinity" ? -Infinity : want;
    if (typeof number !== "number") return Infinity;
    if (got === number) return 0;
    const error = Math.abs(got - number) / Math.max(1, Math.abs(number));
    return Number.isNaN(error) ? Infinity : error;
  }
  if (typeof got !== "object" || got === null) return got === want ? 0 : Infinity;
  if (typeof want !== "object" || want === null) return Infinity;
  if (Array.isArray(got) !== Array.isArray(want)) return Infinity;
  const [left, right] = [got as Record<string, unknown>, want as Record<string, unknown>];
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].reduce((worst, key) => {
    if (!Object.hasOwn(left, key) || !Object.hasOwn(right, key)) return Infinity;
    return Math.max(worst, answerError(left[key], right[key]));
  }, 0);
}
