/**
 * The gate of one attempt at a stage: when it evaluates, what it decided, and how long the stage is after its holds.
 */
import type { GateConfig } from "../config/config.ts";
import type { AuditLog } from "./audit.ts";
import { decideGate, gateDue, type GateState } from "./gate.ts";
import type { Maturity } from "./maturity.ts";
import { type Attempt, attemptAt, type GateEntry, referenceOf } from "./programme.ts";

/** What a gate is about. */
export interface GatekeeperOptions {
  /** Where decisions are written and earlier ones are read. */
  readonly audit: AuditLog;
  /** The settings. */
  readonly gate: GateConfig;
  /** Thresholds of the stage. */
  readonly thresholds: Readonly<Record<string, number>>;
  /** Name of the stage, without a number of the attempt. */
  readonly stage: string;
  /** Length of the stage in optimiser steps, without holds. */
  readonly steps: number;
}

/** Decides at the evaluations of a stage's newest attempt. */
export class Gatekeeper {
  readonly #options: GatekeeperOptions;

  /** Decides nothing yet. */
  constructor(options: GatekeeperOptions) {
    this.#options = options;
  }

  /** The newest attempt at the stage, as recorded. */
  get attempt(): Attempt {
    return attemptAt(this.#options.audit.entries, this.#options.stage);
  }

  /** Names of the metrics to measure. */
  get metrics(): readonly string[] {
    return Object.keys(this.#options.thresholds);
  }

  /** Optimiser steps of the attempt, granted portions included. */
  get total(): number {
    const { steps, gate } = this.#options;
    return steps + this.attempt.holds * gate.every;
  }

  /** Whether it evaluates after `done` steps. */
  due(done: number): boolean {
    const { steps, gate } = this.#options;
    return gateDue(done, steps, gate) && done <= this.total;
  }

  /** The decision after `done` steps, where there is one already. */
  recorded(done: number): GateEntry | null {
    return this.attempt.entries.find(({ step }) => step === done) ?? null;
  }

  /**
   * Decides after `done` steps by what was measured, and writes it down.
   * @param rows Rows of `metrics.jsonl` so far.
   */
  async decide(done: number, maturity: Maturity, rows: number): Promise<GateEntry> {
    const { audit, gate, thresholds } = this.#options;
    const { name, holds, rollbacks, entries } = this.attempt;
    const state: GateState = {
      reference: referenceOf(audit.entries) ?? {},
      evaluations: [...entries.map(({ metrics }) => metrics), maturity.metrics],
      atEnd: done === this.total,
      holds,
      rollbacks,
    };
    const decision = decideGate(state, thresholds, gate);
    const place = { stage: name, step: done, rows };
    return await audit.append({
      event: "gate",
      ...place,
      ...decision,
      thresholds,
      ...maturity,
    }) as GateEntry;
  }
}
