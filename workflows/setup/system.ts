/**
 * What the adapter set-up asks of the machine: probing in a child process, apt, manifests, folders.
 * Tests put another {@linkcode System} in its place.
 */
import { join } from "node:path";
import { type SwiftShader, unpackSwiftShader } from "./swiftshader.ts";

/** What is known of an adapter before it is opened. */
export interface FoundAdapter {
  /** Vendor as WebGPU tells it: a name or a PCI number. */
  readonly vendor: string;
  /** Architecture, often empty. */
  readonly architecture: string;
  /** The driver's own name for the device. */
  readonly description: string;
  /** It computes on the CPU. */
  readonly software: boolean;
}

/** The machine as the adapter set-up sees it. */
export interface System {
  /** Operating system. */
  readonly os: typeof Deno.build.os;
  /** apt-get may be used: it is there, the user is root, and `INFANT_NO_INSTALL` is not set. */
  readonly canInstall: boolean;
  /** SwiftShader is shipped for this machine and may be fetched. */
  readonly hasSwiftShader: boolean;
  /** Variables that every process of ours needs before it asks for an adapter. */
  baseEnvironment(): Promise<Record<string, string>>;
  /** Adapters that a process with this environment finds, best first; empty when it crashes or hangs. */
  probe(
    setup: { readonly env: Readonly<Record<string, string>>; readonly loaderFolder: string | null },
    name: string | undefined,
  ): Promise<FoundAdapter[]>;
  /** Paths of the manifests of installed Vulkan drivers. */
  manifests(): Promise<string[]>;
  /** Installs Mesa's drivers; null, or what went wrong. */
  installMesa(): Promise<string | null>;
  /** Fetches SwiftShader once; null when it cannot be had. */
  unpackSwiftShader(say: (line: string) => void): Promise<SwiftShader | null>;
}

/** A driver that has not answered by then never will; the slowest honest one seen took 0.5 s. */
const PROBE_TIMEOUT_MS = 30_000;

const MANIFEST_FOLDERS = [
  "/usr/share/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/etc/vulkan/icd.d",
  // Where GPU clusters mount the vendor's driver into containers.
  "/usr/local/nvidia/vulkan/icd.d",
  "/usr/local/nvidia/share/vulkan/icd.d",
];

/** A folder for what may be fetched or made again: `$XDG_CACHE_HOME/infant`, `~/.cache/infant`, or a temporary one. */
export function cacheFolder(): string {
  const home = Deno.env.get("HOME");
  const cache = Deno.env.get("XDG_CACHE_HOME") ??
    (home && home !== "/" ? join(home, ".cache") : null);
  return join(cache ?? temporaryFolder(), cache ? "infant" : `infant-${Deno.uid() ?? "cache"}`);
}

function temporaryFolder(): string {
  return Deno.env.get("TMPDIR") ?? "/tmp";
}

/** Variables for a child process: the setup's own and the library path. */
export function childEnvironment(
  setup: { readonly env: Readonly<Record<string, string>>; readonly loaderFolder: string | null },
): Record<string, string> {
  const env = { ...setup.env };
  if (setup.loaderFolder !== null) {
    const before = Deno.env.get("LD_LIBRARY_PATH");
    env.LD_LIBRARY_PATH = before ? `${setup.loaderFolder}:${before}` : setup.loaderFolder;
  }
  return env;
}

async function baseEnvironment(): Promise<Record<string, string>> {
  if (Deno.build.os !== "linux") return {};
  const env: Record<string, string> = {};
  // Without it Deno falls back to OpenGL silently: the same adapter name, slower, no f16.
  if (!Deno.env.has("DENO_WEBGPU_BACKEND")) env.DENO_WEBGPU_BACKEND = "vulkan";
  // EGL complains on stderr when it is not set.
  if (!Deno.env.has("XDG_RUNTIME_DIR")) {
    env.XDG_RUNTIME_DIR = join(temporaryFolder(), `infant-runtime-${Deno.uid()}`);
    await Deno.mkdir(env.XDG_RUNTIME_DIR, { recursive: true, mode: 0o700 }).catch(() => {});
  }
  // Mesa keeps compiled shaders under $HOME; without one it would compile them anew in every run.
  const home = Deno.env.get("HOME");
  if ((!home || home === "/") && !Deno.env.has("MESA_SHADER_CACHE_DIR")) {
    env.MESA_SHADER_CACHE_DIR = join(cacheFolder(), "mesa");
  }
  return env;
}

async function probe(
  setup: { readonly env: Readonly<Record<string, string>>; readonly loaderFolder: string | null },
  name: string | undefined,
): Promise<FoundAdapter[]> {
  const script = new URL("./probe.ts", import.meta.url).href;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--no-prompt", script, ...name ? [name] : []],
    env: childEnvironment(setup),
    stdout: "piped",
    stderr: "null",
    signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
  });
  const { success, stdout } = await command.output();
  return success ? JSON.parse(new TextDecoder().decode(stdout)) : [];
}

async function manifests(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of MANIFEST_FOLDERS) {
    try {
      for await (const entry of Deno.readDir(folder)) {
        if (entry.name.endsWith(".json")) found.push(join(folder, entry.name));
      }
    } catch {
      // A folder that is not there announces no driver.
    }
  }
  return found.sort();
}

/** Runs apt-get; null, or its last line of complaint. */
async function apt(...args: string[]): Promise<string | null> {
  const { success, stderr } = await new Deno.Command("apt-get", {
    args: ["-qq", "-o", "DPkg::Lock::Timeout=300", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return null;
  return new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "it failed";
}

async function installMesa(): Promise<string | null> {
  // A failed update is no reason to stop: the lists at hand may do.
  await apt("update");
  return await apt("install", "-y", "--no-install-recommends", "mesa-vulkan-drivers");
}

function onPath(program: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(join(folder, program)).isFile;
    } catch {
      return false;
    }
  });
}

const mayInstall = () => !Deno.env.has("INFANT_NO_INSTALL");

/** The machine this process runs on. */
export const system: System = {
  os: Deno.build.os,
  get canInstall() {
    return mayInstall() && Deno.build.os === "linux" && Deno.uid() === 0 && onPath("apt-get");
  },
  get hasSwiftShader() {
    return mayInstall() && Deno.build.os === "linux" && Deno.build.arch === "x86_64";
  },
  baseEnvironment,
  probe,
  manifests,
  installMesa,
  unpackSwiftShader: (say) => unpackSwiftShader(cacheFolder(), say),
};
