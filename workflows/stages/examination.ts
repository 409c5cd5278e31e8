/**
 * A policy under examination: metrics ask it, and it answers in large batches.
 *
 * All metrics ask at once and wait; what they ask meanwhile is put to the policy in one go, because a GPU answers a hundred
 * dialogues in the time of ten. What two metrics ask alike is asked once.
 */
import type { Parameters } from "../../kernels/policy/parameters.ts";
import { InputError } from "../../kernels/errors.ts";
import type { TokenPair } from "../data/tokenise/tokenise.ts";
import type { Tokenizer } from "../data/tokenizers/tokenizer.ts";
import type { Dialogue } from "../nursery/dialogue.ts";
import { evalDialogues } from "../nursery/exam.ts";
import { judgeAll, type Judged } from "../nursery/score.ts";
import type { Cell } from "../nursery/situations.ts";
import type { Split } from "../nursery/splits.ts";
import { environment, environmentDialogues } from "./environments.ts";

/** Replies as words, in the dialogues' order. */
export type Replies = readonly (readonly string[])[];

/** Whoever is examined: a policy, one that wears the value capacitor, a control. */
export interface Examinee {
  /** Answers each dialogue's prompt; the dialogue's own last turn is not looked at. Absent: it does not speak the nursery's words. */
  readonly answer?: (dialogues: readonly Dialogue[]) => Replies | Promise<Replies>;
  /** The policy itself, for metrics that are not about the nursery; absent: there is none. */
  readonly policy?: ExaminedPolicy;
  /** Replies that people have compared, for metrics of real text; absent: there are none. */
  readonly pairs?: HeldOutPairs;
}

/** Preference pairs that no training and no report sees. */
export interface HeldOutPairs {
  /** The pairs. */
  readonly list: readonly TokenPair[];
  /** Rows of the batches they are read in, an even number. */
  readonly rows: number;
  /** Tokens of a row; every reply fits with its prompt. */
  readonly length: number;
}

/** A policy on the GPU and how it reads text. */
export interface ExaminedPolicy {
  /** The policy. */
  readonly parameters: Parameters;
  /** null: a bare weights file. */
  readonly tokenizer: Tokenizer | null;
}

/** What an examination draws its questions from. */
export interface ExaminationOptions {
  /** Validation where the result decides something, as at every gate. */
  readonly split: Split;
  /** Dialogues of a cell; a metric may ask a multiple of it. */
  readonly dialogues: number;
  /** Seed of the dialogues. */
  readonly seed: number;
}

interface Question {
  readonly dialogues: readonly Dialogue[];
  readonly resolve: (replies: Replies) => void;
  readonly reject: (error: unknown) => void;
}

/** One examination of one policy. */
export class Examination {
  /** Validation where the result decides something. */
  readonly split: Split;
  /** Dialogues of a cell. */
  readonly dialogues: number;
  /** Seed of the dialogues. */
  readonly seed: number;
  readonly #examinee: Examinee;
  readonly #judged = new Map<string, Promise<readonly Judged[]>>();
  #questions: Question[] = [];

  /** Asks nothing yet. */
  constructor(examinee: Examinee, { split, dialogues, seed }: ExaminationOptions) {
    this.#examinee = examinee;
    this.split = split;
    this.dialogues = dialogues;
    this.seed = seed;
  }

  /** The policy itself, or null where answers are all there is. */
  get policy(): ExaminedPolicy | null {
    return this.#examinee.policy ?? null;
  }

  /** Replies that people have compared, or null. */
  get pairs(): HeldOutPairs | null {
    return this.#examinee.pairs ?? null;
  }

  /** Whether it speaks the nursery's words. */
  get speaks(): boolean {
    return this.#examinee.answer !== undefined;
  }

  /** The policy's replies to dialogues, as words. @throws {InputError} when it does not speak the nursery's words. */
  answer(dialogues: readonly Dialogue[]): Promise<Replies> {
    if (!this.speaks) {
      throw new InputError(
        "this metric is about the nursery, whose words the policy does not speak: use preference and prediction, or " +
          "metrics of your own (extensions)",
      );
    }
    return new Promise((resolve, reject) => {
      this.#questions.push({ dialogues, resolve, reject });
      if (this.#questions.length === 1) queueMicrotask(() => this.#ask());
    });
  }

  async #ask(): Promise<void> {
    const questions = this.#questions;
    this.#questions = [];
    try {
      const replies = await this.#examinee.answer!(questions.flatMap((q) => q.dialogues));
      let at = 0;
      for (const { dialogues, resolve } of questions) {
        resolve(replies.slice(at, at += dialogues.length));
      }
    } catch (error) {
      questions.forEach(({ reject }) => reject(error));
    }
  }

  /** Judged replies to dialogues of a cell of the nursery, `times` the number of dialogues of a cell. */
  cell(cell: Cell, times = 1): Promise<readonly Judged[]> {
    const count = times * this.dialogues;
    return this.#once(
      `${JSON.stringify(cell)} ${count}`,
      () => evalDialogues(this.split, cell, count, this.seed),
    );
  }

  /** Judged replies to harmful, or harmless, requests of an environment. */
  environment(name: string, harmful: boolean, times = 1): Promise<readonly Judged[]> {
    const { split, seed } = this;
    const count = times * this.dialogues;
    return this.#once(
      `${name} ${harmful} ${count}`,
      () => environmentDialogues(environment(name), { split, seed, harmful, count }),
    );
  }

  #once(key: string, dialogues: () => Dialogue[]): Promise<readonly Judged[]> {
    const known = this.#judged.get(key);
    if (known) return known;
    const asked = dialogues();
    const judged = this.answer(asked).then((replies) => judgeAll(asked, replies));
    this.#judged.set(key, judged);
    return judged;
  }
}
