/**
 * `deno task doctor`: what this machine, this build and this adapter are, for people and for bug reports.
 */
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import declared from "../../deno.json" with { type: "json" };
import { source as yamlSource } from "../deps/yaml.ts";
import { describeAdapter, type Gpu } from "../../kernels/gpu/device.ts";
import type { AdapterSetup } from "../setup/adapter.ts";
import { chooseMatmul, openDevice } from "../setup/open.ts";
import { system } from "../setup/system.ts";
import { type Command, defineCommand, main } from "./command.ts";

type Facts = Readonly<Record<string, unknown>>;

interface AdapterFacts {
  readonly description: string;
  readonly features: readonly string[];
  readonly limits: Facts;
  readonly [fact: string]: unknown;
}

/** One kernel run against its reference on this adapter. */
export interface SelfTestResult {
  /** The kernel. */
  readonly id: string;
  /** Whether the error stayed within its limit. */
  readonly ok: boolean;
  /** Largest error found. */
  readonly worst: number;
  /** Largest error allowed. */
  readonly limit: number;
}

interface Report {
  readonly machine: Facts;
  readonly setup: Facts;
  /** Manifests of Vulkan drivers. */
  readonly drivers: readonly string[];
  readonly adapter: AdapterFacts | null;
  readonly dependencies: Facts;
  readonly kernels: readonly SelfTestResult[];
  readonly advice: readonly string[];
}

/** Variables that decide which driver is loaded. */
const VARIABLES = [
  "DENO_WEBGPU_BACKEND",
  "VK_DRIVER_FILES",
  "VK_ICD_FILENAMES",
  "LD_LIBRARY_PATH",
  "XDG_RUNTIME_DIR",
  "MESA_SHADER_CACHE_DIR",
  "INFANT_ADAPTER",
  "INFANT_NO_INSTALL",
];

function machine(): Facts {
  const processors = cpus();
  return {
    toolkit: declared.version,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    typescript: Deno.version.typescript,
    os: `${Deno.build.os} ${release()} ${Deno.build.arch}`,
    cpu: `${processors.length} x ${processors[0]?.model ?? "unknown"}`,
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
  };
}

/** What the launcher did; it passes its result on in a variable. */
function setup(): Facts {
  const result: AdapterSetup | string | null = JSON.parse(Deno.env.get("INFANT_SETUP") ?? "null");
  const variables = VARIABLES.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return {
    result: result === null
      ? "not run: start this with deno task doctor"
      : typeof result === "string"
      ? result
      : result.notes.join("; ") || "an adapter was there, nothing was done",
    ...Object.fromEntries(variables),
  };
}

/** Libraries of graphics drivers in this process, from the kernel's own list; tells Vulkan from OpenGL. */
async function driverLibraries(): Promise<string[]> {
  const maps = await Deno.readTextFile("/proc/self/maps").catch(() => "");
  const files = maps.split("\n").map((line) => line.split(/\s+/)[5] ?? "");
  const drivers = /lib(vulkan|vk_|EGL|GLX|nvidia|dri|gallium)[^/]*\.so/;
  return [...new Set(files.filter((file) => drivers.test(file)))].sort();
}

function interfaceName(libraries: readonly string[]): string {
  if (libraries.some((file) => file.includes("libvulkan"))) return "Vulkan";
  if (libraries.some((file) => file.includes("libEGL"))) {
    return "OpenGL (slower, no f16: set DENO_WEBGPU_BACKEND=vulkan)";
  }
  return { windows: "Direct3D 12", darwin: "Metal" }[Deno.build.os as string] ?? "unknown";
}

/** Which schedule matrix products have on this adapter, and why. */
function matmulFact(adapter: GPUAdapter, asked: string | undefined): string {
  const lines: string[] = [];
  const { schedule, why } = chooseMatmul(
    describeAdapter(adapter),
    asked,
    (line) => lines.push(line),
  );
  return [`${schedule}: ${why}`, ...lines].join("\n");
}

async function adapterFacts(matmul: string | undefined): Promise<AdapterFacts | null> {
  const adapter = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return null;
  const limits: Record<string, number> = {};
  for (const name in adapter.limits) {
    limits[name] = Reflect.get(adapter.limits, name) as number;
  }
  const { vendor, architecture, device, description } = adapter.info;
  const libraries = await driverLibraries();
  return {
    description,
    vendor,
    architecture,
    device,
    interface: interfaceName(libraries),
    libraries,
    "matrix products": matmulFact(adapter, matmul),
    features: [...adapter.features].sort(),
    limits,
  };
}

