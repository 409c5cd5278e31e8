/** Limits of time that other processes on the machine do not touch. */
import process from "node:process";

/** Seconds of processor time that a function takes: this process's, so that a busy machine does not lengthen them. */
export function processorSeconds(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
