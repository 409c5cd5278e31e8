/**
 * Matrix products in all forms and every schedule, on every adapter, against the float64 reference.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Gpu, MatmulSchedule } from "../../../kernels/gpu/device.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import type { Tensor } from "../../../kernels/gpu/tensor.ts";
import { matmul, type MatmulForm, type MatmulOptions } from "../../../kernels/matmul/matmul.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";
import type { Activation } from "../../reference/activation.ts";
import type { MatmulShape } from "../../reference/matmul.ts";
import {
  isSwiftShader,
  randomValues,
  relativeError,
  runTape,
  schedulesOn,
  tensorOf,
  testGpu,
} from "../harness.ts";
import { expected, operandShapes, shapes } from "./cases.ts";

// Measured on lavapipe over all cases below: 3.5e-7 at worst.
const TOLERANCE = 1.7e-6;

const FORMS = ["nn", "nt", "tn"] as const;
const SCHEDULES = schedulesOn(await testGpu());
const ALL = FORMS.flatMap((form) => SCHEDULES.map((schedule) => ({ form, schedule })));

interface Operands {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly aValues: Float64Array;
  readonly bValues: Float64Array;
}

function operands(gpu: Gpu, form: MatmulForm, shape: MatmulShape, batch = 1): Operands {
  const { a, b } = operandShapes(form, shape);
  const seed = shape.m + 300 * shape.n + 90_000 * shape.k;
  const aValues = randomValues(batch * a[0] * a[1], seed);
  const bValues = randomValues(batch * b[0] * b[1], seed + 1);
  return {
    a: tensorOf(gpu, "a", [batch * a[0], a[1]], aValues),
    b: tensorOf(gpu, "b", [batch * b[0], b[1]], bValues),
    aValues,
    bValues,
  };
}

for (const { form, schedule } of ALL) {
  Deno.test(`matmul ${form}, ${schedule}: awkward shapes, zeros in the padding`, async () => {
    const gpu = await testGpu();
    const all = isSwiftShader(gpu) ? shapes(0, 7, 1) : shapes(12, 7);
    const cases = all.map((shape) => ({ shape, ...operands(gpu, form, shape) }));
    const values = await runTape(
      gpu,
      (tape) => cases.map(({ a, b }) => matmul(tape, form, a, b, { schedule })),
    );
    cases.forEach(({ shape, aValues, bValues }, i) => {
      const error = relativeError(values[i], expected(form, aValues, bValues, shape));
      assert(error < TOLERANCE, `[${shape.m}, ${shape.n}] over ${shape.k}: error ${error}`);
    });
  });
}

// Of the two that share tiles one is enough: their loop is the same text and runs as often.
for (const schedule of SCHEDULES.filter((name) => name !== "tiled8")) {
  Deno.test(`matmul nn, ${schedule}: the gradient through a head of 151,936 tokens stays within the loop limit`, async () => {
    const gpu = await testGpu();
    const k = 151_936; // Qwen2's vocabulary; sums of ones are exact, and a loop cut short would show
    const ones = new Float32Array(4 * k).fill(1);
    const [a, b] = [tensorOf(gpu, "a", [4, k], ones), tensorOf(gpu, "b", [k, 4], ones)];
    const [c] = await runTape(gpu, (tape) => [matmul(tape, "nn", a, b, { schedule })]);
    assertEquals(Array.from(c), new Array(16).fill(k));
  });
}

const SHAPE = { m: 37, n: 22, k: 45 };

/** What is asked of an epilogue; values are made from the seeds. */
interface EpilogueCase {
  readonly name: string;
  readonly activation?: Exclude<Activation, "none">;
  readonly alpha?: number;
  readonly bias?: boolean;
  readonly residual?: boolean;
  readonly accumulate?: boolean;
}

const EVERYTHING: EpilogueCase = {
  ...{ name: "all", alpha: 2, activation: "silu" },
  ...{ bias: true, residual: true, accumulate: true },
};

/** One epilogue per case. */
const EPILOGUES: readonly EpilogueCase[] = [
  { name: "alpha", alpha: -0.375 },
  { name: "bias", bias: true },
  { name: "residual", residual: true },
  { name: "accumulate", accumulate: true },
  { name: "gelu_tanh", bias: true, activation: "gelu_tanh" },
  { name: "gelu_erf", bias: true, activation: "gelu_erf" },
  { name: "silu", bias: true, activation: "silu" },
  EVERYTHING,
];

/**
 * Names of the epilogues that a form and schedule is asked for. Each is a pipeline of its own, which software adapters compile for
 * seconds; all forms share the epilogue's text. There NT, which alone has biases in a policy, is asked for all of them, and the others
 * for what only they could get wrong. On SwiftShader, the slowest, "all" is the batches' affair.
 */
function epiloguesOn(gpu: Gpu, form: MatmulForm, schedule: MatmulSchedule): readonly string[] {
  if (isSwiftShader(gpu)) return schedule === "textures" ? ["alpha", "accumulate"] : ["alpha"];
  if (gpu.info.software && form !== "nt") return ["alpha", "accumulate", "all"];
  return EPILOGUES.map(({ name }) => name);
}

