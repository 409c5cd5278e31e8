/**
 * Points over many machines: the receiving end of a BullMQ queue.
 *
 * The point runs in a thread, so that this one keeps renewing the job's lock while the GPU works. A worker that dies stops renewing:
 * the job stalls, another worker takes it over, and goes on from the last checkpoint where both share a folder. A worker computes
 * a point only if it comes to the same key by itself: the same code, the same data.
 */
import { InputError } from "../../kernels/errors.ts";
import type { PointProgress } from "./engine.ts";
import { progressReporter } from "./engine.ts";
import { PointThread } from "./in_thread.ts";
import { Keys } from "./key.ts";
import { type Point, pointName, type PointResult } from "./point.ts";
import { BAD_INPUT, connect, type Job } from "./queue.ts";

/** What a worker is started with. */
export interface BullmqWorkerOptions {
  /** `redis://HOST:PORT`. */
  readonly url: string;
  /** Name of the queue. */
  readonly queue: string;
  /** Where its results, checkpoints and shared stages lie; workers of one machine may share it, with the sweep too. */
  readonly folder: string;
  /** GPU adapter; null: the best there is. */
  readonly adapter: string | null;
  /** A worker that is silent for so long is taken for dead. */
  readonly lockSeconds: number;
  /** The module that it will run for sweeps over a function; null: none. A queue cannot make a worker run another file. */
  readonly module: string | null;
  /** Ends by itself after so long without a job; null: never. */
  readonly idleSeconds: number | null;
  /** One line for people. */
  readonly note: (line: string) => void;
  /** Aborted: save, give the job back, end. */
  readonly signal: AbortSignal;
}

/** Progress is told at most this often. */
const PROGRESS_MS = 1000;

/**
 * Takes points from a queue until it is told to stop.
 * @returns How many it has computed.
 * @throws {InputError} when Redis cannot be reached at the beginning.
 */
export async function bullmqWorker(options: BullmqWorkerOptions): Promise<number> {
  const { url, queue, lockSeconds, note, signal } = options;
  const { bull, options: connection } = await connect(url);
  const thread = new PointThread();
  const keys = new Keys();
  const milliseconds = Math.round(1000 * lockSeconds);
  let [computed, busySince, idleSince] = [0, 0, performance.now()];
  const process = async (job: Job, token?: string): Promise<PointResult> => {
    busySince = performance.now();
    try {
      const point = job.data as Point;
      note(`${pointName(point)}: begun`);
      const result = await compute(job, point, thread, keys, options);
      if (result === null) {
        await job.moveToWait(token);
        throw new bull.WaitingError();
      }
      computed++;
      note(`${pointName(point)}: done, ${((performance.now() - busySince) / 1000).toFixed(1)} s`);
      return result;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      note(`${pointName(job.data as Point)}: ${error.message}`);
      throw new bull.UnrecoverableError(`${BAD_INPUT}${error.message}`);
    } finally {
      [busySince, idleSince] = [0, performance.now()];
    }
  };
  const worker = new bull.Worker(queue, process, {
    ...connection,
    concurrency: 1,
    lockDuration: milliseconds,
    stalledInterval: milliseconds,
    // A point is idempotent, so that a job may be taken over as often as workers die.
    maxStalledCount: 1000,
  });
  worker.on("error", (error) => note(`queue: ${error.message || "no connection to Redis"}`));
  worker.on("failed", (job) => {
    if (job) note(`${pointName(job.data as Point)}: ${job.failedReason}`);
  });
  note(`waiting for points of ${queue} at ${url}; results lie in ${options.folder}`);
  await ended(signal, () => {
    const { idleSeconds } = options;
    return idleSeconds !== null && busySince === 0 &&
      performance.now() - idleSince > 1000 * idleSeconds;
  });
  await worker.close();
  thread.close();
  return computed;
}

async function compute(
  job: Job,
  point: Point,
  thread: PointThread,
  keys: Keys,
  { folder, adapter, module, signal }: BullmqWorkerOptions,
): Promise<PointResult | null> {
  const own = await ownPoint(point, keys, module);
  let told = -Infinity;
  const reporter = progressReporter((progress: PointProgress) => {
    if (performance.now() - told < PROGRESS_MS) return;
    told = performance.now();
    job.updateProgress(progress).catch(() => {});
  });
  return await thread.point(own, { folder, adapter, reporter, signal });
}

/** The point with this machine's own files. @throws {InputError} when it is not the same here. */
async function ownPoint(point: Point, keys: Keys, module: string | null): Promise<Point> {
  const { work } = point;
  if (work.kind === "module" && module === null) {
    throw new InputError(
      `this worker runs no modules: start it with --point ${work.path} if you trust that file`,
    );
  }
  const own: Point = work.kind === "module"
    ? { ...point, work: { ...work, path: module! } }
    : point;
  if (await keys.ofPoint(own) === point.key) return own;
  throw new InputError(
    "the worker's toolkit, data or module is not the sweep's: bring both to the same version",
  );
}

function ended(signal: AbortSignal, idle: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearInterval(timer);
      resolve();
    };
    const timer = setInterval(() => idle() && done(), 200);
    if (signal.aborted) done();
    signal.addEventListener("abort", done);
  });
}
