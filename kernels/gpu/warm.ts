/**
 * Having the driver compile everything before the first step, with progress.
 *
 * A software adapter compiles a pipeline at its first launch, up to a second each, and says nothing meanwhile. A launch of no
 * workgroups makes it compile too, and computes nothing, so pipelines can be compiled one by one (measured on llvmpipe, 2026-11-21:
 * the real launch after it takes as long as any later one).
 */
import type { Tape } from "./tape.ts";

/** Hears which kernel is compiled now, and how many of how many are done. */
export type CompileProgress = (kernel: string, done: number, total: number) => void;

/** Waits until the pipelines of these tapes, all of one device, are compiled; those that are already cost nothing. */
export async function warm(tapes: readonly Tape[], onKernel?: CompileProgress): Promise<void> {
  if (tapes.length === 0) return;
  const { gpu } = tapes[0];
  const launches = tapes.flatMap((tape) => tape.launches());
  const byPipeline = new Map(launches.map((launch) => [launch.compiled.pipeline, launch]));
  const cold = [...byPipeline.values()].filter((l) => !gpu.warmed.has(l.compiled.pipeline));
  // A wait costs 10 ms: as long as they turn out to be in the driver's cache, more and more of them share one.
  for (let done = 0, together = 1; done < cold.length;) {
    const batch = cold.slice(done, done + together);
    onKernel?.(batch[0].name, done, cold.length);
    const started = performance.now();
    const encoder = gpu.device.createCommandEncoder({ label: "compiling" });
    const pass = encoder.beginComputePass();
    for (const { compiled, group } of batch) {
      pass.setPipeline(compiled.pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(0);
      gpu.warmed.add(compiled.pipeline);
    }
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.device.queue.onSubmittedWorkDone();
    gpu.check();
    done += batch.length;
    together = performance.now() - started < 20 * batch.length ? 2 * together : 1;
  }
}