/** Options of a product [batch m, n], and what the reference needs. */
function epilogueOf(gpu: Gpu, c: EpilogueCase, { m, n }: MatmulShape, batch = 1) {
  const bias = randomValues(n, 3);
  const residual = randomValues(batch * m * n, 4);
  const before = randomValues(batch * m * n, 5);
  const { alpha, activation, accumulate } = c;
  return {
    options: {
      ...{ activation, alpha, accumulate },
      bias: c.bias ? tensorOf(gpu, "bias", [n], bias) : null,
      residual: c.residual ? tensorOf(gpu, "residual", [batch * m, n], residual) : null,
      out: c.accumulate ? tensorOf(gpu, "out", [batch * m, n], before) : undefined,
    },
    reference: {
      ...{ activation, alpha },
      bias: c.bias ? bias : undefined,
      residual: c.residual ? residual : undefined,
      before: c.accumulate ? before : undefined,
    },
  };
}

for (const { form, schedule } of ALL) {
  Deno.test(`matmul ${form}, ${schedule}: alpha, bias, activation, residual, accumulation`, async () => {
    const gpu = await testGpu();
    const { a, b, aValues, bValues } = operands(gpu, form, SHAPE);
    const chosen = epiloguesOn(gpu, form, schedule);
    const cases = EPILOGUES.filter(({ name }) => chosen.includes(name))
      .map((c) => ({ name: c.name, ...epilogueOf(gpu, c, SHAPE) }));
    const values = await runTape(
      gpu,
      (tape) => cases.map(({ options }) => matmul(tape, form, a, b, { schedule, ...options })),
    );
    cases.forEach(({ name, reference }, i) => {
      const error = relativeError(values[i], expected(form, aValues, bValues, SHAPE, reference));
      assert(error < TOLERANCE, `${name}: error ${error}`);
    });
  });

  Deno.test(`matmul ${form}, ${schedule}: a batch of products with all of it`, async () => {
    const gpu = await testGpu();
    for (
      const [batch, shape] of [[3, { m: 9, n: 17, k: 7 }], [5, { m: 65, n: 6, k: 5 }]] as const
    ) {
      const { a, b, aValues, bValues } = operands(gpu, form, shape, batch);
      const { options, reference } = epilogueOf(gpu, EVERYTHING, shape, batch);
      const [c] = await runTape(
        gpu,
        (tape) => [matmul(tape, form, a, b, { schedule, batch, ...options })],
      );
      const want = expected(form, aValues, bValues, shape, reference, batch);
      const error = relativeError(c, want);
      assert(error < TOLERANCE, `batch of ${batch}: error ${error}`);
    }
  });

  Deno.test(`matmul ${form}, ${schedule}: a NaN stays in its own product of a batch`, async () => {
    const gpu = await testGpu();
    const shape = { m: 6, n: 10, k: 5 };
    const { a, aValues, bValues } = operands(gpu, form, shape, 2);
    const first = expected(form, aValues, bValues, shape);
    bValues.fill(NaN, bValues.length / 2);
    const { b: size } = operandShapes(form, shape);
    const b = tensorOf(gpu, "b", [2 * size[0], size[1]], bValues);
    const [c] = await runTape(gpu, (tape) => [matmul(tape, form, a, b, { schedule, batch: 2 })]);
    assert(relativeError(c.subarray(0, 60), first) < TOLERANCE, "first product");
    assert(c.subarray(60).every(Number.isNaN), "second product");
  });

  Deno.test(`matmul ${form}, ${schedule}: windows of A and C, nothing beside them is touched`, async () => {
    const gpu = await testGpu();
    // Windows inside (a whole number of fours wide), and up to the matrix's end (any width).
    for (const width of [{ a: 8, c: 12, after: 4 }, { a: 6, c: 7, after: 0 }]) {
      const [aColumn, cColumn] = [4, 8];
      const shape = form === "tn"
        ? { m: width.a, n: width.c, k: 11 }
        : { m: 11, n: width.c, k: width.a };
      const { aValues, b, bValues } = operands(gpu, form, shape);
      const rows = aValues.length / width.a;
      const outside = NaN; // a read beside the window would spread
      const wide = inWindow(aValues, width.a, aColumn, width.after, outside);
      const a = tensorOf(gpu, "a", [rows, aColumn + width.a + width.after], wide);
      const columns = cColumn + width.c + width.after;
      const before = randomValues(shape.m * columns, 8);
      const out = tensorOf(gpu, "out", [shape.m, columns], before);
      const size = form === "tn" ? { m: width.a } : { k: width.a };
      const options: MatmulOptions = { schedule, out, aColumn, cColumn, n: width.c, ...size };
      const [c] = await runTape(gpu, (tape) => [matmul(tape, form, a, b, options)]);
      const product = expected(form, aValues, bValues, shape);
      const want = before.map((v, i) => {
        const column = i % columns - cColumn;
        const row = Math.floor(i / columns);
        return column < 0 || column >= width.c ? v : product[row * width.c + column];
      });
      const error = relativeError(c, want);
      assert(error < TOLERANCE, `window of ${width.a}: error ${error}`);
    }
  });
}

