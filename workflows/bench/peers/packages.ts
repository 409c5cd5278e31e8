/**
 * The libraries that the toolkit is compared with. They are no dependencies: they are loaded only when `--peers` asks for
 * them, each in a process of its own, because all of them keep a device and settings per process.
 */
/** npm packages of each peer that has some, in the order in which they are loaded. */
export const PACKAGES = {
  "jax-js": ["npm:@jax-js/jax@0.1.25"],
  "tfjs": ["npm:@tensorflow/tfjs@4.22.0", "npm:@tensorflow/tfjs-backend-webgpu@4.22.0"],
} as const;

/** Name of a peer that npm fetches. */
export type PackagePeer = keyof typeof PACKAGES;

/** Name of a peer; PyTorch is not fetched, it is there or not. */
export type PeerName = PackagePeer | "torch";

/** All peers. */
export const PEERS: readonly PeerName[] = ["jax-js", "tfjs", "torch"];

/** Loads a peer's packages. Their specifiers are data here, so that Deno fetches them now and not when a program starts. */
export function loadPackages(peer: PackagePeer): Promise<unknown[]> {
  return Promise.all(PACKAGES[peer].map((specifier: string) => import(specifier)));
}

/** The version of a peer's first package. */
export function peerVersion(peer: PackagePeer): string {
  return PACKAGES[peer][0].split("@").at(-1)!;
}
