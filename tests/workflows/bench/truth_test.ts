/** What counts as a right answer: the truth of each task, and that small mistakes are caught. */
import type { MatmulForm } from "../../../kernels/matmul/matmul.ts";
import { benchPolicy } from "../../../workflows/bench/cases.ts";
import { matmulInputs, sampledEntries } from "../../../workflows/bench/contest.ts";
import { disagreement, problemWith, trueEntries } from "../../../workflows/bench/truth.ts";
import { assert, assertEquals } from "../../assert.ts";
import { type Layout, matmul } from "../../reference/matmul.ts";

const product = (form: MatmulForm) => ({ kind: "matmul", form, m: 12, n: 20, k: 7 }) as const;

for (const form of ["nn", "nt", "tn"] as const) {
  Deno.test(`the true entries of a ${form.toUpperCase()} product are those of the whole product`, () => {
    const task = product(form);
    const { a, b } = matmulInputs(task);
    const whole = matmul(a, b, task, form.toUpperCase() as Layout);
    const want = sampledEntries(task).map((index) => whole[index]);
    assertEquals(trueEntries(task), want);
    assertEquals(problemWith(task, want), null);
    const swapped = want.with(3, want[4]);
    assert(problemWith(task, swapped)?.startsWith("error "));
    assert(problemWith(task, want.slice(1))?.includes("answers"));
    assert(problemWith(task, want.with(0, NaN))?.includes("finite"));
  });
}

Deno.test("sampled entries reach most rows and columns of a large product", () => {
  const task = { kind: "matmul", form: "nn", m: 512, n: 384, k: 4 } as const;
  const entries = sampledEntries(task);
  assertEquals(new Set(entries).size, 64);
  assert(new Set(entries.map((at) => Math.floor(at / 384))).size > 50);
  assert(new Set(entries.map((at) => at % 384)).size > 30);
  assert(entries.every((at) => at >= 0 && at < 512 * 384));
});

Deno.test("losses must start near ln V, fall, and agree", () => {
  const config = benchPolicy({ layers: 1, width: 8, heads: 2, context: 4, vocabSize: 100 });
  const task = { kind: "gpt step", config, rows: 1, length: 4 } as const;
  const right = [4.61, 4.4, 4.2];
  assertEquals(problemWith(task, right), null);
  assert(problemWith(task, [4.9, 4.4, 4.2])?.startsWith("first loss 4.900, expected 4.605"));
  assert(problemWith(task, [4.61, 4.7, 4.8])?.startsWith("the loss does not fall"));
  assert(problemWith(task, [4.61, 4.4])?.includes("expected 3"));
  assertEquals(disagreement([4.611, 4.4, 4.2], right), null);
  assert(disagreement([4.61, 4.41, 4.2], right)?.includes("at step 1"));
  assert(disagreement([4.61, 4.4], right) !== null);
  assert(disagreement([4.61, NaN, 4.2], right) !== null);
});

Deno.test("generation must give every token, with a probability", () => {
  const config = benchPolicy({ layers: 1, width: 8, heads: 2, context: 4, vocabSize: 100 });
  const task = { kind: "generate", config, batch: 1, promptLength: 1, maxNew: 2 } as const;
  assertEquals(problemWith(task, [-1, -2]), null);
  assert(problemWith(task, [-1]) !== null);
  assert(problemWith(task, [-1, 0.5]) !== null);
});
