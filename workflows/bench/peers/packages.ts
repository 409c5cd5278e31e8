/**
 * The libraries that the toolkit is compared with. They are no dependencies: they are fetched and loaded only when
 * `--peers` asks for them, each in a process of its own, because both keep a device and settings per process.
 */
/** npm packages of each peer, in the order in which they are loaded. */
export const PEERS = {
  "jax-js": ["npm:@jax-js/jax@0.1.25"],
  "tfjs": ["npm:@tensorflow/tfjs@4.22.0", "npm:@tensorflow/tfjs-backend-webgpu@4.22.0"],
} as const;

/** Name of a peer. */
export type PeerName = keyof typeof PEERS;

/** Loads a peer's packages. Their specifiers are data here, so that Deno fetches them now and not when a program starts. */
export function loadPackages(peer: PeerName): Promise<unknown[]> {
  return Promise.all(PEERS[peer].map((specifier: string) => import(specifier)));
}

/** The version of a peer's first package. */
export function peerVersion(peer: PeerName): string {
  return PEERS[peer][0].split("@").at(-1)!;
}
