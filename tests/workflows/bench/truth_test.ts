/** What counts as a right answer: the truth of each task, and that small mistakes are caught. */
import type { MatmulForm } from "../../../kernels/matmul/matmul.ts";
import { benchPolicy } from "../../../workflows/bench/policies.ts";
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
  assert(problemWith(task, [4.9, 4.4, 4.2])?.startsWith("first loss 4.900, expected 4.607"));
  assert(problemWith(task, [4.61, 4.7, 4.8])?.startsWith("the loss does not fall"));
  assert(problemWith(task, [4.61, 4.4])?.includes("expected 3"));
  assertEquals(disagreement(task, [4.6103, 4.4, 4.2], right), null);
  assertEquals(disagreement(task, [4.61, 4.401, 4.2], right), "loss 4.401 at 1, expected 4.4");
  assert(disagreement(task, [4.61, 4.4], right)?.includes("expected 3"));
  assert(disagreement(task, [4.61, NaN, 4.2], right) !== null);
});

Deno.test("generation must give every token, with a probability", () => {
  const config = benchPolicy({ layers: 1, width: 8, heads: 2, context: 4, vocabSize: 100 });
  const task = {
    kind: "generate",
    config,
    batch: 1,
    promptLength: 1,
    maxNew: 2,
    cache: true,
  } as const;
  assertEquals(problemWith(task, [-1, -2]), null);
  assert(problemWith(task, [-1]) !== null);
  assert(problemWith(task, [-1, 0.5]) !== null);
  assertEquals(disagreement(task, [-1.0005, -2], [-1, -2]), null);
  assert(disagreement(task, [-1.01, -2], [-1, -2])?.startsWith("log-probability -1.01 at 0"));
});

Deno.test("a story is the same to the letter; a Fisher diagonal is no square of nothing", () => {
  const story = {
    kind: "stories",
    model: "",
    tokenizer: "",
    replies: 1,
    maxNew: 2,
    cache: true,
  } as const;
  assertEquals(problemWith(story, [79, 110]), null);
  assertEquals(disagreement(story, [79, 110], [79, 110]), null);
  assertEquals(disagreement(story, [79, 111], [79, 110]), "character 111 at 1, expected 110");
  assert(disagreement(story, [79], [79, 110]) !== null);
  assert(problemWith(story, []) !== null);
  const config = benchPolicy({ layers: 1, width: 8, heads: 2, context: 4, vocabSize: 100 });
  const fisher = { kind: "fisher", config, sequences: 1, length: 4 } as const;
  assertEquals(problemWith(fisher, [3, 0]), null);
  assert(problemWith(fisher, [0, 0]) !== null);
  assert(problemWith(fisher, [3, -1]) !== null);
  assertEquals(disagreement(fisher, [3, 0], [4, 0]), null);
});
