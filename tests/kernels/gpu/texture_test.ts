/**
 * Tensors in textures: every value arrives where shaders look for it, whatever the size and the place in its buffer.
 */
import { InputError } from "../../../kernels/errors.ts";
import { defineKernel } from "../../../kernels/gpu/kernel.ts";
import { readFloats } from "../../../kernels/gpu/readback.ts";
import { linearGroups, Tape } from "../../../kernels/gpu/tape.ts";
import { persistent, Tensor, upload } from "../../../kernels/gpu/tensor.ts";
import { createImage, readTextures, TEXTURE_WIDTH } from "../../../kernels/gpu/texture.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { testGpu } from "../harness.ts";

const COPY = `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
struct Shape { length4: u32 }
@group(0) @binding(2) var<uniform> shape: Shape;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * 64u;
  if (i < shape.length4) { y[i] = x[i]; }
}`;
const copy = defineKernel("copy from texture", readTextures(COPY, ["x"]));

// Around one row of a texture (8,192 vec4s), and around powers of two of them.
for (const length4 of [1, 3, 8191, 8192, 8193, 4 * 8192, 5 * 8192 + 7]) {
  for (const offset of [0, 256, 3 * 256]) {
    Deno.test(`${length4} vec4s from byte ${offset} on reach the shader through a texture`, async () => {
      const gpu = await testGpu();
      const whole = persistent(gpu, "whole", [4 * length4 + 256]);
      upload(gpu, whole, Float32Array.from({ length: whole.columns }, (_, i) => i + 0.5));
      const part = new Tensor("part", [4 * length4], "f32", whole.place, offset);
      const tape = new Tape(gpu, "mirror");
      const y = tape.keep(tape.tensor("y", part.shape));
      const bindings = { x: tape.mirror(part), y };
      const groups = linearGroups(length4, 64);
      tape.dispatch({ kernel: copy, bindings, uniforms: { length4 }, groups });
      tape.run();
      const got = await readFloats(gpu, y);
      const wrong = got.findIndex((value, i) => value !== i + offset / 4 + 0.5);
      assertEquals(wrong, -1);
      tape.destroy();
      whole.place.buffer!.destroy();
    });
  }
}

Deno.test("a texture is a copy of the moment, and textures share memory with textures only", async () => {
  const gpu = await testGpu();
  const x = persistent(gpu, "x", [64]);
  const tape = new Tape(gpu, "moments");
  const write = (value: number) =>
    tape.dispatch({
      kernel: defineKernel("fill", FILL),
      bindings: { y: x },
      uniforms: { value },
      groups: [1],
    });
  const read = (name: string) => {
    const y = tape.keep(tape.tensor(name, [64]));
    const bindings = { x: tape.mirror(x), y };
    return { y, record: () => tape.dispatch({ kernel: copy, bindings, uniforms, groups: [1] }) };
  };
  const uniforms = { length4: 16 };
  write(1);
  const before = read("before");
  write(2);
  const after = read("after");
  before.record();
  after.record();
  tape.run();
  assertEquals((await readFloats(gpu, before.y))[5], 1);
  assertEquals((await readFloats(gpu, after.y))[5], 2);
  tape.destroy();
});

const FILL = `
@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
struct Shape { value: f32 }
@group(0) @binding(1) var<uniform> shape: Shape;
@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = vec4f(shape.value); }`;

Deno.test("indices in indices and further uses are rewritten, other names are not", () => {
  const code = `var<storage, read> a : array<vec4f>;
    let v = a[b[2u] + u32(a[i].x)] + ta[i] + a[0u];`;
  const text = readTextures(code, ["a"]);
  assert(text.includes("var a: texture_storage_2d<rgba32float, read>;"));
  assert(text.includes(
    "let v = textureLoad(a, texel(b[2u] + u32(textureLoad(a, texel(i)).x))) + ta[i] + " +
      "textureLoad(a, texel(0u));",
  ));
  assertThrows(() => readTextures(code, ["c"]), Error, "no buffer called c");
});

Deno.test("no texture has a power of two of rows, and none more than the adapter allows", async () => {
  const gpu = await testGpu();
  for (const rows of [1, 2, 3, 4, 7, 8, 9]) {
    const { texture } = createImage(gpu, "image", rows * 16 * TEXTURE_WIDTH);
    assert(texture.height >= rows && !Number.isInteger(Math.log2(texture.height)));
    texture.destroy();
  }
  const bytes = 16 * TEXTURE_WIDTH * (gpu.device.limits.maxTextureDimension2D + 1);
  assertThrows(() => createImage(gpu, "image", bytes), InputError, "image needs a texture");
});

Deno.test("a buffer where a texture is read, and the reverse, is refused by name", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "refused");
  const x = persistent(gpu, "x", [4]);
  const y = tape.tensor("y", [4]);
  const launch = { uniforms: { length4: 1 }, groups: [1] as const };
  assertThrows(
    () => tape.dispatch({ kernel: copy, bindings: { x, y }, ...launch }),
    Error,
    "x is no texture",
  );
  const plain = defineKernel("copy", COPY);
  const bindings = { x: tape.mirror(x), y };
  assertThrows(
    () => tape.dispatch({ kernel: plain, bindings, ...launch }),
    Error,
    "x is no buffer",
  );
  const half = new Tensor("half", [8], "f16");
  assertThrows(() => tape.mirror(half), InputError, "half: only float32");
});
