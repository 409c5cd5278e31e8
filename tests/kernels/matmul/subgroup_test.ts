/**
 * Products with textures by subgroups of eight and by single invocations: the same bits, so which of them an adapter gets is no
 * matter of results.
 */
import { type Gpu, openGpu } from "../../../kernels/gpu/device.ts";
import { matmul, type MatmulForm } from "../../../kernels/matmul/matmul.ts";
import { assert, assertEquals } from "../../assert.ts";
import { randomValues, runTape, tensorOf, testUnless } from "../harness.ts";
import { operandShapes } from "./cases.ts";

/** Whole tiles; every size ragged; less than a tile; more than one tile of one row. */
const SHAPES = [[64, 96, 32], [70, 37, 45], [17, 19, 3], [1, 129, 66]] as const;

const reason = ({ hasSubgroups }: Gpu) =>
  hasSubgroups ? null : "a workgroup of eight is no subgroup here";

for (const form of ["nn", "nt", "tn"] as const) {
  await testUnless(
    `matmul ${form}: subgroups give the bits of single invocations`,
    reason,
    async (gpu) => {
      const single = await openGpu({ subgroups: false });
      assert(!single.hasSubgroups);
      assertEquals(await products(gpu, form), await products(single, form));
      single.close();
    },
  );
}

/** Of every shape the product, added to what is there, and column sums of A. */
function products(gpu: Gpu, form: MatmulForm): Promise<(Float32Array | Uint32Array)[]> {
  return runTape(gpu, (tape) =>
    SHAPES.flatMap(([m, n, k]) => {
      const { a, b } = operandShapes(form, { m, n, k });
      const operand = (name: string, shape: [number, number], seed: number) =>
        tensorOf(gpu, name, shape, randomValues(shape[0] * shape[1], seed));
      const columnSums = form === "tn" ? tensorOf(gpu, "sums", [m], randomValues(m, 5)) : null;
      const c = matmul(tape, form, operand("a", a, m), operand("b", b, n), {
        out: operand("c", [m, n], k),
        accumulate: true,
        columnSums,
        schedule: "textures",
      });
      return columnSums ? [c, columnSums] : [c];
    }));
}
