/**
 * One GPU device, opened once and asked for all it may need.
 *
 * WebGPU reports mistakes late: a validation error arrives as an event and the wrong numbers stay. `Gpu` keeps
 * the first such error and throws it at the next `check()`, which every submit and read-back calls. All
 * labels are kernel names, so the message says which kernel it was.
 */
import { DeviceError, InputError, oneLine } from "../errors.ts";
import { mayHaveSubgroups, subgroupsWork } from "./subgroups.ts";

/** What to open. */
export interface GpuOptions {
  /** `"software"` for the fallback adapter, or part of an adapter's vendor, architecture or description. */
  readonly adapter?: string;
  /** Ask for timestamp queries (the profile table). */
  readonly profile?: boolean;
  /** The schedule of matrix products, or what chooses one for the adapter; where there is none, that of the adapter's class. */
  readonly matmul?: MatmulSchedule | ((info: AdapterInfo) => MatmulSchedule | null);
  /** Also for products that another schedule suits better, e.g. small ones: to verify a schedule, not to be fast. */
  readonly matmulEverywhere?: boolean;
  /** False leaves subgroups unused where they work; results are the same bits. */
  readonly subgroups?: boolean;
}

/** What is known of the adapter. */
export interface AdapterInfo {
  /** E.g. `nvidia`; may be empty. */
  readonly vendor: string;
  /** E.g. `hopper`; may be empty. */
  readonly architecture: string;
  /** The name that the driver gives; may be empty. */
  readonly description: string;
  /** The adapter computes on the CPU: it picks other kernel schedules. */
  readonly software: boolean;
}

/**
 * How a matrix product is cut: a block of C per invocation, with operands from textures or from buffers, or tiles shared by a workgroup,
 * small or large; see `matmul/schedules.ts`.
 */
export type MatmulSchedule = "textures" | "registers" | "tiled" | "tiled8";

/** All of them. */
export const MATMUL_SCHEDULES: readonly MatmulSchedule[] = [
  "textures",
  "registers",
  "tiled",
  "tiled8",
];

/** The schedule of an adapter's class: on a CPU loads are what costs time, on a GPU what waits for memory. */
export function defaultMatmul({ software }: AdapterInfo): MatmulSchedule {
  return software ? "textures" : "tiled";
}

/**
 * Checks the name of a schedule.
 * @throws {InputError} naming `where` it stands and the schedules there are.
 */
export function matmulSchedule(name: string, where: string): MatmulSchedule {
  const known = MATMUL_SCHEDULES.find((schedule) => schedule === name);
  if (known) return known;
  throw new InputError(
    `${where}: there is no matmul schedule "${name}": choose from ${MATMUL_SCHEDULES.join(", ")}`,
  );
}

/** Longest message of the driver that is passed on: shader errors quote code. */
const MESSAGE = 2000;

/** All other limits stay at WebGPU's defaults, so that a kernel which runs on one adapter runs on any. */
const WANTED_LIMITS = ["maxBufferSize", "maxStorageBufferBindingSize"] as const;

/** WebGPU's default, which no kernel exceeds. */
export const STORAGE_BUFFERS_PER_KERNEL = 8;

/** An open device with its adapter's facts; owns error capture and the pipeline cache. */
export class Gpu {
  /** WebGPU's device. */
  readonly device: GPUDevice;
  /** What is known of its adapter. */
  readonly info: AdapterInfo;
  /** Half-precision floats in shaders (`shader-f16`). */
  readonly hasF16: boolean;
  /** Timestamp queries were asked for and are there. */
  readonly hasTimestamps: boolean;
  /** A workgroup of eight is a subgroup, see `subgroups.ts`. */
  readonly hasSubgroups: boolean;
  /** Loads from textures are much cheaper than from buffers; see `texture.ts`. */
  readonly fastTextures: boolean;
  /** The schedule of matrix products where an operation does not ask for one; see `matmul/schedules.ts`. */
  readonly matmulSchedule: MatmulSchedule;
  /** That schedule, and textures for every other kernel if it reads those, is taken even where another suits better: for tests. */
  readonly matmulEverywhere: boolean;
  /** Compiled pipelines by code and overrides; filled by `kernel.ts`. */
  readonly pipelines: Map<string, unknown> = new Map();
  /** Pipelines that the driver has compiled for sure; see `Tape.warm`. */
  readonly warmed: WeakSet<GPUComputePipeline> = new WeakSet();
  /** Counts since opening, asserted by tests. */
  readonly counts = { dispatches: 0, submits: 0, readbacks: 0, buffers: 0, bufferBytes: 0 };
  #error: DeviceError | null = null;
  #lost: DeviceError | null = null;
  #closed = false;

