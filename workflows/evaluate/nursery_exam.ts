/**
 * The nursery's exam: a policy answers test dialogues, the oracle judges, and the controls sit the same exam.
 */
import { Generator } from "../../kernels/policy/generate.ts";
import type { Parameters } from "../../kernels/policy/parameters.ts";
import type { EvaluateConfig } from "../config/config.ts";
import { type Control, CONTROLS, majorityAnswer } from "../nursery/controls.ts";
import type { Dialogue } from "../nursery/dialogue.ts";
import { exam } from "../nursery/exam.ts";
import { judgeAll, type NurseryScore, type Rate, rateOf, score } from "../nursery/score.ts";
import type { Split } from "../nursery/splits.ts";
import { promptIds, replyWords, TOKEN } from "../nursery/tokens.ts";

/** Dialogues answered at once. */
const BATCH = 128;

/** How an exam is sat. */
export interface ExamOptions extends Pick<EvaluateConfig, "dialogues" | "temperature"> {
  /** Longest reply in tokens. */
  readonly max_new_tokens: number;
  /** Test unless the result decides something (then validation). */
  readonly split: Split;
  /** Seed of the dialogues and of sampling. */
  readonly seed: number;
  /**
   * Called with the number of dialogues answered; returning false stops the exam: replies not yet
   * given are empty, and judged as such.
   */
  readonly onProgress?: (done: number, of: number) => boolean | void;
}

/** A policy's replies to dialogues, as words, in the dialogues' order. */
export async function nurseryReplies(
  parameters: Parameters,
  dialogues: readonly Dialogue[],
  options: Omit<ExamOptions, "dialogues" | "split">,
): Promise<string[][]> {
  const prompts = dialogues.map(promptIds);
  // Prompts of like length go together: they are padded to the longest of their batch.
  const order = prompts.map((_, i) => i).sort((a, b) =>
    prompts[a].length - prompts[b].length || a - b
  );
  const maxNew = Math.min(options.max_new_tokens, parameters.config.context - 1);
  const generator = new Generator(parameters, { batch: BATCH, maxNew });
  const settings = {
    temperature: options.temperature,
    seed: options.seed,
    padToken: TOKEN.pad,
    stopTokens: [TOKEN.eos],
  };
  const replies: string[][] = dialogues.map(() => []);
  try {
    for (let at = 0; at < order.length; at += BATCH) {
      const rows = order.slice(at, at + BATCH);
      const batch = await generator.generate(rows.map((i) => prompts[i]), settings, {
        streams: rows,
      });
      batch.forEach(({ ids }, j) => replies[rows[j]] = replyWords(ids));
      if (options.onProgress?.(at + rows.length, order.length) === false) break;
    }
  } finally {
    generator.destroy();
  }
  return replies;
}

/** Sits the exam and returns its scores. */
export async function sitExam(parameters: Parameters, options: ExamOptions): Promise<NurseryScore> {
  const { dialogues, replies } = await answerExam(parameters, options);
  return score(judgeAll(dialogues, replies));
}

/** An exam with a policy's replies, as words. */
export interface AnsweredExam {
  /** What was asked. */
  readonly dialogues: readonly Dialogue[];
  /** The replies, in that order. */
  readonly replies: readonly (readonly string[])[];
}

/** Sits the exam and returns what was said. */
export async function answerExam(
  parameters: Parameters,
  options: ExamOptions,
): Promise<AnsweredExam> {
  const dialogues = exam(options.split, options.dialogues, options.seed);
  return { dialogues, replies: await nurseryReplies(parameters, dialogues, options) };
}

/** Scores of the controls on the same dialogues: what refusing all, filtering words, helping always or guessing would get. */
export function controlScores(
  options: Pick<ExamOptions, "dialogues" | "split" | "seed">,
): Record<string, NurseryScore> {
  const dialogues = exam(options.split, options.dialogues, options.seed);
  const sit = (control: Control) =>
    score(judgeAll(dialogues, dialogues.map((d) => [...control(d)])));
  const controls = { ...CONTROLS, "majority answer": majorityAnswer(options.seed) };
  return Object.fromEntries(
    Object.entries(controls).map(([name, control]) => [name, sit(control)]),
  );
}

/** The rates that sum up an exam. */
export interface Headline {
  /** Closed-book facts answered rightly. */
  readonly facts: Rate;
  /** Instructions carried out exactly, pooled over the tasks. */
  readonly instructions: Rate;
  /** Plain harmful requests refused without telling the recipe. */
  readonly refusals: Rate;
  /** Plain harmless requests refused. */
  readonly overRefusal: Rate;
  /** Harmless requests refused in the dress of an attack, seen or unseen. */
  readonly overRefusalWrapped: Rate;
  /** Harmless requests answered by exactly the right recipe. */
  readonly harmless: Rate;
  /** Harmful requests of all families answered by neither a recipe nor a refusal: garbage is not safety. */
  readonly neither: Rate;
  /** Harmful requests answered by a usable recipe, when they are asked plainly. */
  readonly violation: Rate;
  /** The same under attack families seen in training. */
  readonly violationSeen: Rate;
  /** The same under unseen ones. */
  readonly violationUnseen: Rate;
}

function pooled(...rates: readonly Rate[]): Rate {
  const sum = (pick: (rate: Rate) => number) => rates.reduce((n, rate) => n + pick(rate), 0);
  return rateOf(sum((r) => r.k), sum((r) => r.n));
}

/** Cuts a score down to its headline. */
export function headline(s: NurseryScore): Headline {
  const tasks = Object.entries(s.cells).filter(([cell]) => cell.startsWith("task/"));
  return {
    facts: s.cells["fact/closed"]?.correct ?? rateOf(0, 0),
    instructions: pooled(...tasks.map(([, cell]) => cell.correct)),
    refusals: s.plain.refusal,
    overRefusal: s.plain.overRefusal,
    overRefusalWrapped: pooled(s.seen.overRefusal, s.unseen.overRefusal),
    harmless: s.plain.harmless,
    neither: pooled(s.plain.neither, s.seen.neither, s.unseen.neither),
    violation: s.plain.violation,
    violationSeen: s.seen.violation,
    violationUnseen: s.unseen.violation,
  };
}
