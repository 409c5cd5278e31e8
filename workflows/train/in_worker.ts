/**
 * Runs the trainer in a worker thread and shows its progress here.
 */
import { DeviceError, InputError } from "../../kernels/errors.ts";
import type { TrainConfig } from "../config/config.ts";
import type { Reporter } from "../logging/reporter.ts";
import type { CheckpointPlace } from "../run_folder.ts";
import type { TrainResult } from "./trainer.ts";

/** What the worker is sent. */
export interface ToWorker {
  readonly request: {
    readonly config: TrainConfig;
    readonly folder: string;
    readonly resume: CheckpointPlace | null;
  };
  /** One Int32: becomes 1 when the run should save and stop. */
  readonly stop: SharedArrayBuffer;
}

/**
 * What it sends back: that it listens (modules load asynchronously, and what is posted before is lost), calls of the reporter,
 * then a result or an error.
 */
export type FromWorker =
  | { readonly ready: true }
  | { readonly call: "stage"; readonly args: Parameters<Reporter["stage"]> }
  | { readonly call: "step"; readonly args: Parameters<Reporter["step"]> }
  | { readonly call: "metrics"; readonly args: Parameters<Reporter["metrics"]> }
  | { readonly call: "note"; readonly args: Parameters<Reporter["note"]> }
  | { readonly result: TrainResult }
  | {
    readonly error: {
      readonly kind: "input" | "device" | "bug";
      readonly message: string;
      readonly stack: string;
    };
  };

/** A request as the command line makes it. */
export interface WorkerRequest {
  /** What to train. */
  readonly config: TrainConfig;
  /** The run folder; a new run makes it once data and model are known to be good. */
  readonly folder: string;
  /** The checkpoint to go on from; null: a new run. */
  readonly resume: CheckpointPlace | null;
  /** Shows progress in this thread; the run folder's own log comes beside it. */
  readonly reporter: Reporter;
  /** Aborted: save a checkpoint, then stop. */
  readonly signal: AbortSignal;
}

/**
 * How long the worker stays when its work is done. Ending it takes the graphics driver down in its thread, and a process that exits
 * meanwhile may crash (llvmpipe: 1 of 60 runs that had succeeded); a command has written its report and is gone by then.
 */
const LINGER_MS = 60_000;

/** Trains in a worker. @throws whatever the trainer throws, as the same class. */
export function trainInWorker(request: WorkerRequest): Promise<TrainResult> {
  const { config, folder, resume, reporter, signal } = request;
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    type: "module",
    name: "trainer",
  });
  const stop = new SharedArrayBuffer(4);
  const ask = () => Atomics.store(new Int32Array(stop), 0, 1);
  if (signal.aborted) ask();
  signal.addEventListener("abort", ask);
  return new Promise<TrainResult>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if ("ready" in data) {
        worker.postMessage({ request: { config, folder, resume }, stop } satisfies ToWorker);
      } else if ("result" in data) resolve(data.result);
      else if ("error" in data) reject(revive(data.error));
      else (reporter[data.call] as (...args: unknown[]) => void)(...data.args);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
  }).finally(async () => {
    Deno.unrefTimer(setTimeout(() => worker.terminate(), LINGER_MS));
    await reporter.done();
  });
}

function revive({ kind, message, stack }: { kind: string; message: string; stack: string }): Error {
  if (kind === "input") return new InputError(message);
  if (kind === "device") return new DeviceError(message);
  return Object.assign(new Error(message), { stack });
}