  /** @internal Use {@linkcode openGpu}. */
  constructor(
    device: GPUDevice,
    info: AdapterInfo,
    matmul: MatmulSchedule = defaultMatmul(info),
    matmulEverywhere = false,
    hasSubgroups = false,
  ) {
    this.device = device;
    this.info = info;
    this.hasF16 = device.features.has("shader-f16");
    this.hasTimestamps = device.features.has("timestamp-query");
    this.hasSubgroups = hasSubgroups;
    this.fastTextures = info.software;
    this.matmulSchedule = matmul;
    this.matmulEverywhere = matmulEverywhere;
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault?.();
      this.#error ??= new DeviceError(
        `GPU error: ${oneLine((event as GPUUncapturedErrorEvent).error.message, MESSAGE)}`,
      );
    });
    device.lost.then((lost) => {
      if (this.#closed) return;
      this.#lost = new DeviceError(
        `the GPU device was lost (${lost.reason ?? "unknown"}): ${oneLine(lost.message, MESSAGE)}`,
      );
    });
  }

  /**
   * Throws the first error the device reported since the last call.
   * @throws {DeviceError} also at every call once the device was lost: nothing computes any more.
   */
  check(): void {
    const error = this.#lost ?? this.#error;
    this.#error = null;
    if (error) throw error;
  }

  /**
   * Makes a buffer.
   * @throws {InputError} when it is larger than the adapter allows.
   */
  createBuffer(label: string, bytes: number, usage: number): GPUBuffer {
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const most = this.device.limits.maxBufferSize;
    if (size > most) {
      throw new InputError(
        `${label} needs a buffer of ${mib(size)}, this adapter allows ${mib(most)}: ` +
          `use a smaller model, batch or length`,
      );
    }
    this.counts.buffers++;
    this.counts.bufferBytes += size;
    return this.device.createBuffer({ label, size, usage });
  }

  /** Frees the device; everything made on it is gone. */
  close(): void {
    this.#closed = true;
    this.device.destroy();
  }
}

/** A size for people. */
export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 24 ? 1 : 0)} MiB`;
}

/**
 * Opens the best adapter: high performance first, then whatever there is.
 * @throws {InputError} when there is no adapter, or none of the wanted name, or no such schedule.
 * @throws {DeviceError} when the adapter gives no device.
 */
export async function openGpu(options: GpuOptions = {}): Promise<Gpu> {
  const asked = options.matmul;
  if (typeof asked === "string") matmulSchedule(asked, "matmul");
  const adapter = await findAdapter(options.adapter);
  const info = describeAdapter(adapter);
  const matmul = (typeof asked === "function" ? asked(info) : asked) ?? defaultMatmul(info);
  const requiredLimits: Record<string, number> = {};
  for (const limit of WANTED_LIMITS) requiredLimits[limit] = adapter.limits[limit];
  // A 2 GiB storage buffer cannot be bound in whole anyway, and some drivers refuse the odd last byte.
  requiredLimits.maxBufferSize = Math.min(adapter.limits.maxBufferSize, 2 ** 31 - 4);
  const wanted: GPUFeatureName[] = ["shader-f16"];
  if (options.profile) wanted.push("timestamp-query");
  const requiredFeatures = wanted.filter((feature) => adapter.features.has(feature));
  const wish = { label: "infant", requiredFeatures, requiredLimits };
  const wishMore = { ...wish, requiredFeatures: [...requiredFeatures, "subgroups" as const] };
  const ask = options.subgroups !== false && mayHaveSubgroups(adapter.info, info.software);
  const granted = ask ? await adapter.requestDevice(wishMore).catch(() => null) : null;
  const device = granted ?? await adapter.requestDevice(wish).catch((error) => {
    throw new DeviceError(`${info.description || "the adapter"} gave no device: ${oneLine(error)}`);
  });
  const subgroups = granted !== null && await subgroupsWork(device);
  return new Gpu(device, info, matmul, options.matmulEverywhere, subgroups);
}

async function findAdapter(name?: string): Promise<GPUAdapter> {
  const gpu = globalThis.navigator?.gpu;
  const attempts: GPURequestAdapterOptions[] = name === "software"
    ? [{ forceFallbackAdapter: true }, {}]
    : [
      { powerPreference: "high-performance" },
      {},
      // Reaches a laptop's second GPU when it is asked for by name.
      { powerPreference: "low-power" },
      { forceFallbackAdapter: true },
    ];
  const seen: string[] = [];
  for (const attempt of attempts) {
    const adapter = await gpu?.requestAdapter(attempt);
    if (!adapter) continue;
    const info = describeAdapter(adapter);
    if (!name || matches(info, name)) return adapter;
    const text = `${info.vendor} ${info.architecture} ${info.description}`.trim();
    if (!seen.includes(text)) seen.push(text);
  }
  throw new InputError(
    name && seen.length > 0
      ? `no WebGPU adapter matches "${name}"; found: ${seen.join("; ")}`
      : "no WebGPU adapter found: install a Vulkan driver (Debian: apt-get install mesa-vulkan-drivers)",
  );
}

function matches(info: AdapterInfo, name: string): boolean {
  if (name === "software") return info.software;
  const text = `${info.vendor} ${info.architecture} ${info.description}`.toLowerCase();
  return text.includes(name.toLowerCase());
}

/** What WebGPU tells of an adapter. */
export function describeAdapter(adapter: GPUAdapter): AdapterInfo {
  const { vendor, architecture, description } = adapter.info;
  const text = `${vendor} ${architecture} ${description}`.toLowerCase();
  // Deno reports isFallbackAdapter; Chromium's SwiftShader is known by its name.
  const fallback = (adapter.info as { isFallbackAdapter?: boolean }).isFallbackAdapter ?? false;
  const software = fallback || /llvmpipe|lavapipe|swiftshader|software/.test(text);
  return { vendor, architecture, description, software };
}
