/**
 * A kernel: WGSL text, and what the host must know of it, read from that text.
 *
 * Bindings and uniform fields are parsed out of the shader, so host and shader cannot drift apart. Two text
 * rules are added to WGSL, because register tiles must be unrolled by hand (naga does not unroll, and
 * indexed private arrays halve the speed on software adapters):
 *
 *     $NAME            is replaced by the constant NAME
 *     #repeat i N      repeats the lines up to #end, N times, with {i} replaced by 0 .. N-1
 */
import { DeviceError, InputError } from "../errors.ts";
import { type Gpu, STORAGE_BUFFERS_PER_KERNEL } from "./device.ts";
import { textureLayout } from "./texture.ts";

/** A buffer or texture as declared in the shader. */
export interface BindingSpec {
  /** Name of the variable. */
  readonly name: string;
  /** Its `@binding` number. */
  readonly index: number;
  /** What the shader does with it. */
  readonly access: "read" | "read_write";
  /** Its elements are float16; otherwise they have 4 bytes. */
  readonly half: boolean;
  /** It is a texture, see `texture.ts`; otherwise a buffer. */
  readonly texture: boolean;
}

/** One 4-byte field of the kernel's uniform struct. */
export interface UniformField {
  /** Name of the field. */
  readonly name: string;
  /** Its type in WGSL. */
  readonly type: "u32" | "i32" | "f32";
}

/** A shader ready to be compiled. */
export interface Kernel {
  /** Stem of the file; names it in errors and profiles. */
  readonly name: string;
  /** WGSL. */
  readonly code: string;
  /** Storage buffers and textures, by number. */
  readonly bindings: readonly BindingSpec[];
  /** Fields of the uniform struct, in order. */
  readonly uniforms: readonly UniformField[];
  /** Binding index of the uniform struct, or -1. */
  readonly uniformIndex: number;
}

/** A compiled kernel. */
export interface CompiledKernel {
  /** What was compiled. */
  readonly kernel: Kernel;
  /** Its buffers and textures. */
  readonly layout: GPUBindGroupLayout;
  /** What is launched. */
  readonly pipeline: GPUComputePipeline;
}

/** Values for `override` constants of a shader. */
export type Overrides = Readonly<Record<string, number>>;

/** Replaces `$NAME` and unrolls `#repeat`. */
export function expand(code: string, constants: Readonly<Record<string, number | string>>): string {
  const text = code.replace(/\$([A-Z][A-Z0-9_]*)/g, (_, name) => {
    if (!(name in constants)) throw new Error(`shader constant $${name} has no value`);
    return String(constants[name]);
  });
  return unroll(text.split("\n")).join("\n");
}

function unroll(lines: readonly string[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const head = lines[at].match(/^\s*#repeat\s+(\w+)\s+(\d+)\s*$/);
    if (!head) {
      out.push(lines[at]);
      continue;
    }
    const body: string[] = [];
    for (let depth = 1;; body.push(lines[at])) {
      const line = lines[++at]?.trim();
      if (line === undefined) throw new Error(`#repeat ${head[1]} has no #end`);
      if (line.startsWith("#repeat")) depth++;
      if (line === "#end" && --depth === 0) break;
    }
    for (let i = 0; i < Number(head[2]); i++) {
      out.push(...unroll(body.map((line) => line.replaceAll(`{${head[1]}}`, String(i)))));
    }
  }
  return out;
}

/** Defines a kernel from its WGSL; `constants` fill the `$NAME`s. */
export function defineKernel(
  name: string,
  source: string,
  constants: Readonly<Record<string, number | string>> = {},
): Kernel {
  const text = expand(source, constants);
  const halves = text.includes("<f16>") && !text.includes("enable f16;");
  const code = halves ? `enable f16;\n${text}` : text;
  const bindings: BindingSpec[] = [];
  const pattern =
    /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)\s*:([^;]*);/g;
  const aliases = new Map(
    Array.from(code.matchAll(/alias\s+(\w+)\s*=([^;]*);/g), (m) => [m[1], m[2]]),
  );
  for (const [, index, access, binding, type] of code.matchAll(pattern)) {
    const half = type.replace(/\w+/g, (word) => aliases.get(word) ?? word).includes("f16");
    const spec = { name: binding, index: Number(index), half, texture: false };
    bindings.push({ ...spec, access: access as BindingSpec["access"] });
  }
  if (bindings.length > STORAGE_BUFFERS_PER_KERNEL) {
    throw new Error(`kernel ${name} binds ${bindings.length} buffers, WebGPU promises 8`);
  }
  const textures =
    /@group\(0\)\s*@binding\((\d+)\)\s*var\s+(\w+)\s*:\s*texture_storage_2d<rgba32float,\s*(read|write)>/g;
  for (const [, index, binding, access] of code.matchAll(textures)) {
    bindings.push({
      name: binding,
      index: Number(index),
      access: access === "read" ? "read" : "read_write",
      half: false,
      texture: true,
    });
  }
  const uniform = code.match(/@group\(0\)\s*@binding\((\d+)\)\s*var<uniform>\s*\w+\s*:\s*(\w+)/);
  const uniforms = uniform ? parseStruct(name, code, uniform[2]) : [];
  const uniformIndex = uniform ? Number(uniform[1]) : -1;
  return { name, code, bindings, uniforms, uniformIndex };
}

