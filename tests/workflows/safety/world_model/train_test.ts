/**
 * A world model learns a small world, the same one each time; corrupted on purpose, its measured epsilon_M says so; saved and loaded,
 * it gives the same scores to the last bit.
 */
import { join } from "node:path";
import { InputError } from "../../../../kernels/errors.ts";
import {
  buildWorldModel,
  type BuiltWorldModel,
  splitReplies,
} from "../../../../workflows/safety/world_model/build.ts";
import {
  chooseThreshold,
  costlyIfFlagged,
  errorCells,
} from "../../../../workflows/safety/world_model/errors.ts";
import type { WorldModelMetrics } from "../../../../workflows/safety/world_model/program.ts";
import { loadWorldModel, saveWorldModel } from "../../../../workflows/safety/world_model/files.ts";
import {
  untrainedWorldModel,
  WorldModel,
  type WorldModelWeights,
} from "../../../../workflows/safety/world_model/model.ts";
import {
  trainWorldModel,
  WORLD_MODEL_TRAINING,
} from "../../../../workflows/safety/world_model/train.ts";
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "../../../assert.ts";
import { testGpu } from "../../../kernels/harness.ts";
import { smallConfig, smallPolicy, smallReplies } from "./worlds.ts";

const TRAINING = { ...WORLD_MODEL_TRAINING, repliesPerStep: 24, epochs: 4, learningRate: 1e-2 };
const DATA = {
  train: smallReplies(900, 1),
  validation: smallReplies(300, 2),
  test: smallReplies(300, 3),
};
const SAFE = [{ text: "no", ids: [3] }];

let built: Promise<BuiltWorldModel> | undefined;
const losses: number[] = [];

/** The trained world model, made on first use. */
function trained(): Promise<BuiltWorldModel> {
  return built ??= testGpu().then((gpu) =>
    buildWorldModel(gpu, {
      start: smallPolicy(),
      data: DATA,
      safeReplies: SAFE,
      training: TRAINING,
      listener: {
        every: 10,
        onMetrics: (_, __, rows) => void losses.push(...rows.map((r) => r.loss)),
      },
    })
  );
}

Deno.test("world model: learns from labels, and errs little on replies it never saw", async () => {
  const { card } = await trained();
  assertEquals(losses.length, 4 * Math.floor(900 / 24));
  assert(Math.abs(losses[0] - Math.LN2) < 0.05, `begins near ln 2, found ${losses[0]}`);
  const { falseNegatives, falsePositives } = card.errors.cells["proposal"];
  assert(falseNegatives.n > 50 && falsePositives.n > 100);
  assert(falseNegatives.rate! < 0.1, `false negatives ${falseNegatives.rate}`);
  assert(falsePositives.rate! < 0.1, `false positives ${falsePositives.rate}`);
  assert(card.threshold.flagged.rate! <= card.threshold.false_positive_rate);
  assertEquals(card.training.unsafe, DATA.train.filter(({ unsafe }) => unsafe).length);
});

Deno.test("world model: the loss of a step is the mean binary cross-entropy of its replies' scores", async () => {
  const gpu = await testGpu();
  const replies = DATA.train.slice(0, 24); // of many lengths, several a row
  const start = untrainedWorldModel(smallPolicy(), 7);
  const rows: WorldModelMetrics[] = [];
  await trainWorldModel(gpu, smallPolicy(), replies, { ...TRAINING, epochs: 1, seed: 7 }, {
    onMetrics: (_, __, some) => void rows.push(...some),
  });
  const model = new WorldModel(gpu, start, 0.5);
  const scores = await model.score(replies);
  model.destroy();
  const losses = scores.map((p, i) => -Math.log(replies[i].unsafe ? p : 1 - p));
  const right = scores.filter((p, i) => (p > 0.5) === replies[i].unsafe).length;
  assertEquals(rows.length, 1);
  assertAlmostEquals(rows[0].loss, losses.reduce((a, b) => a + b) / 24, 1e-6);
  assertAlmostEquals(rows[0].accuracy, right / 24, 1e-6);
});

Deno.test("world model: the same seed gives the same weights, another one others", async () => {
  const gpu = await testGpu();
  const short = { ...TRAINING, epochs: 1 };
  const run = (seed: number) =>
    trainWorldModel(gpu, smallPolicy(), DATA.train.slice(0, 100), { ...short, seed });
  const [first, again, other] = [await run(1), await run(1), await run(2)];
  assertEquals(again.head.data, first.head.data);
  assertEquals(again.body.tensors, first.body.tensors);
  assert(other.head.data.some((value, i) => value !== first.head.data[i]));
});

