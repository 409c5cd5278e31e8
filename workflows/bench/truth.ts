/**
 * Whether an answer is right, decided before anything is timed: a fast wrong kernel is worth nothing.
 *
 * Products are recomputed in float64 from their definition. A training step has no such simple truth: its first loss must
 * be near ln V, it must fall, and libraries must agree with each other at every step.
 */
import { CHAINS, STEPS_PER_TURN } from "../../kernels/roof/roof.ts";
import { parameterCount, type PolicyConfig } from "../../kernels/policy/config.ts";
import {
  INITIAL,
  matmulInputs,
  type MatmulTask,
  RECURRENCE,
  sampledEntries,
  type Task,
} from "./contest.ts";
import { operationTruth } from "./operations.ts";

/** Training steps whose losses are looked at. */
export const COMPARED_STEPS = 3;
/** Largest norm(error) / norm(truth) of a product. */
export const MATMUL_LIMIT = 1e-4;
/** Largest distance of the first loss from the one expected of the initial weights. */
export const FIRST_LOSS_LIMIT = 0.1;
/** Largest relative difference between two libraries' losses at the same step, from equal weights. */
export const LOSS_LIMIT = 1e-4;
/** Largest difference of a token's log-probability between two ways to generate it. */
export const LOG_PROB_LIMIT = 1e-3;

const STEPS: ReadonlySet<Task["kind"]> = new Set(["gpt step", "imprint step", "nursery step"]);

/** How often a task's workload is run for its answers. */
export function checkedRuns(task: Task): number {
  return STEPS.has(task.kind) ? COMPARED_STEPS : 1;
}

/** What is wrong with a library's answers to a task, or null. */
export function problemWith(task: Task, answers: readonly number[]): string | null {
  if (!answers.every(Number.isFinite)) return "an answer is not a finite number";
  switch (task.kind) {
    case "wait":
      return null;
    case "arithmetic":
      return far(answers, [settled(0), settled((task.values - 1) / task.values)], 1e-5);
    case "copy":
      return far(answers, [0, (task.bytes / 4 - 1) % 4096], 0);
    case "matmul":
      return far(answers, trueEntries(task), MATMUL_LIMIT);
    case "kernel": {
      const { operation, config, rows, length } = task;
      const count = operation === "adamw" ? parameterCount(config) : rows * length;
      return far(answers, operationTruth(task, count), MATMUL_LIMIT);
    }
    case "imprint step": // The prior is the policy itself: the first KL is zero.
    case "gpt step":
      return lossProblem(answers, firstLoss(task.config));
    case "nursery step":
      return lossProblem(answers, null);
    case "generate": {
      const wanted = task.batch * task.maxNew;
      if (answers.length !== wanted) return `${answers.length} of ${wanted} tokens were made`;
      return answers.every((logProb) => logProb <= 0) ? null : "a probability is above 1";
    }
    case "fisher": {
      const [sum, least] = answers;
      return least >= 0 && sum > 0 ? null : `squares that sum to ${sum}, the least ${least}`;
    }
    case "memory":
    case "stories":
      return answers.length > 0 && answers.every((value) => value > 0) ? null : "an empty answer";
  }
}

/** Where the answers of two contestants to one task part, or null. Products and kernels have a truth of their own. */
export function disagreement(
  task: Task,
  answers: readonly number[],
  reference: readonly number[],
): string | null {
  const limit = agreementLimit(task, reference);
  if (limit === null) return null;
  const what = task.kind === "generate"
    ? "log-probability"
    : STEPS.has(task.kind)
    ? "loss"
    : "character";
  if (answers.length !== reference.length) {
    return `${answers.length} answers (${what}), expected ${reference.length}`;
  }
  const at = answers.findIndex((value, i) => !(Math.abs(value - reference[i]) <= limit(i)));
  return at < 0 ? null : `${what} ${answers[at]} at ${at}, expected ${reference[at]}`;
}

function agreementLimit(
  { kind }: Task,
  reference: readonly number[],
): ((at: number) => number) | null {
  if (STEPS.has(kind)) return (at) => LOSS_LIMIT * Math.abs(reference[at]);
  if (kind === "generate") return () => LOG_PROB_LIMIT;
  return kind === "stories" ? () => 0 : null;
}

/** Sampled entries of a product in float64, straight from the definition. */
export function trueEntries(task: MatmulTask): number[] {
  const { form, m, n, k } = task;
  const { a, b } = matmulInputs(task);
  return sampledEntries(task).map((at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let l = 0; l < k; l++) {
      sum += (form === "tn" ? a[l * m + i] : a[i * k + l]) *
        (form === "nt" ? b[j * k + l] : b[l * n + j]);
    }
    return sum;
  });
}

/** The arithmetic roof's result, step by step in float64. */
function settled(start: number): number {
  const { a, b, turns } = RECURRENCE;
  const x = Array.from({ length: CHAINS }, (_, chain) => (chain + 1) * start);
  for (let step = 0; step < STEPS_PER_TURN * turns; step++) {
    for (let chain = CHAINS - 1; chain >= 0; chain--) x[chain] = x[chain] * a + (x[chain - 1] ?? b);
  }
  return x.reduce((sum, value) => sum + value);
}

function far(got: readonly number[], want: readonly number[], limit: number): string | null {
  if (got.length !== want.length) return `${got.length} answers, expected ${want.length}`;
  const norm = (values: readonly number[]) => Math.hypot(...values);
  const error = norm(want.map((value, i) => got[i] - value)) / (norm(want) || 1);
  return error <= limit ? null : `error ${error.toExponential(1)}, at most ${limit} is right`;
}

/** ln V, and half the variance of the logits: normed states of `width` values times weights of a small standard deviation. */
function firstLoss({ vocabSize, width }: PolicyConfig): number {
  return Math.log(vocabSize) + width * INITIAL.std ** 2 / 2;
}

function lossProblem(losses: readonly number[], first: number | null): string | null {
  if (losses.length !== COMPARED_STEPS) {
    return `${losses.length} losses, expected ${COMPARED_STEPS}`;
  }
  if (first !== null && Math.abs(losses[0] - first) > FIRST_LOSS_LIMIT) {
    return `first loss ${losses[0].toFixed(3)}, expected ${first.toFixed(3)}`;
  }
  return losses.at(-1)! < losses[0] ? null : `the loss does not fall: ${losses.join(", ")}`;
}