function parseStruct(kernel: string, code: string, struct: string): UniformField[] {
  const body = code.match(new RegExp(`struct\\s+${struct}\\s*\\{([^}]*)\\}`))?.[1] ?? "";
  const lines = body.replace(/\/\/.*$/gm, "").split(",").map((line) => line.trim()).filter(Boolean);
  return lines.map((line) => {
    const field = line.match(/^(\w+)\s*:\s*(u32|i32|f32)$/);
    if (!field) throw new Error(`kernel ${kernel}: uniform field "${line}" is not u32, i32 or f32`);
    return { name: field[1], type: field[2] as UniformField["type"] };
  });
}

/** Compiles a kernel for a device, once per set of overrides. */
export function compileKernel(gpu: Gpu, kernel: Kernel, overrides: Overrides = {}): CompiledKernel {
  const key = `${kernel.code} ${JSON.stringify(overrides)}`;
  const cached = gpu.pipelines.get(key) as CompiledKernel | undefined;
  if (cached) return cached;
  const { device } = gpu;
  const visibility = GPUShaderStage.COMPUTE;
  const entries: GPUBindGroupLayoutEntry[] = kernel.bindings.map(({ index, access, texture }) =>
    texture ? { binding: index, visibility, storageTexture: textureLayout(access) } : {
      binding: index,
      visibility,
      buffer: { type: access === "read" ? "read-only-storage" : "storage" },
    }
  );
  if (kernel.uniformIndex >= 0) {
    entries.push({ binding: kernel.uniformIndex, visibility, buffer: { type: "uniform" } });
  }
  const label = kernel.name;
  const layout = device.createBindGroupLayout({ label, entries });
  const pipeline = device.createComputePipeline({
    label,
    layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
    compute: {
      module: device.createShaderModule({ label, code: kernel.code }),
      entryPoint: "main",
      constants: { ...overrides },
    },
  });
  const compiled = { kernel, layout, pipeline };
  gpu.pipelines.set(key, compiled);
  return compiled;
}

/** Packs uniform values in declaration order (all fields are 4 bytes). */
export function packUniforms(
  kernel: Kernel,
  values: Readonly<Record<string, number>>,
): ArrayBuffer {
  const data = new DataView(
    new ArrayBuffer(Math.max(16, Math.ceil(kernel.uniforms.length / 4) * 16)),
  );
  kernel.uniforms.forEach(({ name, type }, i) => {
    const value = values[name];
    if (value === undefined) throw new Error(`kernel ${kernel.name}: uniform ${name} has no value`);
    if (type === "f32") data.setFloat32(4 * i, value, true);
    else if (type === "i32") data.setInt32(4 * i, value, true);
    else if (value >= 0 && value < 2 ** 32 && Number.isInteger(value)) {
      data.setUint32(4 * i, value, true);
    } else throw new InputError(`kernel ${kernel.name}: ${name} must fit u32, got ${value}`);
  });
  for (const name of Object.keys(values)) {
    if (!kernel.uniforms.some((field) => field.name === name)) {
      throw new DeviceError(`kernel ${kernel.name} has no uniform ${name}`);
    }
  }
  return data.buffer;
}
