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
import {
  clopperPearson,
  clopperPearsonLower,
  clopperPearsonUpper,
  regularizedBeta,
} from "../theory/intervals.ts";
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

/**
 * Computes the expected values of a kind by their names; names that it leaves out are not covered.
 */
type Solve = (inputs: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;

/** Takes inputs apart by a schema first. */
function solve<T>(schema: z.ZodType<T>, solution: (inputs: T) => ReturnType<Solve>): Solve {
  return (inputs) => {
    const { success, data, error } = schema.safeParse(inputs);
    if (success) return solution(data);
    const [{ path, message }] = error.issues;
    throw new InputError(`inputs.${path.join(".")}: ${message}`);
  };
}

const KINDS: Readonly<Record<string, Solve>> = {
  "infant.binomial-interval": solve(
    z.object({ k: z.int(), n: z.int().min(1), conf: z.number() }),
    ({ k, n, conf }) => {
      const { low, high } = clopperPearson(k, n, conf);
      const upper = clopperPearsonUpper(k, n, conf);
      const lower = clopperPearsonLower(k, n, conf);
      return {
        phat: k / n,
        cpLower: low,
        cpUpper: high,
        cpUpperOneSided: upper,
        cpLowerOneSided: lower,
      };
    },
  ),
  "infant.interval-coverage": solve(
    z.object({ n: z.int().min(1), p: z.number().gt(0).lt(1), conf: z.number() }),
    ({ n, p, conf }) => {
      let covered = 0;
      for (let k = 0; k <= n; k++) {
        const { low, high } = clopperPearson(k, n, conf);
        if (low <= p && p <= high) covered += atMost(k, n, p) - atMost(k - 1, n, p);
      }
      return { clopperPearson: covered };
    },
  ),
};

/** Probability of at most k successes in n trials: I_(1-p)(n - k, k + 1). */
function atMost(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  return k >= n ? 1 : regularizedBeta(1 - p, n - k, k + 1);
}

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
export function verifyAnswer(answer: Answer): CaseResult {
  const { id, inputs, expected, tolerance } = answer;
  const solution = KINDS[kindOf(answer)];
  const names = Object.keys(expected);
  if (!solution) return { id, checks: [], notCovered: names };
  let got: ReturnType<Solve>;
  try {
    got = solution(inputs);
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