/** Each dependency as declared and, from the lock file, the version it became. */
async function dependencies(): Promise<Facts> {
  const lock = await Deno.readTextFile(fileURLToPath(new URL("../../deno.lock", import.meta.url)))
    .then(JSON.parse, () => ({}));
  const facts: Record<string, string> = {};
  for (const [name, specifier] of Object.entries<string>(declared.imports)) {
    const resolved = lock.specifiers?.[specifier.replace(/@\^/, "@")] ??
      lock.specifiers?.[specifier];
    facts[name] = resolved ? `${specifier} (${resolved.replace(/_.*/, "")})` : specifier;
  }
  facts["@std/yaml"] += `, in use: ${yamlSource}`;
  return facts;
}

/** Things that often stand between a person and their GPU. */
async function advice(adapter: AdapterFacts | null): Promise<string[]> {
  const lines: string[] = [];
  const exists = (path: string) => Deno.stat(path).then(() => true, () => false);
  const software = /llvmpipe|swiftshader/i.test(adapter?.description ?? "");
  if (Deno.build.os === "linux" && (software || !adapter)) {
    if (await exists("/dev/nvidia0")) {
      lines.push(
        "an NVIDIA GPU is there, its Vulkan driver is not: in a container set NVIDIA_DRIVER_CAPABILITIES=all",
      );
    } else if (await exists(join("/dev/dri", "renderD128"))) {
      lines.push(
        "a GPU's render node is there: install its Vulkan driver, or join the group render",
      );
    } else if (software) lines.push("no GPU: everything runs on the CPU through a software driver");
  }
  return lines;
}

function print(title: string, facts: Facts): void {
  const rows = Object.entries(facts)
    .map(([name, value]) =>
      [name, Array.isArray(value) ? value.join("\n") : String(value)] as const
    )
    .filter(([, text]) => text !== "");
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  console.log(`\n${title}`);
  for (const [name, text] of rows) {
    text.split("\n").forEach((line, i) => {
      console.log(`  ${(i === 0 ? name : "").padEnd(width)}${line}`);
    });
  }
}

function printReport(report: Report): void {
  const { limits, features, ...adapter } = report.adapter ??
    { none: "WebGPU finds no adapter", limits: {}, features: [] };
  print("machine", report.machine);
  print("set-up", { ...report.setup, "Vulkan drivers": report.drivers });
  print("adapter", { ...adapter, features: features.join(" ") });
  if (report.adapter) print("limits", limits);
  print("dependencies", report.dependencies);
  const verdict = ({ ok, worst, limit }: SelfTestResult) =>
    `${ok ? "ok" : "FAILED"}  error ${worst.toExponential(1)}, limit ${limit.toExponential(1)}`;
  if (report.kernels.length > 0) {
    print("kernels", Object.fromEntries(report.kernels.map((test) => [test.id, verdict(test)])));
  }
  if (report.advice.length > 0) print("advice", { "": report.advice });
}

async function tested(
  selfTest: (gpu: Gpu) => Promise<readonly SelfTestResult[]>,
  wanted: { readonly adapter?: string; readonly matmul?: string },
): Promise<readonly SelfTestResult[]> {
  // The report says which schedule it is.
  const gpu = await openDevice(wanted, () => {});
  return await selfTest(gpu).finally(() => gpu.close());
}

/**
 * The command.
 * @param selfTest Runs the kernels on this adapter; only called when there is one.
 */
export function doctorCommand(
  selfTest: (gpu: Gpu) => Promise<readonly SelfTestResult[]>,
): Command {
  return defineCommand({
    name: "doctor",
    summary: "Tells what this machine, this build and this adapter are, and tests the kernels.",
    options: {},
    async run({ values }) {
      const adapter = await adapterFacts(values.matmul);
      const kernels = adapter ? await tested(selfTest, values) : [];
      const report: Report = {
        machine: machine(),
        setup: setup(),
        drivers: await system.manifests(),
        adapter,
        dependencies: await dependencies(),
        kernels,
        advice: await advice(adapter),
      };
      if (!values.json) printReport(report);
      return { ok: adapter !== null && kernels.every(({ ok }) => ok), json: { ...report } };
    },
  });
}

if (import.meta.main) {
  await main(doctorCommand(async (gpu) => {
    const { selfTest } = await import("../verify/self_test.ts");
    return await selfTest(gpu);
  }));
}
