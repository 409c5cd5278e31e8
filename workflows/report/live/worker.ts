/// <reference lib="deno.worker" />
/**
 * The thread that serves the live view of a run that trains in this process: drawing never delays a step.
 */
import { InputError } from "../../../kernels/errors.ts";
import { LiveView } from "./server.ts";

/** What the worker is sent: where to serve what, then that the run has ended. */
export type ToLiveWorker =
  | { readonly folder: string; readonly port: number }
  | { readonly finish: true };

/** What it sends back. */
export type FromLiveWorker =
  | { readonly ready: true }
  | { readonly url: string }
  | { readonly error: string; readonly input: boolean }
  | { readonly finished: true };

const post = (message: FromLiveWorker) => self.postMessage(message);
let view: LiveView | null = null;

self.onmessage = async ({ data }: MessageEvent<ToLiveWorker>) => {
  try {
    if ("folder" in data) {
      view = new LiveView(data);
      post({ url: view.url });
    } else {
      await view?.finish();
      await view?.[Symbol.asyncDispose]();
      post({ finished: true });
    }
  } catch (error) {
    const { message } = error as Error;
    post({ error: message, input: error instanceof InputError });
  }
};
post({ ready: true });
