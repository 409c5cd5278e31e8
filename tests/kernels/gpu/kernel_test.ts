/**
 * Shader text to kernel: constants, unrolling, what is parsed, how uniforms are packed, when pipelines are shared.
 */
import fc from "fast-check";
import { DeviceError, InputError } from "../../../kernels/errors.ts";
import { compileKernel, defineKernel, expand, packUniforms } from "../../../kernels/gpu/kernel.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { testGpu } from "../harness.ts";
import { SCALE } from "./kernels.ts";

const HEAD = `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write>  y : array<vec4f>;
struct Shape { rows: u32, shift: i32, // a comment, with a comma
  scale: f32,
}
@group(0) @binding(7) var<uniform> shape: Shape;
`;

Deno.test("expand fills constants, the longest name first, and refuses unknown ones", () => {
  assertEquals(expand("$TM + $TM4 + $A_B;", { TM: 8, TM4: 2, A_B: "c" }), "8 + 2 + c;");
  assertEquals(expand("$A", { A: "$B $&" }), "$B $&");
  assertThrows(() => expand("let a = $MISSING;", {}), Error, "$MISSING");
});

Deno.test("#repeat unrolls, nests, and takes its count from a constant", () => {
  const code = "a\n#repeat i $N\n  #repeat j 2\n  c{i}_{j};\n  #end\n  d{i};\n#end\nb";
  const want = "a\n  c0_0;\n  c0_1;\n  d0;\n  c1_0;\n  c1_1;\n  d1;\nb";
  assertEquals(expand(code, { N: 2 }), want);
  assertEquals(expand("#repeat i 0\nx\n#end\ny", {}), "y");
  assertThrows(() => expand("#repeat i 2\nx", {}), Error, "no #end");
});

Deno.test("#repeat writes each line once per index combination (property)", () => {
  const count = fc.integer({ min: 0, max: 6 });
  fc.assert(fc.property(count, count, (n, m) => {
    const lines = expand(`#repeat i ${n}\n#repeat j ${m}\n{i},{j}\n#end\n#end`, {});
    const want: string[] = [];
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) want.push(`${i},${j}`);
    assertEquals(lines, want.join("\n"));
  }));
});

Deno.test("bindings and uniform fields are read from the shader", () => {
  const kernel = defineKernel("k", HEAD);
  assertEquals(kernel.bindings, [
    { name: "x", index: 0, access: "read", half: false, texture: false },
    { name: "y", index: 1, access: "read_write", half: false, texture: false },
  ]);
  const halves = defineKernel(
    "k",
    `@group(0) @binding(0) var<storage, read> x: array<vec4<f16>>;
     @group(0) @binding(1) var<storage, read_write> y: array<Result>;
     alias Result = vec4<f16>;`,
  );
  assertEquals(halves.bindings.map(({ half }) => half), [true, true]);
  assertEquals(kernel.uniformIndex, 7);
  assertEquals(kernel.uniforms, [
    { name: "rows", type: "u32" },
    { name: "shift", type: "i32" },
    { name: "scale", type: "f32" },
  ]);
  const bare = defineKernel("k", "fn main() {}");
  assertEquals([bare.bindings, bare.uniforms, bare.uniformIndex], [[], [], -1]);
});

Deno.test("a kernel that needs more than WebGPU promises, or an odd uniform, is refused", () => {
  const binding = (i: number) => `@group(0) @binding(${i}) var<storage, read> b${i}: array<vec4f>;`;
  const bindings = (n: number) => Array.from({ length: n }, (_, i) => binding(i)).join("\n");
  assertEquals(defineKernel("eight", bindings(8)).bindings.length, 8);
  assertThrows(() => defineKernel("nine", bindings(9)), Error, "kernel nine binds 9");
  const vector = "struct S { a: vec4f }\n@group(0) @binding(0) var<uniform> s: S;";
  assertThrows(() => defineKernel("k", vector), Error, `"a: vec4f"`);
});

Deno.test("uniforms are packed in declaration order, 16 bytes at least", () => {
  const kernel = defineKernel("k", HEAD);
  const data = new DataView(packUniforms(kernel, { scale: 0.1, rows: 2 ** 32 - 1, shift: -5 }));
  assertEquals(data.byteLength, 16);
  assertEquals(data.getUint32(0, true), 2 ** 32 - 1);
  assertEquals(data.getInt32(4, true), -5);
  assertEquals(data.getFloat32(8, true), Math.fround(0.1));
});

Deno.test("uniforms survive packing (property)", () => {
  const fields = Array.from({ length: 6 }, (_, i) => `f${i}: ${["u32", "i32", "f32"][i % 3]}`);
  const code = `struct S { ${fields.join(", ")} }\n@group(0) @binding(0) var<uniform> s: S;`;
  const kernel = defineKernel("k", code);
  const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const f32 = fc.float();
  fc.assert(fc.property(fc.tuple(u32, i32, f32, u32, i32, f32), (values) => {
    const named = Object.fromEntries(values.map((value, i) => [`f${i}`, value]));
    const data = new DataView(packUniforms(kernel, named));
    assertEquals(data.byteLength, 32);
    const read = [data.getUint32, data.getInt32, data.getFloat32];
    values.forEach((value, i) => assertEquals(read[i % 3].call(data, 4 * i, true), value));
  }));
});

Deno.test("a uniform that is missing, unknown or does not fit is named", () => {
  const kernel = defineKernel("k", HEAD);
  const values = { rows: 1, shift: 0, scale: 1 };
  assertThrows(() => packUniforms(kernel, { rows: 1, shift: 0 }), Error, "uniform scale has no");
  assertThrows(
    () => packUniforms(kernel, { ...values, sclae: 1 }),
    DeviceError,
    "no uniform sclae",
  );
  for (const rows of [-1, 0.25, 2 ** 32, NaN]) {
    assertThrows(() => packUniforms(kernel, { ...values, rows }), InputError, "rows must fit u32");
  }
});

Deno.test("a pipeline is compiled once per text and overrides", async () => {
  const gpu = await testGpu();
  const first = compileKernel(gpu, SCALE, { FACTOR: 2 });
  assert(compileKernel(gpu, SCALE, { FACTOR: 2 }) === first);
  assert(compileKernel(gpu, SCALE, { FACTOR: 3 }) !== first);
  assert(compileKernel(gpu, defineKernel("again", SCALE.code), { FACTOR: 2 }) === first);
  const other = defineKernel("scale", `${SCALE.code}\n// another text`);
  assert(compileKernel(gpu, other, { FACTOR: 2 }) !== first);
  gpu.check();
});
