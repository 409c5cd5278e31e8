/**
 * The kernels of a policy over float16: they compute what they would in float32, and only round what they store.
 *
 * Inputs are values that float16 holds exactly, so every result in float32 must have all its digits, and every result in float16 must
 * be the float32 result rounded (float32 sums may differ in their last bit, and so rounding by one step).
 */
import { activation } from "../../../kernels/activation/activation.ts";
import { attention } from "../../../kernels/attention/attention.ts";
import { headStrideOf } from "../../../kernels/attention/layout.ts";
import { dropout } from "../../../kernels/dropout/dropout.ts";
import { embedding } from "../../../kernels/embedding/embedding.ts";
import { gatherRows } from "../../../kernels/embedding/gather_rows.ts";
import { InputError } from "../../../kernels/errors.ts";
import { elementKernel } from "../../../kernels/gpu/elements.ts";
import { Gpu } from "../../../kernels/gpu/device.ts";
import type { Tape } from "../../../kernels/gpu/tape.ts";
import { type DType, Tensor } from "../../../kernels/gpu/tensor.ts";
import { crossEntropy } from "../../../kernels/losses/cross_entropy.ts";
import { klDivergence } from "../../../kernels/losses/kl_divergence.ts";
import { dotRows } from "../../../kernels/matmul/dot_rows.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import { norm } from "../../../kernels/norm/norm.ts";
import { Parameters } from "../../../kernels/policy/parameters.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { tinyConfigs } from "../../reference/tiny_policies.ts";
import { policyOf } from "../attention/cases.ts";
import { expected, operandShapes } from "../matmul/cases.ts";
import {
  halfTensorOf,
  halfTest,
  parameterOf,
  randomValues,
  relativeError,
  runTape,
  tensorOf,
  testGpu,
} from "../harness.ts";

/** Half the distance of two neighbouring float16 values, relative. */
const ROUNDING = 2 ** -11;

/** Random values that float16 holds exactly. */
const halves = (count: number, seed: number, scale = 1): Float64Array =>
  randomValues(count, seed, scale).map((v) => Math.f16round(v));

/** `got` in float16 is `want` in float32, rounded: within half a step, and a little for the last bit of float32. */
function assertRounded(name: string, got: ArrayLike<number>, want: ArrayLike<number>): void {
  for (let i = 0; i < want.length; i++) {
    const limit = Math.max(Math.abs(want[i]) * ROUNDING * 1.01, 2 ** -25 * 1.01);
    assert(Math.abs(got[i] - want[i]) <= limit, `${name}[${i}]: ${got[i]}, in float32 ${want[i]}`);
  }
  assert(Array.from(got).every((v) => Math.f16round(v) === v), `${name} is not float16`);
}

/** Element types of A, B and C that training and generation use (each further one costs seconds to compile). */
const PRODUCTS = {
  nn: ["f32 f16 f32", "f16 f16 f32"], // d_x: d_y, or the gradient of logits, times a weight
  nt: ["f16 f16 f32", "f16 f16 f16", "f32 f16 f32", "f32 f16 f16"], // layers, the MLP's first, adapters
  tn: ["f32 f16 f32", "f16 f16 f32"], // d_W: d_y, or the gradient of logits, times an input
} as const;

