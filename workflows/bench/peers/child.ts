/**
 * A contestant's process: started with its own environment, spoken to in lines.
 */
import type { Contestant } from "../contestant.ts";
import { linesOf, remoteContestant } from "./protocol.ts";

/** Lines of a process's error output that are kept. */
const LAST_LINES = 12;

/** How to start a process. */
export interface Program {
  /** Path or name of the program. */
  readonly command: string;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts a process that speaks the protocol, and waits until it has said what library it is.
 * @throws {Error} with its last words when it ends before that.
 */
export async function startChild(
  name: string,
  { command, args, env }: Program,
): Promise<Contestant> {
  const child = new Deno.Command(command, {
    args: [...args],
    env: { NO_COLOR: "1", ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const words: string[] = [];
  const listening = (async () => {
    for await (const line of linesOf(child.stderr)) {
      words.push(line.trim());
      if (words.length > LAST_LINES) words.shift();
    }
  })();
  const writer = child.stdin.getWriter();
  const encoder = new TextEncoder();
  return await remoteContestant(name, {
    lines: linesOf(child.stdout),
    write: (line) => writer.write(encoder.encode(`${line}\n`)),
    async lastWords() {
      await listening;
      return words.filter(Boolean).at(-1) ?? "without a word";
    },
    async end() {
      await writer.close();
      await child.status;
    },
  });
}
