/**
 * What a trainer tells the world, and nothing about how it is shown.
 *
 * A trainer calls one {@linkcode Reporter}; the terminal's bar, a log's plain lines, a notebook's display and the
 * run folder's files are all reporters, and {@linkcode combine} makes one of several.
 */

/** One row of numbers after an optimiser step, under Hugging Face's names (`grad_norm`, `learning_rate`, ...). */
export interface StepReport {
  /** Optimiser steps done in this stage, from 1. */
  readonly step: number;
  /** Mean loss per token. */
  readonly loss: number;
  /** Tokens trained in this stage so far. */
  readonly tokens: number;
  /** Any other metric: `grad_norm`, `learning_rate`, `epoch`, `kl`, `rewards/margins`, ... */
  readonly [metric: string]: number;
}

/** Hears how training goes. All methods are cheap and none is called before `stage`, except `note`. */
export interface Reporter {
  /** A stage begins, or goes on after a resume. */
  stage(name: string, totalSteps: number): void;
  /** A step was done; not every step need be reported. */
  step(report: StepReport): void;
  /** Other numbers of the stage, e.g. `{eval_loss: 1.2}`, measured after `step` steps. */
  metrics(step: number, values: Readonly<Record<string, number>>): void;
  /** One line for people. */
  note(line: string): void;
  /** Training ended, also after an interruption: everything is written out. */
  done(): void | Promise<void>;
}

/** Tells each of `reporters` in turn. */
export function combine(...reporters: readonly Reporter[]): Reporter {
  return {
    stage: (name, totalSteps) => reporters.forEach((one) => one.stage(name, totalSteps)),
    step: (report) => reporters.forEach((one) => one.step(report)),
    metrics: (step, values) => reporters.forEach((one) => one.metrics(step, values)),
    note: (line) => reporters.forEach((one) => one.note(line)),
    async done() {
      for (const one of reporters) await one.done();
    },
  };
}

/** Hears and does nothing: for tests and for programs that want no output. */
export const silent: Reporter = combine();
