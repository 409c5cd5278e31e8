/**
 * Points over many machines: the sending end of a BullMQ queue.
 *
 * A job's id is its point's key, so that a point is in the queue at most once however often it is sent. The queue is polled instead
 * of listened to: a message can be missed while Redis is away, a state cannot; and a job that Redis forgot is sent again.
 */
import { InputError } from "../../kernels/errors.ts";
import type { Engine, EngineListener, PointProgress } from "./engine.ts";
import { type Point, pointName, type PointResult } from "./point.ts";
import { BAD_INPUT, connect, type Job, type Queue } from "./queue.ts";

/** Where the queue is. */
export interface BullmqOptions {
  /** `redis://HOST:PORT`. */
  readonly url: string;
  /** Name of the queue. */
  readonly queue: string;
  /** Milliseconds between looks at the queue. */
  readonly pollMs?: number;
}

/** Tries of a point whose worker fails; those of workers that die are not counted. */
const ATTEMPTS = 3;
/** How long Redis keeps what was computed, for another sweep over the same points. */
const KEEP_SECONDS = 7 * 24 * 3600;

/**
 * Sends points to a queue and collects their results.
 * @throws {InputError} when Redis cannot be reached.
 */
export async function bullmqEngine({ url, queue, pollMs = 500 }: BullmqOptions): Promise<Engine> {
  const { bull, options } = await connect(url);
  const sender: Queue = new bull.Queue(queue, options);
  let lost = false;
  let note = (_: string): void => {};
  sender.on("error", (error) => {
    if (!lost) note(`Redis: ${error.message || "no connection"}; waiting for it to come back`);
    lost = true;
  });
  return {
    async run(points, listener, signal) {
      note = listener.note;
      const open = new Map(points.map((point) => [point.key, point]));
      await send(sender, points);
      await retryFailed(sender, points);
      while (open.size > 0 && !signal.aborted) {
        await pause(pollMs, signal);
        const forgotten = await collect(sender, open, listener);
        if (lost) note("Redis is back");
        lost = false;
        if (forgotten.length > 0) await send(sender, forgotten);
      }
    },
    async close() {
      await sender.close();
    },
  };
}

async function send(queue: Queue, points: readonly Point[]): Promise<void> {
  await queue.addBulk(points.map((point) => ({
    name: pointName(point),
    data: point,
    opts: {
      jobId: point.key,
      attempts: ATTEMPTS,
      backoff: { type: "exponential", delay: 1000 },
      removeOnComplete: { age: KEEP_SECONDS },
      removeOnFail: { age: KEEP_SECONDS },
    },
  })));
}

/** A new sweep is a new try for what failed in an older one. */
async function retryFailed(queue: Queue, points: readonly Point[]): Promise<void> {
  for (const { key } of points) {
    const job = await queue.getJob(key);
    if (job && hasFailed(job)) await job.retry();
  }
}

const hasFailed = (job: Job) => job.finishedOn !== undefined && Boolean(job.failedReason);

/** Looks at every open point once. @returns Those that Redis has forgotten. */
async function collect(
  queue: Queue,
  open: Map<string, Point>,
  listener: EngineListener,
): Promise<Point[]> {
  const forgotten: Point[] = [];
  for (const point of [...open.values()]) {
    const job = await queue.getJob(point.key);
    if (!job) forgotten.push(point);
    else if (hasFailed(job)) {
      open.delete(point.key);
      const reason = job.failedReason!;
      if (reason.startsWith(BAD_INPUT)) {
        throw new InputError(`point ${pointName(point)}: ${reason.slice(BAD_INPUT.length)}`);
      }
      listener.failed(point, new Error(reason));
    } else if (job.finishedOn !== undefined) {
      open.delete(point.key);
      await listener.done(point, job.returnvalue as PointResult);
    } else if (typeof job.progress === "object" && job.progress !== null) {
      listener.progress(point, job.progress as PointProgress);
    }
  }
  return forgotten;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(wake, ms);
    function wake() {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    }
    signal.addEventListener("abort", wake);
  });
}
