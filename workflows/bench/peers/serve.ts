/**
 * The life of a contestant's process: load the library, answer on standard output until the questions end.
 */
import { oneLine } from "../../../kernels/errors.ts";
import type { Library } from "../contest.ts";
import { localContestant } from "../contestant.ts";
import { linesOf, serve } from "./protocol.ts";

/** Serves a library and ends the process. */
export async function serveLibrary(load: () => Promise<Library>): Promise<never> {
  // Standard output belongs to the protocol; libraries like to talk.
  console.log = console.info = console.error;
  const contestant = await load().then(localContestant, (error) => {
    // The other end quotes this line.
    console.error(oneLine(error));
    Deno.exit(1);
  });
  const encoder = new TextEncoder();
  await serve(contestant, linesOf(Deno.stdin.readable), (line) => {
    const bytes = encoder.encode(`${line}\n`);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  });
  // Libraries keep the process alive.
  Deno.exit(0);
}
