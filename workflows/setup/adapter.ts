/**
 * Sees to it that a command finds a GPU adapter, on a fresh machine too.
 *
 * On Linux Deno reaches the GPU through Vulkan: a loader (`libvulkan.so.1`) and a driver that a manifest (`*.json`)
 * announces. What is missing is installed with apt when the user is root; otherwise SwiftShader, a software driver
 * that an npm package ships with a loader of its own, needs no rights at all. macOS and Windows bring Metal and D3D12.
 */
import { InputError } from "../../kernels/errors.ts";
import { type FoundAdapter, type System, system } from "./system.ts";

export type { FoundAdapter };

/** What a process needs in its environment to find an adapter. */
export interface AdapterSetup {
  /** Variables to set before the first `requestAdapter`. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder of a Vulkan loader that the system lacks; it must be on the library path when the process starts. */
  readonly loaderFolder: string | null;
  /** The adapter that was found. */
  readonly adapter: FoundAdapter;
  /** What was done to get it, one line each; empty when it was simply there. */
  readonly notes: readonly string[];
}

/** Variables, and where the loader is. */
type Candidate = Pick<AdapterSetup, "env" | "loaderFolder">;

/** True when `name` means this adapter: `software`, or part of its vendor, architecture or description. */
export function adapterMatches(adapter: FoundAdapter, name: string): boolean {
  if (name === "software") return adapter.software;
  const text = `${adapter.vendor} ${adapter.architecture} ${adapter.description}`;
  return text.toLowerCase().includes(name.toLowerCase());
}

/**
 * Finds an adapter, installing a driver where there is none.
 * @param name Which adapter (`--adapter`, `INFANT_ADAPTER`); undefined: the best there is.
 * @param say Told, in one line, what is about to be installed.
 * @throws {InputError} when there is none and none can be had; the line says what to run.
 */
export async function ensureAdapter(
  name: string | undefined,
  say: (line: string) => void,
  on: System = system,
): Promise<AdapterSetup> {
  const base: Candidate = { env: await on.baseEnvironment(), loaderFolder: null };
  const seen = new Set<string>();
  const attempt = async (
    candidate: Candidate,
    notes: string[] = [],
  ): Promise<AdapterSetup | null> => {
    const found = await on.probe(candidate, name);
    for (const { description } of found) seen.add(description);
    const adapter = found.find((one) => name === undefined || adapterMatches(one, name));
    return adapter ? { ...candidate, adapter, notes } : null;
  };
  const there = await attempt(base) ??
    (on.os === "linux" ? await byManifest(base, on, attempt) : null);
  if (there) return there;
  if (on.os === "linux" && mayInstall(name)) {
    const notes: string[] = [];
    const tell = (line: string) => {
      notes.push(line);
      say(line);
    };
    const added = await byInstalling(
      base,
      name,
      on,
      tell,
      (candidate) => attempt(candidate, notes),
    );
    if (added) return added;
  }
  throw new InputError(refusal(name, [...seen], on));
}

/** A driver that the loader ranks behind another is reached by naming its manifest. */
async function byManifest(
  base: Candidate,
  on: System,
  attempt: (candidate: Candidate, notes: string[]) => Promise<AdapterSetup | null>,
): Promise<AdapterSetup | null> {
  for (const manifest of await on.manifests()) {
    const env = { ...base.env, VK_DRIVER_FILES: manifest };
    const setup = await attempt({ ...base, env }, [`uses the driver ${manifest}`]);
    if (setup) return setup;
  }
  return null;
}

const LLVMPIPE = /^(software|llvmpipe)$/i;
const SWIFTSHADER = /^(software|swiftshader)$/i;

/** Only software drivers can be installed for the user; a GPU that is not there cannot. */
function mayInstall(name: string | undefined): boolean {
  return name === undefined || LLVMPIPE.test(name) || SWIFTSHADER.test(name);
}

async function byInstalling(
  base: Candidate,
  name: string | undefined,
  on: System,
  say: (line: string) => void,
  attempt: (candidate: Candidate) => Promise<AdapterSetup | null>,
): Promise<AdapterSetup | null> {
  const wants = (driver: RegExp) => name === undefined || driver.test(name);
  if (wants(LLVMPIPE) && on.canInstall) {
    say("no Vulkan driver found: installing mesa-vulkan-drivers with apt-get (once)");
    const problem = await on.installMesa();
    if (problem === null) {
      const setup = await attempt(base);
      if (setup) return setup;
    } else say(`apt-get did not install mesa-vulkan-drivers: ${problem}`);
  }
  if (!on.hasSwiftShader) return null;
  const swiftshader = await on.unpackSwiftShader(say);
  if (swiftshader === null) return null;
  // The package's loader may be all that was missing to reach a real GPU's driver.
  const withLoader = { env: base.env, loaderFolder: swiftshader.folder };
  const env = { ...base.env, VK_DRIVER_FILES: swiftshader.manifest };
  return (wants(LLVMPIPE) ? await attempt(withLoader) : null) ??
    (wants(SWIFTSHADER) ? await attempt({ env, loaderFolder: swiftshader.folder }) : null);
}

function refusal(name: string | undefined, seen: readonly string[], on: System): string {
  if (name !== undefined && seen.length > 0) {
    return `no GPU adapter matches "${name}": there is ${seen.join(", ")}`;
  }
  const advice = on.os === "linux"
    ? "run `sudo apt-get install mesa-vulkan-drivers`, or install your GPU vendor's Vulkan driver"
    : "update the graphics driver";
  return `no GPU adapter found: ${advice}, then \`deno task doctor\``;
}
