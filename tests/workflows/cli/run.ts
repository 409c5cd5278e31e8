/**
 * Runs a command in this process, as the command line would.
 */
import { type Command, runCommand } from "../../../workflows/cli/command.ts";
import type { Options } from "../../../workflows/cli/options.ts";
import "../../kernels/harness.ts"; // chooses the WebGPU back end

/** How a command ended. */
export interface Ended {
  readonly code: number;
  /** The JSON object; null where the command printed none. */
  // deno-lint-ignore no-explicit-any
  readonly json: any;
  readonly stderr: string;
}

/** Runs with `--json`. */
export async function runJson<O extends Options>(
  command: Command<O>,
  ...args: string[]
): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  const code = await runCommand(command, [...args, "--json"], {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, json: stdout === "" ? null : JSON.parse(stdout), stderr };
}
