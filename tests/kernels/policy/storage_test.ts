/**
 * Storage: what is packed comes back, for any head and MLP size, and nothing but zeros lies between.
 */
import fc from "fast-check";
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import {
  arenaFloats,
  headStride,
  pack,
  storedSpecs,
  unpack,
} from "../../../kernels/policy/storage.ts";
import { assert, assertEquals } from "../../assert.ts";
import { tinyConfigs } from "../../reference/tiny_policies.ts";

const sizes = fc.record({
  family: fc.constantFrom("gpt2", "llama", "qwen2", "gpt_neox"),
  headDim: fc.integer({ min: 1, max: 13 }),
  kvHeads: fc.integer({ min: 1, max: 3 }),
  group: fc.integer({ min: 1, max: 3 }),
  width: fc.integer({ min: 1, max: 19 }),
  mlpWidth: fc.integer({ min: 1, max: 23 }),
  vocabSize: fc.integer({ min: 1, max: 9 }),
});

function configOf(size: typeof sizes extends fc.Arbitrary<infer T> ? T : never): PolicyConfig {
  const { family, group, ...rest } = size;
  const base = tinyConfigs[family as PolicyConfig["family"]];
  return { ...base, ...rest, heads: size.kvHeads * group, layers: 1, context: 3 };
}

Deno.test("any parameter of any policy: packed, unpacked, equal; the gaps are zeros", () => {
  fc.assert(fc.property(sizes, (size) => {
    for (const spec of storedSpecs(configOf(size))) {
      const count = spec.shape.reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: count }, (_, i) => i + 1);
      const at = 64;
      const floats = arenaFloats(spec);
      const arena = new Float32Array(at + floats + 64);
      pack(spec, values, arena, at);
      assertEquals(unpack(spec, arena, at), values, spec.name);
      assertEquals(floats % 64, 0);
      assertEquals(arena.filter((v) => v !== 0).length, count, `${spec.name}: stray values`);
      assert([...arena.subarray(0, at), ...arena.subarray(at + floats)].every((v) => v === 0));
    }
  }));
});

Deno.test("heads and SwiGLU branches start at multiples of four, in queries, keys, values and their bias", () => {
  // Written out by hand: 2 query heads and 1 of each of keys and values, of 3 dimensions each; MLP branches of 5.
  const config = {
    ...tinyConfigs.qwen2,
    layers: 1,
    width: 2,
    heads: 2,
    kvHeads: 1,
    headDim: 3,
    mlpWidth: 5,
  };
  assertEquals(headStride(config), 4);
  const specs = new Map(storedSpecs(config).map((spec) => [spec.name, spec]));
  const packed = (name: string) => {
    const spec = specs.get(`layers.0.${name}`)!;
    const count = spec.shape.reduce((a, b) => a * b, 1);
    const arena = new Float32Array(arenaFloats(spec));
    pack(spec, Float32Array.from({ length: count }, (_, i) => i + 1), arena, 0);
    return [spec.storedShape, [...arena]] as const;
  };
  const [biasShape, bias] = packed("attention.qkv.bias");
  assertEquals(biasShape, [16]);
  assertEquals(bias.slice(0, 16), [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0]);
  const [qkvShape, qkv] = packed("attention.qkv.weight"); // rows of 2 columns, stored as 4
  assertEquals(qkvShape, [16, 2]);
  assertEquals(qkv.slice(8, 20), [5, 6, 0, 0, 0, 0, 0, 0, 7, 8, 0, 0]);
  const [outShape, out] = packed("attention.out.weight");
  assertEquals(outShape, [2, 8]);
  assertEquals(out.slice(0, 16), [1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0]);
  const [upShape, up] = packed("mlp.up.weight"); // gate rows 0-4, then zeros, then up rows from 8
  assertEquals(upShape, [16, 2]);
  assertEquals(up.slice(16, 24), [9, 10, 0, 0, 0, 0, 0, 0]);
  assertEquals(up.slice(32, 36), [11, 12, 0, 0]);
  const [downShape, down] = packed("mlp.down.weight");
  assertEquals(downShape, [2, 8]);
  assertEquals(down.slice(0, 16), [1, 2, 3, 4, 5, 0, 0, 0, 6, 7, 8, 9, 10, 0, 0, 0]);
});
