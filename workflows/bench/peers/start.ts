/**
 * Starts contestants, each in a process that may do no more than it needs.
 */
import { InputError, oneLine } from "../../../kernels/errors.ts";
import { suggestion } from "../../nearest.ts";
import type { Contestant } from "../contestant.ts";
import { startChild } from "./child.ts";
import { type PeerName, PEERS } from "./packages.ts";
import { startTorch } from "./torch.ts";

/** How contestants are started. */
export interface StartOptions {
  /** Part of the name of the toolkit's adapter. */
  readonly adapter?: string;
  /** The toolkit's schedule of matrix products; that of the adapter where absent. */
  readonly matmul?: string;
  /** Python with PyTorch. */
  readonly python?: string;
  /** Variables for the process, e.g. where its driver keeps compiled shaders. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The Python of Debian's python3-torch; others are named by `--python`. */
const PYTHON = "/usr/bin/python3";

/** They read files and variables (caches, the driver's settings), and may do nothing else. */
const PERMISSIONS = ["--quiet", "--no-prompt", "--allow-read", "--allow-env", "--allow-sys"];

/**
 * Peers by a list such as `jax-js,torch`, or `all`.
 * @throws {InputError} at a name that is none.
 */
export function peerNames(list: string): readonly PeerName[] {
  if (list === "all") return PEERS;
  return [...new Set(list.split(","))].map((name) => {
    const peer = PEERS.find((known) => known === name);
    if (peer) return peer;
    throw new InputError(
      `--peers: there is no peer "${name}"${suggestion(name, PEERS)}: choose from ${
        PEERS.join(", ")
      }`,
    );
  });
}

/** Starts the toolkit. */
export function startToolkit({ adapter, matmul, env }: StartOptions = {}): Promise<Contestant> {
  const script = new URL("../toolkit/process.ts", import.meta.url).href;
  const args = ["run", ...PERMISSIONS, script, adapter ?? "", matmul ?? ""];
  return startChild("infant", { command: Deno.execPath(), args, env });
}

/**
 * Starts a peer and waits until it has loaded its library, which npm fetches on first use.
 * @throws {InputError} when the library cannot be loaded.
 */
export async function startPeer(
  peer: PeerName,
  { python = PYTHON, env }: StartOptions = {},
): Promise<Contestant> {
  try {
    if (peer === "torch") return await startTorch(python);
    const script = new URL("./process.ts", import.meta.url).href;
    // Neither the project's configuration nor its lock file knows the peers.
    const args = ["run", "--no-config", "--no-lock", ...PERMISSIONS, script, peer];
    return await startChild(peer, { command: Deno.execPath(), args, env });
  } catch (error) {
    const advice = peer === "torch"
      ? "install Debian's python3-torch, name a Python that has PyTorch with --python,"
      : "see whether npm can be reached,";
    throw new InputError(`--peers: ${oneLine(error)}: ${advice} or leave ${peer} out`, {
      cause: error,
    });
  }
}
