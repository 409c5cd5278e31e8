/**
 * Parameters: values by name in and out of one arena, what is trained, and what is refused.
 */
import { InputError } from "../../../kernels/errors.ts";
import { parameterCount, parameterSpecs } from "../../../kernels/policy/config.ts";
import type { Lora } from "../../../kernels/policy/lora.ts";
import { loadParameters, Parameters } from "../../../kernels/policy/parameters.ts";
import { assertEquals, assertThrows } from "../../assert.ts";
import { randomWeights, tinyConfigs } from "../../reference/tiny_policies.ts";
import { testGpu } from "../harness.ts";

for (const [family, config] of Object.entries(tinyConfigs)) {
  Deno.test(`${family}: weights come back bit for bit from the device, from an image, and joined again`, async () => {
    const gpu = await testGpu();
    const weights = randomWeights(config, 1);
    const parameters = loadParameters(gpu, weights);
    const byName = (tensors: ReadonlyMap<string, Float32Array>) => [...tensors].sort();
    assertEquals(byName((await parameters.weights()).tensors), byName(weights.tensors));
    assertEquals(parameters.trainableCount, parameterCount(config));
    const floats = parameters.theta.columns;
    const image = parameters.join(weights.tensors, floats);
    assertEquals(byName(parameters.split(image)), byName(weights.tensors));
    parameters.destroy();
  });
}

Deno.test("matrices decay, vectors do not, and both come before what is frozen", async () => {
  const gpu = await testGpu();
  const config = tinyConfigs.gpt2;
  const trainable = (name: string) => name.startsWith("layers.1.");
  const parameters = new Parameters(gpu, config, { trainable });
  const vectors = new Set(
    parameterSpecs(config).filter((s) => s.shape.length === 1).map((s) => s.name),
  );
  for (const name of parameters.names) {
    const { offset, needsGrad, grad } = parameters.get(name);
    const at = offset / 4;
    assertEquals([needsGrad, grad !== null], [trainable(name), trainable(name)], name);
    assertEquals(at < parameters.trainableEnd, trainable(name), name);
    if (trainable(name)) {
      assertEquals(at >= parameters.decayEnd, vectors.has(name), name);
      assertEquals(grad!.offset, offset, "a gradient lies where its parameter does");
    }
  }
  assertEquals(parameters.gradients!.columns, parameters.trainableEnd);
  const specs = parameterSpecs(config).filter(({ name }) => trainable(name));
  const count = specs.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  assertEquals(parameters.trainableCount, count);
  // An arena as short as the gradients names the trained parameters only.
  const names = [...parameters.split(new Float32Array(parameters.trainableEnd)).keys()];
  assertEquals(names.sort(), specs.map(({ name }) => name).sort());
  parameters.destroy();
});

Deno.test("a frozen policy has no gradients", async () => {
  const gpu = await testGpu();
  const parameters = new Parameters(gpu, tinyConfigs.llama, { trainable: false });
  assertEquals([parameters.gradients, parameters.trainableEnd, parameters.decayEnd], [null, 0, 0]);
  parameters.destroy();
});

const lora: Lora = {
  rank: 3,
  alpha: 6,
  dropout: 0,
  targets: [
    { name: "v", parameter: "layers.0.attention.qkv.weight", rowStart: 36, rowCount: 12 },
    { name: "down", parameter: "layers.1.mlp.down.weight", rowStart: 0, rowCount: 24 },
  ],
};

Deno.test("with adapters only they are trained, and the policy's weights stay apart from them", async () => {
  const gpu = await testGpu();
  const config = tinyConfigs.qwen2; // heads of 6: rows and columns of the adapters are padded like their weight
  const weights = randomWeights(config, 2);
  const parameters = loadParameters(gpu, weights, { lora });
  const values = new Map([
    ["lora.v.A", [3, 24]],
    ["lora.v.B", [12, 3]],
    ["lora.down.A", [3, 44]],
    ["lora.down.B", [24, 3]],
  ].map(([name, [rows, columns]], i) => [
    name as string,
    Float32Array.from({ length: Number(rows) * Number(columns) }, (_, j) => i + j / 100),
  ]));
  parameters.load(values);
  assertEquals(parameters.trainableCount, 3 * 24 + 12 * 3 + 3 * 44 + 24 * 3);
  const all = await parameters.read();
  for (const [name, tensor] of values) assertEquals(all.get(name), tensor, name);
  assertEquals([...(await parameters.weights()).tensors].sort(), [...weights.tensors].sort());
  parameters.destroy();
});

Deno.test("what does not fit is refused by name", async () => {
  const gpu = await testGpu();
  const config = tinyConfigs.llama;
  const parameters = new Parameters(gpu, config);
  const load = (name: string, count: number) => () =>
    parameters.load(new Map([[name, new Float32Array(count)]]));
  assertThrows(load("layers.9.norm1.weight", 24), InputError, "no parameter layers.9.norm1.weight");
  assertThrows(
    load("head.weight", 5),
    InputError,
    "head.weight must have 984 values for shape [41,24], got 5",
  );
  assertThrows(
    () => parameters.join(new Map([["final_norm.weight", new Float32Array(5)]]), 2 ** 20),
    InputError,
    "final_norm.weight must have 24 values",
  );
  assertThrows(() => parameters.get("positions.weight"), InputError, "no parameter positions");
  assertEquals(parameters.find("layers.0.mlp.up.bias"), null);
  parameters.destroy();
  const [target] = lora.targets;
  const withTarget = (change: Partial<typeof target>) => () =>
    new Parameters(gpu, config, { lora: { ...lora, targets: [{ ...target, ...change }] } });
  assertThrows(
    withTarget({ parameter: "layers.7.x" }),
    InputError,
    "LoRA target v: this policy has no",
  );
  assertThrows(withTarget({ rowStart: 36, rowCount: 12 }), InputError, "rows are outside");
  const same = { ...target, rowStart: 0, rowCount: 4 };
  assertThrows(
    () => new Parameters(gpu, config, { lora: { ...lora, targets: [same, same] } }),
    InputError,
    "two parameters are named lora.v.A",
  );
});
