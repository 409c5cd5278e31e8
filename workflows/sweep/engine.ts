/**
 * Who computes the points: the contract between a sweep and its engines, and the embedded engine.
 */
import { DeviceError, InputError } from "../../kernels/errors.ts";
import { errorIn } from "../files.ts";
import type { Reporter } from "../logging/reporter.ts";
import { PointThread } from "./in_thread.ts";
import { type Point, pointName, type PointResult } from "./point.ts";

/** How far a point is. */
export interface PointProgress {
  /** Stage of its training. */
  readonly stage: string;
  /** Steps done in the stage. */
  readonly step: number;
  /** Steps of the stage. */
  readonly of: number;
}

/** What an engine tells the sweep. */
export interface EngineListener {
  /** A point has its result. */
  done(point: Point, result: PointResult): Promise<void>;
  /** A point failed for good; the others go on. */
  failed(point: Point, error: Error): void;
  /** A point is being computed. */
  progress(point: Point, progress: PointProgress): void;
  /** One line for people. */
  note(line: string): void;
}

/** An engine. */
export interface Engine {
  /**
   * Computes points without a result. Ends when each is done or has failed, or soon after the signal.
   * @throws {InputError} when a point cannot be computed as configured.
   */
  run(points: readonly Point[], listener: EngineListener, signal: AbortSignal): Promise<void>;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/** Where and on what the embedded engine computes. */
export interface LocalOptions {
  /** The sweep's folder. */
  readonly folder: string;
  /** GPU adapter; null: the best there is. */
  readonly adapter: string | null;
}

/** Computes points in this process, one at a time: there is one GPU. */
export function localEngine({ folder, adapter }: LocalOptions): Engine {
  const thread = new PointThread();
  return {
    async run(points, listener, signal) {
      for (const point of points) {
        if (signal.aborted) return;
        const reporter = progressReporter((progress) => listener.progress(point, progress));
        try {
          const result = await thread.point(point, { folder, adapter, reporter, signal });
          if (result) await listener.done(point, result);
        } catch (error) {
          if (error instanceof InputError) throw errorIn(`point ${pointName(point)}`, error);
          listener.failed(point, error as Error);
          // Whatever the adapter lost, it lost for the points to come too.
          if (error instanceof DeviceError) return;
        }
      }
    },
    close() {
      thread.close();
      return Promise.resolve();
    },
  };
}

/** A reporter that keeps no more than how far a point is. */
export function progressReporter(tell: (progress: PointProgress) => void): Reporter {
  let [stage, of] = ["", 0];
  return {
    stage(name, steps) {
      [stage, of] = [name, steps];
      tell({ stage, step: 0, of });
    },
    step: ({ step }) => tell({ stage, step, of }),
    metrics: () => {},
    note: () => {},
    done: () => {},
  };
}
