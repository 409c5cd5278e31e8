/**
 * Serves the live view of a run from a thread of its own.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { FromLiveWorker, ToLiveWorker } from "./worker.ts";

/** A live view that is being served. */
export interface Watch {
  /** Where. */
  readonly url: string;
  /** Shows open pages the run's last state and stops serving. Gives up after a few seconds; never throws. */
  finish(): Promise<void>;
}

/** Longest wait for the last state, milliseconds. */
const PATIENCE = 10_000;

/**
 * Begins to serve a run folder, which need not be there yet.
 * @param port On 127.0.0.1; 0: any that is free.
 * @param failed Hears of failures after the start; training goes on without a view.
 * @throws {InputError} when the port is taken.
 */
export async function watchRun(
  folder: string,
  port: number,
  failed: (message: string) => void,
): Promise<Watch> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), {
    type: "module",
    name: "live view",
  });
  const started = Promise.withResolvers<string>();
  const finished = Promise.withResolvers<void>();
  const send = (message: ToLiveWorker) => worker.postMessage(message);
  let serving = false;
  const fail = (error: Error) => {
    if (serving) failed(error.message);
    else started.reject(error);
    finished.resolve();
  };
  worker.onmessage = ({ data }: MessageEvent<FromLiveWorker>) => {
    if ("ready" in data) send({ folder, port });
    else if ("url" in data) started.resolve(data.url);
    else if ("finished" in data) finished.resolve();
    else fail(data.input ? new InputError(data.error) : new Error(data.error));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(new Error(event.message));
  };
  const url = await started.promise.catch((error) => {
    worker.terminate();
    throw error;
  });
  serving = true;
  return {
    url,
    async finish() {
      send({ finish: true });
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, PATIENCE));
      await Promise.race([finished.promise, late]);
      clearTimeout(timer);
      worker.terminate();
    },
  };
}
