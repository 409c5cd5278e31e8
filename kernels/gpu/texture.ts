/**
 * Tensors as textures, for kernels that read the same values over and over on a software adapter.
 *
 * llvmpipe runs eight invocations in lock step. A load from a storage buffer is a loop over the eight with a bounds check each; a
 * `textureLoad` from a storage texture is straight vector code and takes 11-13 ns where the buffer takes 27-38 (2026-11-21, LLVM 15).
 * Matrix products are bound by their loads there: with texture operands they run 2.5 to 3 times as fast. Other kernels do little but load: see
 * `reading.ts`. GPUs gain nothing from it.
 *
 * A tensor's vec4s lie one after the other in rows of {@linkcode TEXTURE_WIDTH} texels: {@linkcode readTextures}
 * makes a shader that reads them out of one that reads buffers, and `Tape.mirror` makes the copy.
 */
import { InputError } from "../errors.ts";
import type { Gpu } from "./device.ts";

/** Texels (vec4f) in a row of a texture; every WebGPU adapter allows that many. */
export const TEXTURE_WIDTH = 8192;

/** Bytes of a row. */
export const TEXTURE_ROW_BYTES = 16 * TEXTURE_WIDTH;

/** WGSL: where vec4 number i lies. */
const TEXEL = `
fn texel(i: u32) -> vec2u { return vec2u(i % ${TEXTURE_WIDTH}u, i / ${TEXTURE_WIDTH}u); }
`;

/**
 * The same shader with the buffers called `names` as textures: `name[i]`, a vec4f, becomes `textureLoad(name, texel(i))`.
 * @throws when the shader has no such buffer.
 */
export function readTextures(code: string, names: readonly string[]): string {
  return names.reduce((text, name) => {
    const declared = new RegExp(`var<storage,\\s*read>\\s+${name}\\s*:[^;]*;`);
    if (!declared.test(text)) throw new Error(`the shader reads no buffer called ${name}`);
    const declaration = `var ${name}: texture_storage_2d<rgba32float, read>;`;
    return readsOf(text.replace(declared, declaration), name);
  }, code) + TEXEL;
}

/** The same shader with the buffer called `name`, to which it only assigns, as a texture: `name[i] = v` becomes a `textureStore`. */
export function writeTexture(code: string, name: string): string {
  const declared = new RegExp(`var<storage,\\s*read_write>\\s+${name}\\s*:[^;]*;`);
  if (!declared.test(code)) throw new Error(`the shader writes no buffer called ${name}`);
  const text = code.replace(
    declared,
    `var ${name}: texture_storage_2d<rgba32float, write>;`,
  );
  return elementsOf(text, name, (index, rest) => {
    const [, value] = rest.match(/^\s*=\s*([^;]*);/) ?? [];
    if (value === undefined) throw new Error(`${name}[${index}] is read, not assigned`);
    const after = rest.slice(rest.indexOf(";") + 1);
    return `textureStore(${name}, texel(${index}), ${value});${after}`;
  }) + TEXEL;
}

function readsOf(text: string, name: string): string {
  const load = (index: string, rest: string) => `textureLoad(${name}, texel(${index}))${rest}`;
  return elementsOf(text, name, load);
}

/** Rewrites `name[index]` and what follows it, from the last one to the first, so that an index may hold others. */
function elementsOf(
  text: string,
  name: string,
  rewrite: (index: string, rest: string) => string,
): string {
  const starts = Array.from(text.matchAll(new RegExp(`\\b${name}\\[`, "g")), (m) => m.index);
  return starts.reduceRight((code, at) => {
    const from = at + name.length + 1;
    let end = from;
    for (let depth = 1; depth > 0; end++) {
      if (end === code.length) throw new Error(`${name}[ is never closed`);
      depth += Number(code[end] === "[") - Number(code[end] === "]");
    }
    return code.slice(0, at) + rewrite(code.slice(from, end - 1), code.slice(end));
  }, text);
}

/** How kernels see a texture that they read, or write. */
export function textureLayout(access: "read" | "read_write"): GPUStorageTextureBindingLayout {
  return { access: access === "read" ? "read-only" : "write-only", format: "rgba32float" };
}

/** A texture as tensors use it. */
export interface Image {
  /** WebGPU's texture. */
  readonly texture: GPUTexture;
  /** As kernels bind it. */
  readonly view: GPUTextureView;
}

/**
 * A texture of at least `bytes` bytes.
 *
 * llvmpipe compiles a pipeline anew for every mix of texture sizes that are powers of two and sizes that are not, a second
 * each: here the width always is one and the height never.
 * @throws {InputError} when it would have more rows than the adapter allows.
 */
export function createImage(gpu: Gpu, label: string, bytes: number): Image {
  let rows = Math.max(3, Math.ceil(bytes / TEXTURE_ROW_BYTES));
  if (Number.isInteger(Math.log2(rows))) rows++;
  const most = gpu.device.limits.maxTextureDimension2D;
  if (rows > most) {
    throw new InputError(
      `${label} needs a texture of ${rows} rows, this adapter allows ${most}: ` +
        `use a smaller model, batch or length`,
    );
  }
  const texture = gpu.device.createTexture({
    label,
    size: [TEXTURE_WIDTH, rows],
    format: "rgba32float",
    usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
  });
  gpu.counts.buffers++;
  gpu.counts.bufferBytes += rows * TEXTURE_ROW_BYTES;
  return { texture, view: texture.createView() };
}

/** Bytes that {@linkcode createImage} takes. */
export function imageBytes({ texture }: Image): number {
  return texture.height * TEXTURE_ROW_BYTES;
}

/** Encodes the copy of `bytes` bytes (a multiple of 16) of a buffer into a texture, row after row. */
export function encodeCopy(
  encoder: GPUCommandEncoder,
  source: { readonly buffer: GPUBuffer; readonly offset: number; readonly bytes: number },
  { texture }: Image,
): void {
  const { buffer, offset, bytes } = source;
  const rows = Math.floor(bytes / TEXTURE_ROW_BYTES);
  const rest = bytes % TEXTURE_ROW_BYTES / 16;
  const bytesPerRow = TEXTURE_ROW_BYTES;
  if (rows > 0) {
    const layout = { buffer, offset, bytesPerRow };
    encoder.copyBufferToTexture(layout, { texture }, [TEXTURE_WIDTH, rows]);
  }
  if (rest > 0) {
    const layout = { buffer, offset: offset + rows * TEXTURE_ROW_BYTES, bytesPerRow };
    encoder.copyBufferToTexture(layout, { texture, origin: [0, rows] }, [rest, 1]);
  }
}
