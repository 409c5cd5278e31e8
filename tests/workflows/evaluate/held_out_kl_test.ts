import { heldOutKl } from "../../../workflows/evaluate/held_out_kl.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { LENGTH, stepOnce, tinyPolicy } from "../objective/helpers.ts";
import { batchOfRows, rowsOf } from "../train/programs.ts";

Deno.test("held-out KL is 0 to itself, and what a training step reports to another policy", async () => {
  const [policy, prior] = [await tinyPolicy(1), await tinyPolicy(2)];
  const batch = batchOfRows(rowsOf(2, LENGTH, 7), LENGTH);
  assertEquals(await heldOutKl(policy, policy, [batch]), 0);
  const found = await heldOutKl(policy, prior, [batch]);
  const { metrics } = await stepOnce(policy, { objective: { rho: 1, prior } }, [batch]);
  assert(metrics.kl > 1e-3, `these policies hardly differ: ${metrics.kl}`);
  assert(Math.abs(found! - metrics.kl) < 1e-6, `${found} is not ${metrics.kl}`);
  [policy, prior].forEach((one) => one.destroy());
});

Deno.test("held-out KL is a mean over tokens, none without them", async () => {
  const [policy, prior] = [await tinyPolicy(1), await tinyPolicy(2)];
  const batches = [3, 4].map((seed) => batchOfRows(rowsOf(2, LENGTH, seed), LENGTH));
  const each = await Promise.all(batches.map((batch) => heldOutKl(policy, prior, [batch])));
  const tokens = batches.map(({ weights }) => weights.reduce((a, b) => a + b));
  const mean = (each[0]! * tokens[0] + each[1]! * tokens[1]) / (tokens[0] + tokens[1]);
  const both = await heldOutKl(policy, prior, batches);
  assert(Math.abs(both! - mean) < 1e-6, `${both} is not ${mean}`);
  assertEquals(await heldOutKl(policy, prior, []), null);
  const other = { ...prior, gpu: null } as unknown as typeof prior;
  await assertRejects(() => heldOutKl(policy, other, batches), Error, "heldOutKl: both policies");
  [policy, prior].forEach((one) => one.destroy());
});
