/**
 * What a run folder remembers: `metrics.jsonl`, `trainer_state.json` and a TensorBoard event file.
 *
 * `metrics.jsonl` is the record: one row per report, no clock times, so two runs of one configuration and seed on one
 * adapter give the same bytes, and a resumed run the same bytes as one that was never stopped. The
 * other two say the same for tools that know Hugging Face's or TensorBoard's names.
 */
import { join } from "node:path";
import { fileProblem, writeFileAtomic } from "../files.ts";
import type { Reporter, StepReport } from "./reporter.ts";
import {
  frameRecord,
  restartEvent,
  scalarsEvent,
  tensorboardTag,
  versionEvent,
} from "./tensorboard.ts";

/** One row of `metrics.jsonl`; a value that is not finite is null. */
export interface MetricsRow {
  /** Name of the stage. */
  readonly stage: string;
  /** Optimiser steps done in the stage. */
  readonly step: number;
  /** Optimiser steps done in the run. */
  readonly global_step: number;
  /** The metrics. */
  readonly [metric: string]: string | number | null;
}

/** What a log needs to know about its run. */
export interface RunLogOptions {
  /** The run folder; it exists. */
  readonly folder: string;
  /** All stages in order, with their lengths in steps. */
  readonly stages: readonly { readonly name: string; readonly steps: number }[];
  /** Go on after this many rows of `metrics.jsonl`; later ones are dropped. Absent: start anew. */
  readonly resume?: { readonly rows: number };
  /** Seconds since 1970, for TensorBoard; default: the clock. */
  readonly wallTime?: () => number;
}

/** Writes the logs of one run folder. Close it with `done`. */
export class RunLog implements Reporter, Disposable {
  readonly #options: RunLogOptions;
  readonly #rows: MetricsRow[];
  readonly #metrics: Deno.FsFile;
  readonly #events: Deno.FsFile;
  readonly #wallTime: () => number;
  #stage: string;
  /** Optimiser steps of the run before the current stage. */
  #before: number;
  #closed = false;

  private constructor(
    options: RunLogOptions,
    rows: MetricsRow[],
    metrics: Deno.FsFile,
    events: Deno.FsFile,
  ) {
    this.#options = options;
    this.#rows = rows;
    this.#metrics = metrics;
    this.#events = events;
    this.#wallTime = options.wallTime ?? (() => Date.now() / 1000);
    const last = rows.at(-1);
    this.#stage = last?.stage ?? options.stages[0]?.name ?? "";
    this.#before = last ? last.global_step - last.step : 0;
  }

  /**
   * Opens the logs of a run folder, new or to be resumed.
   * @throws {InputError} when the operating system refuses.
   */
  static async open(options: RunLogOptions): Promise<RunLog> {
    const path = join(options.folder, "metrics.jsonl");
    const rows = options.resume ? (await readMetrics(path)).slice(0, options.resume.rows) : [];
    await writeFileAtomic(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const name = `events.out.tfevents.${Date.now()}.${crypto.randomUUID().slice(0, 8)}`;
    const events = await Deno.open(join(options.folder, name), { create: true, append: true });
    const metrics = await Deno.open(path, { append: true });
    const log = new RunLog(options, rows, metrics, events);
    log.#event(versionEvent(log.#wallTime()));
    if (options.resume) {
      log.#event(restartEvent(log.#wallTime(), (rows.at(-1)?.global_step ?? 0) + 1));
    }
    return log;
  }

  /** Rows that follow belong to this stage; the one before has a row of its last step. */
  stage(name: string, _totalSteps: number): void {
    if (name === this.#stage) return;
    this.#before = this.#rows.at(-1)?.global_step ?? 0;
    this.#stage = name;
  }

  /** Rows written so far. */
  get rows(): number {
    return this.#rows.length;
  }

  /** Adds a row; `tokens` is written under Hugging Face's name, `num_tokens`. */
  step({ step, tokens, ...metrics }: StepReport): void {
    this.metrics(step, { ...metrics, num_tokens: tokens });
  }

  /** Adds a row of any metrics. */
  metrics(step: number, values: Readonly<Record<string, number>>): void {
    const global_step = this.#before + step;
    const row: MetricsRow = { stage: this.#stage, step, global_step, ...values };
    this.#rows.push(row);
    this.#append(this.#metrics, new TextEncoder().encode(`${JSON.stringify(row)}\n`));
    const tagged = Object.entries(values).map(([name, value]) => [tensorboardTag(name), value]);
    this.#event(scalarsEvent(this.#wallTime(), global_step, Object.fromEntries(tagged)));
  }

  /** Notes are for people; the record is made of numbers. */
  note(_line: string): void {}

  /** What `trainer_state.json` holds: Hugging Face's `TrainerState`, as far as it means something here. */
  state(): Readonly<Record<string, unknown>> {
    const last = this.#rows.at(-1);
    const latest = (metric: string) =>
      this.#rows.findLast((row) => metric in row)?.[metric] ?? null;
    return {
      global_step: last?.global_step ?? 0,
      max_steps: this.#options.stages.reduce((sum, { steps }) => sum + steps, 0),
      epoch: latest("epoch"),
      num_input_tokens_seen: this.#tokensSeen(),
      stage: this.#stage,
      // Hugging Face counts steps over the whole run.
      log_history: this.#rows.map(({ global_step, ...row }) => ({ ...row, step: global_step })),
    };
  }

  /** Writes `trainer_state.json` into the run folder, or into a checkpoint's. */
  async writeState(folder: string = this.#options.folder): Promise<void> {
    const text = `${JSON.stringify(this.state(), null, 2)}\n`;
    await writeFileAtomic(join(folder, "trainer_state.json"), text);
  }

  /** Writes `trainer_state.json` and closes the files. */
  async done(): Promise<void> {
    await this.writeState();
    this[Symbol.dispose]();
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#metrics.close();
    this.#events.close();
  }

  /** Tokens trained in the whole run: `num_tokens` counts those of its stage. */
  #tokensSeen(): number {
    const byStage = new Map<string, number>();
    for (const { stage, num_tokens } of this.#rows) {
      if (typeof num_tokens === "number") byStage.set(stage, num_tokens);
    }
    return [...byStage.values()].reduce((sum, tokens) => sum + tokens, 0);
  }

  #event(data: Uint8Array): void {
    this.#append(this.#events, frameRecord(data));
  }

  #append(file: Deno.FsFile, bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    } catch (error) {
      throw fileProblem(error, this.#options.folder) ?? error;
    }
  }
}

/** The rows of a `metrics.jsonl`; a last line torn by a crash is left out, a missing file has none. */
export async function readMetrics(path: string): Promise<MetricsRow[]> {
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}
