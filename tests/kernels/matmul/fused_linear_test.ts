/**
 * Linear layers with what surrounds them, one launch or several, against the float64 reference.
 */
import { InputError } from "../../../kernels/errors.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { fusedLinear } from "../../../kernels/matmul/fused_linear.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import { activate, swiglu } from "../../reference/activation.ts";
import { matmul } from "../../reference/matmul.ts";
import { layerNorm, rmsNorm } from "../../reference/norm.ts";
import { randomValues, relativeError, runTape, tensorOf, testGpu } from "../harness.ts";

// Measured on lavapipe over all cases below: 2.5e-7 at worst.
const TOLERANCE = 1.3e-6;
const EPS = 1e-5;

interface Case {
  readonly norm?: "layernorm" | "rmsnorm";
  readonly act?: "gelu_tanh" | "gelu_erf" | "swiglu";
  readonly bias?: boolean;
  readonly residual?: boolean;
}

/** As the four families use them: GPT-2, GPT-NeoX, Llama and Qwen2, and a plain product. */
const CASES: readonly Case[] = [
  { norm: "layernorm", bias: true, act: "gelu_tanh" },
  { norm: "layernorm", bias: true, act: "gelu_erf" },
  { norm: "rmsnorm", act: "swiglu" },
  { norm: "rmsnorm", bias: true, act: "swiglu" },
  { bias: true, residual: true },
  {},
];

/** Columns and outputs; SwiGLU's outputs are stored as a multiple of four. */
const SIZES = [[1, 3], [7, 65], [63, 5], [257, 127]] as const;

for (const rows of [1, 3]) {
  for (const one of CASES) {
    const what = Object.entries(one).map(([key, value]) => value === true ? key : value).join(", ");
    Deno.test(`fused linear, ${rows} rows: ${what || "a product alone"}`, async () => {
      const gpu = await testGpu();
      for (const [columns, wanted] of SIZES) {
        const gated = one.act === "swiglu";
        const outputs = gated ? Math.ceil(wanted / 4) * 4 : wanted;
        const wide = gated ? 2 * outputs : outputs;
        const x = randomValues(rows * columns, 1);
        const w = randomValues(wide * columns, 2);
        const [scale, shift, b] = [columns, columns, wide].map((n, i) => randomValues(n, 3 + i));
        const residual = randomValues(rows * outputs, 6);
        const vector = (name: string, values: Float64Array) =>
          tensorOf(gpu, name, [values.length], values);
        const [y] = await runTape(gpu, (tape) => {
          const y = fusedLinear(
            tape,
            tensorOf(gpu, "x", [rows, columns], x),
            tensorOf(gpu, "w", [wide, columns], w),
            {
              norm: one.norm && {
                weight: vector("scale", scale),
                bias: one.norm === "layernorm" ? vector("shift", shift) : null,
                eps: EPS,
              },
              bias: one.bias ? vector("b", b) : null,
              activation: one.act,
              residual: one.residual ? tensorOf(gpu, "residual", [rows, outputs], residual) : null,
              name: "y",
            },
          );
          if (rows === 1 && gpu.info.software) assertEquals(tape.dispatchCount, 1);
          return [y];
        });
        const input = one.norm === "layernorm"
          ? layerNorm(x, scale, shift, columns, EPS)
          : one.norm
          ? rmsNorm(x, scale, columns, EPS)
          : x;
        const product = matmul(input, w, { m: rows, n: wide, k: columns }, "NT")
          .map((v, i) => v + (one.bias ? b[i % wide] : 0));
        const acted = gated
          ? swiglu(product, outputs)
          : activate(one.act as "gelu_tanh" ?? "none", product);
        const want = acted.map((v, i) => v + (one.residual ? residual[i] : 0));
        const error = relativeError(y, want);
        assert(error < TOLERANCE, `[${columns}] to ${outputs}: error ${error}`);
      }
    });
  }
}

Deno.test("fused linear: what does not fit is refused by name", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const tensor = (name: string, ...shape: number[]) => tape.tensor(name, shape);
  const [x, w] = [tensor("x", 1, 8), tensor("w", 12, 8)];
  const bad = [
    () => fusedLinear(tape, tensor("x", 1, 7), w, { name: "y" }),
    () => fusedLinear(tape, x, w, { bias: tensor("b", 11), name: "y" }),
    () => fusedLinear(tape, x, w, { residual: tensor("r", 2, 12), name: "y" }),
    () => fusedLinear(tape, x, w, { activation: "swiglu", name: "y" }),
    () =>
      fusedLinear(tape, x, w, {
        norm: { weight: tensor("n", 7), bias: null, eps: EPS },
        name: "y",
      }),
  ];
  for (const call of bad) assertThrows(call, InputError, "y: x [");
});