for (const form of ["nn", "nt", "tn"] as const) {
  for (const schedule of ["registers", "tiled"] as const) {
    await halfTest(`matmul ${form}, ${schedule}: float16 operands and results`, async (gpu) => {
      for (
        const shape of [{ m: 1, n: 3, k: 5 }, { m: 65, n: 63, k: 127 }, { m: 30, n: 70, k: 18 }]
      ) {
        const { a, b } = operandShapes(form, shape);
        const [x, y] = [halves(a[0] * a[1], 1), halves(b[0] * b[1], 2)];
        const before = halves(shape.m * shape.n, 3);
        const make = { f32: tensorOf, f16: halfTensorOf };
        const kinds = PRODUCTS[form].map((kinds) => kinds.split(" ") as ("f32" | "f16")[]);
        const results = await runTape(gpu, (tape) =>
          kinds.flatMap(([ta, tb, dtype]) => {
            const [left, right] = [make[ta](gpu, "a", a, x), make[tb](gpu, "b", b, y)];
            const out = make[dtype](gpu, "c", [shape.m, shape.n], before);
            return [
              matmul(tape, form, left, right, { schedule, dtype }),
              matmul(tape, form, left, right, { schedule, out, accumulate: true }),
            ];
          }));
        const want = expected(form, x, y, shape);
        kinds.forEach(([, , dtype], i) => {
          const [product, sum] = [results[2 * i], results[2 * i + 1]];
          if (dtype === "f16") {
            assertRounded("product", product, results[0]);
            assertRounded("sum", sum, results[0].map((v, j) => Math.fround(v + before[j])));
          } else {
            assert(relativeError(product, want) < 1.7e-6);
            assertEquals(product, results[0]);
          }
        });
      }
    });
  }
}

/** Runs `record` in both types; returns what it gives in float32 and in float16. */
async function both(
  gpu: Gpu,
  record: (
    tape: Tape,
    dtype: "f32" | "f16",
    half: typeof tensorOf | typeof halfTensorOf,
  ) => Tensor[],
) {
  const full = await runTape(gpu, (tape) => record(tape, "f32", tensorOf));
  const half = await runTape(gpu, (tape) => record(tape, "f16", halfTensorOf));
  return { full, half };
}

await halfTest(
  "norm, activation and attention store their results rounded; gradients stay float32",
  async (gpu) => {
    const rows = 9;
    const config = policyOf({ heads: 2, kvHeads: 1, headDim: 6 });
    const stride = headStrideOf(config);
    const qkv = randomValues(rows * 4 * stride, 1);
    qkv.forEach((_, i) => i % stride >= 6 ? qkv[i] = 0 : 0);
    const { full, half } = await both(gpu, (tape, dtype) => {
      const x = tensorOf(gpu, "x", [rows, 13], randomValues(rows * 13, 2));
      const weight = parameterOf(gpu, "w", [13], randomValues(13, 3));
      const bias = parameterOf(gpu, "b", [13], randomValues(13, 4));
      const up = tensorOf(gpu, "up", [rows, 24], randomValues(rows * 24, 5));
      const fused = tensorOf(gpu, "qkv", [rows, 4 * stride], qkv);
      const starts = tensorOf(gpu, "starts", [rows], new Uint32Array(rows), "u32");
      for (const input of [x, up, fused]) input.needsGrad = true;
      const shape = { rows: 1, length: rows };
      const outputs = [
        norm(tape, x, weight, bias, 1e-5, dtype),
        norm(tape, x, weight, null, 1e-5, dtype),
        activation(tape, up, "gelu_tanh", dtype),
        activation(tape, up, "swiglu", dtype),
        attention(tape, fused, starts, shape, config, stride, undefined, dtype),
      ];
      outputs.forEach((y, i) => {
        y.grad = tensorOf(gpu, "d_y", y.shape, randomValues(y.rows * y.columns, 6 + i));
      });
      tape.backward();
      return [...outputs, x.grad!, up.grad!, fused.grad!, weight.grad!, bias.grad!];
    });
    for (let i = 0; i < 5; i++) assertRounded(`output ${i}`, half[i], full[i]);
    // Attention's gradient reads its rounded output; the others read nothing that was rounded.
    for (const i of [5, 6, 8, 9]) assertEquals(half[i], full[i]);
    const error = relativeError(half[7], full[7]);
    assert(error > 0 && error < 2 * ROUNDING, `attention's gradient: ${error}`);
  },
);

