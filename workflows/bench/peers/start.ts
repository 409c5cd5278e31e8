/**
 * Starts a peer's process. It reads files and variables (npm's cache, the driver's settings), and may do nothing else.
 */
import { InputError } from "../../../kernels/errors.ts";
import { suggestion } from "../../nearest.ts";
import type { Contestant } from "../contestant.ts";
import { type PeerName, PEERS } from "./packages.ts";
import { linesOf, remoteContestant } from "./protocol.ts";

/** Lines of a process's error output that are kept. */
const LAST_LINES = 12;

/**
 * Peers by a list such as `jax-js,tfjs`, or `all`.
 * @throws {InputError} at a name that is none.
 */
export function peerNames(list: string): PeerName[] {
  const known = Object.keys(PEERS) as PeerName[];
  if (list === "all") return known;
  return [...new Set(list.split(","))].map((name) => {
    if (Object.hasOwn(PEERS, name)) return name as PeerName;
    throw new InputError(
      `--peers: there is no peer "${name}"${suggestion(name, known)}: choose from ${
        known.join(", ")
      }`,
    );
  });
}

/**
 * Starts a peer and waits until it has loaded its library, which npm fetches on first use.
 * @throws {InputError} when the library cannot be loaded.
 */
export async function startPeer(peer: PeerName): Promise<Contestant> {
  const script = new URL("./process.ts", import.meta.url).href;
  // Neither the project's configuration nor its lock file knows the peers.
  const alone = ["--quiet", "--no-config", "--no-lock", "--no-prompt"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...alone, "--allow-read", "--allow-env", "--allow-sys", script, peer],
    env: { NO_COLOR: "1" },
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
  try {
    return await remoteContestant(peer, {
      lines: linesOf(child.stdout),
      write: (line) => writer.write(encoder.encode(`${line}\n`)),
      async lastWords() {
        await listening;
        return words.filter(Boolean).join(" ") || "without a word";
      },
      async end() {
        await writer.close();
        await child.status;
      },
    });
  } catch (error) {
    throw new InputError(
      `--peers: ${(error as Error).message}; leave ${peer} out, or see whether npm can be reached`,
      { cause: error },
    );
  }
}
