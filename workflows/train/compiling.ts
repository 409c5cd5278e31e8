/**
 * Words while a driver compiles kernels: seconds of silence before a first step look like a hang.
 */
import type { CompileProgress } from "../../kernels/gpu/warm.ts";
import type { Reporter } from "../logging/reporter.ts";

/** Milliseconds until the first word, and between words. What the driver has in its cache takes less and needs none. */
const PATIENCE_MS = 700;

/** Tells `reporter` how far compilation is. */
export function compilationNotes(
  stage: string,
  reporter: Pick<Reporter, "note">,
  now: () => number = () => performance.now(),
): CompileProgress {
  let told = now();
  return (kernel, done, total) => {
    if (now() - told < PATIENCE_MS) return;
    told = now();
    reporter.note(`${stage}: the driver compiles kernel ${done + 1} of ${total} (${kernel})`);
  };
}