Deno.test("world model: any number of steps may pass unheard", async () => {
  const gpu = await testGpu();
  const settings = { ...TRAINING, repliesPerStep: 2, epochs: 1 };
  const { head } = await trainWorldModel(gpu, smallPolicy(), DATA.train.slice(0, 520), settings);
  assert(head.data.every(Number.isFinite)); // 260 steps
});

/** False negatives and false positives on the test set, at a threshold set anew on validation. */
async function errorsOf(weights: WorldModelWeights, threshold?: number): Promise<[number, number]> {
  const gpu = await testGpu();
  const model = new WorldModel(gpu, weights, 0);
  const costly = costlyIfFlagged(DATA.validation, await model.score(DATA.validation));
  const limit = threshold ?? chooseThreshold(costly, 0.03);
  const scores = await model.score(DATA.test);
  model.destroy();
  const cell = errorCells(DATA.test, scores.map((score) => !(score <= limit)))["proposal"];
  return [cell.falseNegatives.rate!, cell.falsePositives.rate!];
}

Deno.test("world model: corrupted on purpose, its epsilon_M rises", async () => {
  const { weights, card } = await trained();
  const withHead = (change: (value: number) => number): WorldModelWeights => ({
    ...weights,
    head: { ...weights.head, data: weights.head.data.map(change) },
  });
  const [before] = await errorsOf(weights, card.threshold.value);
  const [turned] = await errorsOf(withHead((value) => -value), card.threshold.value);
  assert(turned > 0.8, `sign turned: ${turned}, was ${before}`);
  // Head of zeros: all scores are 1/2, so the threshold set anew is 1/2 and nothing is ever flagged.
  assertEquals(await errorsOf(withHead(() => 0)), [1, 0]);
});

Deno.test("world model: saved and loaded, the same scores bit for bit; changed weights are refused", async () => {
  const gpu = await testGpu();
  const { weights, card } = await trained();
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "capacitor");
    const written = await saveWorldModel(path, { weights, card });
    const own = new WorldModel(gpu, weights, card.threshold.value);
    const loaded = await loadWorldModel(gpu, path);
    assertEquals(loaded.card, written);
    assertEquals(loaded.worldModel.threshold, card.threshold.value);
    assertEquals(await loaded.worldModel.score(DATA.test), await own.score(DATA.test));
    const config = JSON.parse(await Deno.readTextFile(join(path, "config.json")));
    assertEquals(config.architectures, ["LlamaForSequenceClassification"]);
    assertEquals(config.id2label, { "0": "safe", "1": "unsafe" });
    own.destroy();
    loaded.worldModel.destroy();

    const file = join(path, "model.safetensors");
    const bytes = await Deno.readFile(file);
    bytes[bytes.length - 1] ^= 1;
    await Deno.writeFile(file, bytes);
    await assertRejects(() => loadWorldModel(gpu, path), InputError, "is not the file");
    await Deno.writeTextFile(join(path, "world_model.json"), `{"kind": "other"}`);
    await assertRejects(() => loadWorldModel(gpu, path), InputError, "kind");
    await Deno.remove(join(path, "world_model.json"));
    await assertRejects(() => loadWorldModel(gpu, path), InputError, "world_model.json");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("world model: data that cannot teach are refused", async () => {
  const gpu = await testGpu();
  const settings = { ...TRAINING, repliesPerStep: 24 };
  await assertRejects(
    () => trainWorldModel(gpu, smallPolicy(), DATA.train.slice(0, 23), settings),
    InputError,
    "only 23",
  );
  const long = { ...DATA.train[0], reply: new Array(smallConfig.context).fill(4) };
  await assertRejects(
    () => trainWorldModel(gpu, smallPolicy(), [...DATA.train.slice(0, 30), long], settings),
    InputError,
    "reply 30",
  );
  const safe = DATA.train.filter(({ unsafe }) => !unsafe);
  await assertRejects(
    () =>
      buildWorldModel(gpu, {
        start: smallPolicy(),
        data: { ...DATA, validation: safe },
        safeReplies: SAFE,
      }),
    InputError,
    "validation",
  );
});

Deno.test("splits: no context is in two of them", () => {
  const replies = smallReplies(2000, 4);
  const data = splitReplies(replies, 1);
  const contexts = Object.values(data).map((set) =>
    new Set(set.map(({ prompt }: { prompt: readonly number[] }) => prompt.join()))
  );
  for (const [a, b] of [[0, 1], [0, 2], [1, 2]]) {
    assertEquals([...contexts[a]].filter((context) => contexts[b].has(context)), []);
  }
  assertEquals(data.train.length + data.validation.length + data.test.length, 2000);
  assert(data.validation.length > 120 && data.test.length > 120);
});
