/** PyTorch and the toolkit agree on products and losses from equal weights; skipped, by name, where there is no PyTorch. */
import { localContestant } from "../../../../workflows/bench/contestant.ts";
import type { Task } from "../../../../workflows/bench/contest.ts";
import { startPeer } from "../../../../workflows/bench/peers/start.ts";
import { TINY } from "../../../../workflows/bench/policies.ts";
import { toolkit } from "../../../../workflows/bench/toolkit/toolkit.ts";
import { disagreement, problemWith } from "../../../../workflows/bench/truth.ts";
import { InputError } from "../../../../kernels/errors.ts";
import { assert, assertEquals, assertRejects } from "../../../assert.ts";
import { testGpu } from "../../../kernels/harness.ts";

const torch = await startPeer("torch").catch((error) => String(error.message));
const skipped = typeof torch === "string"
  ? " (skipped: no PyTorch with a fast BLAS: apt-get install python3-torch libopenblas0-pthread)"
  : "";
if (typeof torch !== "string") await torch.end();

function torchTest(name: string, tasks: readonly Task[]): void {
  Deno.test({
    name: `torch: ${name}${skipped}`,
    ignore: skipped !== "",
    async fn() {
      const own = localContestant(toolkit(await testGpu()));
      const peer = await startPeer("torch");
      try {
        assert(peer.native);
        for (const task of tasks) {
          const [ours, theirs] = [await own.open(task), await peer.open(task)];
          assertEquals(problemWith(task, theirs.answers), null);
          assertEquals(disagreement(task, theirs.answers, ours.answers), null);
          assert(theirs.cold.rss > 2 ** 24);
          const { ms, cpuMs } = await theirs.run(2);
          assert(ms > 0 && cpuMs > 0);
          await ours.close();
          await theirs.close();
        }
        await assertRejects(() => peer.open({ kind: "copy", bytes: 4 }), Error, "torch: KeyError");
      } finally {
        await peer.end();
      }
    },
  });
}

torchTest(
  "the same products in all three forms",
  (["nn", "nt", "tn"] as const).map((form) => ({ kind: "matmul", form, m: 24, n: 40, k: 12 })),
);
const { config, rows, length } = TINY;
torchTest("the same losses over three steps", [
  { kind: "gpt step", config, rows, length },
  { kind: "gpt step", config, rows: 1, length: 16 },
]);

Deno.test("torch: a Python without it is one line that says what to install", async () => {
  await assertRejects(
    () => startPeer("torch", { python: "/nonexistent/python" }),
    InputError,
    "install Debian's python3-torch",
  );
});