await halfTest(
  "what reads float16 gives the same as from the same values in float32",
  async (gpu) => {
    const [rows, columns] = [11, 26];
    const { full, half } = await both(gpu, (tape, _, make) => {
      const x = make(gpu, "x", [rows, columns], halves(rows * columns, 1));
      x.needsGrad = true;
      const few = tensorOf(gpu, "few", [3], [10, 0, 4], "u32");
      const seed = tensorOf(gpu, "seed", [4], [5, 0, 0, 0], "u32");
      const weight = parameterOf(gpu, "w", [1, columns], randomValues(columns, 2));
      const swiglu = make(gpu, "up", [rows, 24], halves(rows * 24, 3));
      swiglu.needsGrad = true;
      const outputs = [
        tape.noGrad(() => embedding(tape, { table: x, indices: few }, null)),
        gatherRows(tape, x, few),
        dropout(tape, x, 0.4, seed, 3),
        dotRows(tape, x, weight, null),
        activation(tape, swiglu, "swiglu"),
      ];
      outputs.slice(1).forEach((y, i) => {
        const count = y.rows * y.columns;
        y.grad = tensorOf(gpu, "d_y", y.shape, randomValues(count, 4 + i));
      });
      tape.backward();
      return [...outputs, x.grad!, weight.grad!, swiglu.grad!];
    });
    assertEquals(half, full);
  },
);

await halfTest(
  "gradients of logits are stored rounded, and further losses are added",
  async (gpu) => {
    const [tokens, vocab] = [5, 39];
    const { full, half } = await both(gpu, (tape, dtype: DType) => {
      const logits = tensorOf(gpu, "logits", [tokens, vocab], randomValues(tokens * vocab, 1, 3));
      logits.needsGrad = true;
      const prior = tensorOf(gpu, "prior", [tokens, vocab], randomValues(tokens * vocab, 2, 3));
      const targets = tensorOf(gpu, "targets", [tokens], [1, 38, 0, 0xffffffff, 7], "u32");
      const weights = tensorOf(gpu, "weights", [tokens], [1, 100, 0, 1, 0.25]);
      const { value } = crossEntropy(tape, logits, targets, weights, dtype);
      const kl = klDivergence(tape, logits, prior, weights, "policy_prior", 0.5, dtype);
      tape.backward();
      return [logits.grad!, value, kl];
    });
    assertEquals([half[1], half[2]], [full[1], full[2]]);
    // Stored twice, once by each loss.
    assert(relativeError(half[0], full[0]) < 2 * ROUNDING);
    assert(Array.from(half[0]).every((v) => Math.f16round(v) === v));
  },
);

Deno.test("a kernel is made once per combination of element types, and float16 is enabled where it is used", () => {
  const code = "@group(0) @binding(0) var<storage, read> a: array<$A>;\n" +
    "@group(0) @binding(1) var<storage, read_write> b: array<$B>;";
  const kernel = elementKernel("twice", code);
  const [full, half] = [new Tensor("x", [4]), new Tensor("x", [4], "f16")];
  assertEquals(kernel({ A: full, B: half }), kernel({ A: full, B: half }));
  const texts = [full, half].flatMap((A) => [full, half].map((B) => kernel({ A, B }).code));
  assertEquals(new Set(texts).size, 4);
  assert(kernel({ A: full, B: half }).code.startsWith("enable f16;\n"));
  assert(kernel({ A: full, B: half }).code.includes("read_write> b: array<vec4<f16>>"));
  assertEquals(kernel({ A: full, B: full }).code, code.replace(/\$[AB]/g, "vec4f"));
});

Deno.test("float16 is refused on an adapter without it", async () => {
  const { info } = await testGpu();
  const adapter = await navigator.gpu.requestAdapter();
  const gpu = new Gpu(await adapter!.requestDevice(), info); // without asking for shader-f16
  assertEquals(gpu.hasF16, false);
  assertThrows(
    () => new Parameters(gpu, tinyConfigs.llama, { precision: "f16" }),
    InputError,
    "precision f16 needs an adapter with shader-f16",
  );
  gpu.close();
});