/** Values [rows, width] placed in rows of start + width + after columns. */
function inWindow(
  values: Float64Array,
  width: number,
  start: number,
  after: number,
  outside: number,
): Float64Array {
  const columns = start + width + after;
  const wide = new Float64Array(values.length / width * columns).fill(outside);
  for (let i = 0; i < values.length; i++) {
    wide[Math.floor(i / width) * columns + start + i % width] = values[i];
  }
  return wide;
}

for (const schedule of SCHEDULES) {
  Deno.test(`matmul tn, ${schedule}: column sums of A are added beside the product`, async () => {
    const gpu = await testGpu();
    for (
      const shape of [SHAPE, { m: 1, n: 1, k: 1 }, { m: 127, n: 65, k: 257 }, { m: 7, n: 3, k: 5 }]
    ) {
      const { a, b, aValues, bValues } = operands(gpu, "tn", shape);
      const before = randomValues(shape.m, 6);
      const columnSums = tensorOf(gpu, "sums", [shape.m], before);
      const [c, sums] = await runTape(gpu, (tape) => [
        matmul(tape, "tn", a, b, { schedule, columnSums }),
        columnSums,
      ]);
      assert(relativeError(c, expected("tn", aValues, bValues, shape)) < TOLERANCE, "product");
      const want = before.slice();
      aValues.forEach((v, i) => want[i % shape.m] += v);
      const error = relativeError(sums.subarray(0, shape.m), want);
      assert(error < TOLERANCE, `[${shape.k}, ${shape.m}]: error ${error}`);
    }
  });
}

Deno.test("matmul: the same product twice is the same bit for bit", async () => {
  const gpu = await testGpu();
  const { a, b } = operands(gpu, "nt", { m: 127, n: 65, k: 257 });
  for (const schedule of SCHEDULES) {
    const run = () => runTape(gpu, (tape) => [matmul(tape, "nt", a, b, { schedule })]);
    assertEquals(await run(), await run());
  }
});

Deno.test("matmul: the adapter's schedule is taken unless another is named", async () => {
  const gpu = await testGpu();
  const { a, b } = operands(gpu, "nt", SHAPE);
  const heard: string[] = [];
  const tape = new Tape(gpu, "schedules");
  for (const schedule of [undefined, ...SCHEDULES]) matmul(tape, "nt", a, b, { schedule });
  tape.compile((kernel) => heard.push(kernel));
  const kernels: Readonly<Record<MatmulSchedule, string>> = {
    textures: gpu.hasSubgroups ? "matmul_subgroup" : "matmul_nt",
    registers: "matmul_nt",
    tiled: "matmul_tiled",
    tiled8: "matmul_tiled8",
  };
  assertEquals(heard.slice(1), SCHEDULES.map((schedule) => kernels[schedule]));
  assertEquals(heard[0], gpu.info.software ? kernels.textures : kernels.tiled);
  assertEquals(tape.flops, (1 + SCHEDULES.length) * 2 * SHAPE.m * SHAPE.n * SHAPE.k);
  tape.destroy();
});

Deno.test("matmul: what does not fit is refused by name before it reaches the GPU", async () => {
  const gpu = await testGpu();
  const tape = new Tape(gpu, "bad");
  const tensor = (name: string, ...shape: number[]) => tape.tensor(name, shape);
  const [a, b] = [tensor("a", 6, 8), tensor("b", 12, 8)];
  const refused = (expected: string, options: MatmulOptions, left = a, right = b) =>
    assertThrows(() => matmul(tape, "nt", left, right, options), InputError, expected);
  for (const form of FORMS) {
    const run = () => matmul(tape, form, tensor("left", 6, 9), tensor("right", 7, 5));
    assertThrows(run, InputError, `matmul ${form}: left [6,9] and right [7,5] differ`);
  }
  refused("bias must be a vector [12]", { bias: tensor("bias", 8) });
  refused("residual must be [6,12]", { residual: tensor("residual", 6, 8) });
  refused("out must be", { out: tensor("out", 5, 12) });
  refused("out must be", { out: tensor("out", 6, 13), cColumn: 1 });
  refused("out must be", { out: tensor("out", 6, 16), cColumn: 8 });
  refused("out must be", { out: tensor("out", 6, 16), cColumn: 4, n: 6 });
  refused("a must be", { aColumn: 2, k: 8 }, tensor("a", 6, 12));
  refused("a must be", { aColumn: 4, k: 7 }, tensor("a", 6, 12), tensor("b", 12, 7));
  refused("b must be", { n: 13 });
  refused("a must be", { batch: 4 });
  refused("sums must be", { columnSums: tensor("sums", 5) });
  refused("swiglu", { activation: "swiglu" });
  assertEquals(tape.dispatchCount, 0);
});
