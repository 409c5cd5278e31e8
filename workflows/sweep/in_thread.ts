/**
 * Points computed in a thread of their own, one after the other.
 */
import { DeviceError, InputError } from "../../kernels/errors.ts";
import type { Reporter } from "../logging/reporter.ts";
import type { Point, PointResult, SharedStages } from "./point.ts";

/** A point, or stages that points share. */
export type Task = { readonly point: Point } | { readonly shared: SharedStages };

/** What the thread is sent. */
export interface ToThread {
  /** What to compute. */
  readonly task: Task;
  /** Folder of the sweep, or of the machine's own results. */
  readonly folder: string;
  /** GPU adapter. */
  readonly adapter: string | null;
  /** One Int32: becomes 1 when it should save and stop. */
  readonly stop: SharedArrayBuffer;
}

/** What it sends back: that it listens, calls of the reporter, then a result or an error. */
export type FromThread =
  | { readonly ready: true }
  | { readonly call: "stage"; readonly args: Parameters<Reporter["stage"]> }
  | { readonly call: "step"; readonly args: Parameters<Reporter["step"]> }
  | { readonly call: "metrics"; readonly args: Parameters<Reporter["metrics"]> }
  | { readonly call: "note"; readonly args: Parameters<Reporter["note"]> }
  | { readonly result: PointResult | boolean | null }
  | {
    readonly error: {
      readonly kind: "input" | "device" | "bug";
      readonly message: string;
      readonly stack: string;
    };
  };

/** How a task is computed. */
export interface TaskOptions {
  /** Folder of the sweep. */
  readonly folder: string;
  /** GPU adapter. */
  readonly adapter: string | null;
  /** Hears how it goes, in this thread. */
  readonly reporter: Reporter;
  /** Aborted: save, then stop. */
  readonly signal: AbortSignal;
}

/** How long the thread stays when its work is done, see `train/in_worker.ts`. */
const LINGER_MS = 1000;

/** A thread that computes one task at a time; it starts with the first. */
export class PointThread {
  #worker: Promise<Worker> | null = null;

  /** A point's result; null when it was told to stop. @throws whatever computing it throws, as the same class. */
  async point(point: Point, options: TaskOptions): Promise<PointResult | null> {
    return await this.#run({ point }, options) as PointResult | null;
  }

  /** Whether shared stages are there; false when it was told to stop. */
  async shared(shared: SharedStages, options: TaskOptions): Promise<boolean> {
    return await this.#run({ shared }, options) as boolean;
  }

  async #run(task: Task, { folder, adapter, reporter, signal }: TaskOptions): Promise<unknown> {
    const stop = new SharedArrayBuffer(4);
    const ask = () => Atomics.store(new Int32Array(stop), 0, 1);
    if (signal.aborted) ask();
    signal.addEventListener("abort", ask);
    const worker = await (this.#worker ??= start());
    try {
      return await new Promise((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<FromThread>) => {
          if ("result" in data) resolve(data.result);
          else if ("error" in data) reject(revive(data.error));
          else if ("call" in data) {
            (reporter[data.call] as (...args: unknown[]) => void)(...data.args);
          }
        };
        worker.onerror = (event) => {
          event.preventDefault();
          this.#worker = null;
          reject(new Error(event.message));
        };
        worker.postMessage({ task, folder, adapter, stop } satisfies ToThread);
      });
    } finally {
      signal.removeEventListener("abort", ask);
      await reporter.done();
    }
  }

  /** Ends the thread when the process has had the time to end by itself. */
  close(): void {
    const worker = this.#worker;
    this.#worker = null;
    if (worker) Deno.unrefTimer(setTimeout(async () => (await worker).terminate(), LINGER_MS));
  }
}

/** Modules load asynchronously, and what is posted before is lost. */
function start(): Promise<Worker> {
  const url = new URL("./point_thread.ts", import.meta.url);
  const worker = new Worker(url, { type: "module", name: "points" });
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve(worker);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  });
}

function revive({ kind, message, stack }: { kind: string; message: string; stack: string }): Error {
  if (kind === "input") return new InputError(message);
  if (kind === "device") return new DeviceError(message);
  return Object.assign(new Error(message), { stack });
}
