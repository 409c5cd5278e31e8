/**
 * The process of one peer: loads its library and answers on standard output. The peer's name is the first argument.
 */
import type { Library } from "../contest.ts";
import { localContestant } from "../contestant.ts";
import { jaxJs } from "./jax_js.ts";
import type { PeerName } from "./packages.ts";
import { linesOf, serve } from "./protocol.ts";
import { tfjs } from "./tfjs.ts";

const LIBRARIES: Readonly<Record<PeerName, () => Promise<Library>>> = { "jax-js": jaxJs, tfjs };

if (import.meta.main) {
  // Standard output belongs to the protocol; libraries like to talk.
  console.log = console.info = console.error;
  const contestant = await LIBRARIES[Deno.args[0] as PeerName]().then(
    (library) => localContestant(library),
    (error) => {
      // The other end quotes this line.
      console.error(error.message.split("\n")[0]);
      Deno.exit(1);
    },
  );
  const encoder = new TextEncoder();
  await serve(contestant, linesOf(Deno.stdin.readable), (line) => {
    const bytes = encoder.encode(`${line}\n`);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  });
  // Both libraries keep the process alive.
  Deno.exit(0);
}
