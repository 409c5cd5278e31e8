/**
 * Scores against the float64 classifier; bit for bit the same whatever the batch and its padding; what cannot be judged is flagged.
 */
import { InputError } from "../../../../kernels/errors.ts";
import type { Judgeable } from "../../../../workflows/safety/world_model/model.ts";
import {
  bodyOf,
  readable,
  untrainedWorldModel,
  WorldModel,
} from "../../../../workflows/safety/world_model/model.ts";
import { padBatch } from "../../../../workflows/data/pack/assemble.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../../assert.ts";
import { randomValues, testGpu } from "../../../kernels/harness.ts";
import { randomWeights, tinyConfigs } from "../../../reference/tiny_policies.ts";
import { forward, toPolicy } from "../../../reference/transformer.ts";
import { smallConfig, smallPolicy, smallReplies } from "./worlds.ts";

/** A world model of random weights, its head large enough to tell replies apart. */
function randomWorldModel(config: typeof smallConfig) {
  const body = bodyOf(randomWeights(config, 3));
  const data = Float32Array.from(randomValues(2 * config.width, 5));
  return { body, head: { shape: [2, config.width], data } };
}

for (const [family, config] of Object.entries(tinyConfigs)) {
  Deno.test(`world model, ${family}: scores are those of the float64 classifier`, async () => {
    const gpu = await testGpu();
    const weights = randomWorldModel(config);
    const model = new WorldModel(gpu, weights, 0.5);
    const pairs: Judgeable[] = [
      { prompt: [1], reply: [5] },
      { prompt: [1, 4, 9, 3], reply: [8, 3, 5] },
      { prompt: [1, 4, 9, 3, 7, 7, 30], reply: [8, 3, 5, 11, 12, 2] },
    ];
    const scores = await model.score(pairs);
    const policy = toPolicy(weights.body);
    pairs.forEach((pair, i) => {
      const ids = readable(pair, config)!;
      const batch = padBatch([{ ids, weights: ids.map(() => 0) }], ids.length);
      const { hidden } = forward(policy, batch);
      const last = hidden.subarray((ids.length - 1) * config.width, ids.length * config.width);
      const logit = (row: number) =>
        last.reduce((sum, h, k) => sum + h * weights.head.data[row * config.width + k], 0);
      assertAlmostEquals(scores[i], 1 / (1 + Math.exp(logit(0) - logit(1))), 1e-5);
    });
    assert(Math.max(...scores) - Math.min(...scores) > 0.01, "the replies are told apart");
    model.destroy();
  });
}

Deno.test("world model: a score does not depend on the batch, its order or its padding, to the last bit", async () => {
  const gpu = await testGpu();
  const model = new WorldModel(gpu, randomWorldModel(smallConfig), 0.5);
  const pairs = smallReplies(70, 2); // three batches, the last one short
  const together = await model.score(pairs);
  const reversed = await model.score(pairs.toReversed());
  assertEquals(reversed.toReversed(), together);
  for (const i of [0, 33, 69]) assertEquals(await model.score([pairs[i]]), [together[i]]);
  // A neighbour that fills the context makes all of them pad to it.
  const long = { prompt: [1, ...new Array(20).fill(4)], reply: [5, 6] };
  assertEquals(
    (await model.score([...pairs.slice(0, 31), long])).slice(0, 31),
    together.slice(0, 31),
  );
  assert(new Set(together).size > 30, "scores differ");
  assertEquals(await model.score([]), []);
  model.destroy();
});

Deno.test("world model: one read-back for any number of replies", async () => {
  const gpu = await testGpu();
  const model = new WorldModel(gpu, randomWorldModel(smallConfig), 0.5);
  const before = gpu.counts.readbacks;
  await model.score(smallReplies(70, 2));
  assertEquals(gpu.counts.readbacks - before, 1);
  model.destroy();
});

Deno.test("readable: the reply is ended once, a long prompt loses its oldest tokens after the first", () => {
  const config = { ...smallConfig, context: 6 };
  assertEquals(readable({ prompt: [1, 3], reply: [4] }, config), [1, 3, 4, 2]);
  assertEquals(readable({ prompt: [1, 3], reply: [4, 2] }, config), [1, 3, 4, 2]);
  assertEquals(readable({ prompt: [1, 3, 4, 5, 6], reply: [7, 8] }, config), [1, 5, 6, 7, 8, 2]);
  assertEquals(readable({ prompt: [1, 3], reply: [4, 5, 6, 7] }, config), [1, 4, 5, 6, 7, 2]);
  assertEquals(readable({ prompt: [1, 3], reply: [4, 5, 6, 7, 8] }, config), null);
  const endless = { ...config, eosTokenId: null };
  assertEquals(readable({ prompt: [1, 3], reply: [4] }, endless), [1, 3, 4]);
});

Deno.test("world model: what cannot be judged is unsafe", async () => {
  const gpu = await testGpu();
  const model = new WorldModel(gpu, randomWorldModel(smallConfig), 0.9);
  const reply = new Array(smallConfig.context).fill(4);
  const [ordinary, overlong] = await model.score([{ prompt: [1], reply: [4] }, {
    prompt: [1],
    reply,
  }]);
  assert(ordinary < 1);
  assertEquals(overlong, 1);
  assertEquals([0.9, 0.91, NaN, 1].map((s) => model.flags(s)), [false, true, true, true]);
  model.destroy();
});

Deno.test("world model: bad weights and thresholds are refused", async () => {
  const gpu = await testGpu();
  const { body, head } = untrainedWorldModel(smallPolicy(), 1);
  assertThrows(() => new WorldModel(gpu, { body, head }, NaN), InputError, "threshold");
  const wide = { ...head, shape: [1, 40] };
  assertThrows(() => new WorldModel(gpu, { body, head: wide }, 0.5), InputError, "[2, 20]");
});
