/**
 * Generation: the same tokens as a full forward pass per token would choose, whatever else is in the batch.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { Gpu } from "../../../kernels/gpu/device.ts";
import type { PolicyConfig } from "../../../kernels/policy/config.ts";
import { Generator, type Reply } from "../../../kernels/policy/generate.ts";
import { loadParameters } from "../../../kernels/policy/parameters.ts";
import type { SamplingSettings } from "../../../kernels/sampling/state.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { randomIntegers } from "../../reference/random.ts";
import { randomWeights, tinyConfigs } from "../../reference/tiny_policies.ts";
import { forward, type Policy, toPolicy } from "../../reference/transformer.ts";
import { testGpu } from "../harness.ts";

// Log-probabilities measured on lavapipe: 1.4e-6 off at worst.
const LOG_PROB_TOLERANCE = 7e-6;

const GREEDY: SamplingSettings = { temperature: 0, seed: 0, padToken: 0 };
const SAMPLED: SamplingSettings = { temperature: 1.5, seed: 7, padToken: 0 };
const MAX_NEW = 7;

const promptsOf = ({ vocabSize }: PolicyConfig) =>
  [1, 9, 4, 8].map((length, i) => [...randomIntegers(length, vocabSize, i + 1)]);

/** Log-probabilities of the next token after `ids`, in float64. */
function nextLogProbs(policy: Policy, ids: readonly number[]): Float64Array {
  const { vocabSize } = policy.config;
  const length = ids.length;
  const positions = ids.map((_, i) => i);
  const tokens = { rows: 1, length, ids, positions, starts: new Uint32Array(length) };
  const logits = forward(policy, tokens).logits.subarray((length - 1) * vocabSize);
  const most = Math.max(...logits);
  const total = Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0));
  return logits.map((z) => z - most - total);
}

/** A generator for the duration of `use`. */
async function withGenerator<T>(
  config: PolicyConfig,
  sizes: { batch: number; maxNew?: number; capacity?: number; endsEarly?: boolean },
  use: (generator: Generator, gpu: Gpu) => Promise<T>,
): Promise<T> {
  const gpu = await testGpu();
  const parameters = loadParameters(gpu, randomWeights(config, 2), { trainable: false });
  const generator = new Generator(parameters, { maxNew: MAX_NEW, ...sizes });
  try {
    return await use(generator, gpu);
  } finally {
    generator.destroy();
    parameters.destroy();
  }
}

for (const [family, config] of Object.entries(tinyConfigs)) {
  Deno.test(`${family}: greedy replies are the most likely tokens of a full pass at each step`, async () => {
    const prompts = promptsOf(config);
    const replies = await withGenerator(
      config,
      { batch: prompts.length },
      (generator) => generator.generate(prompts, GREEDY),
    );
    const policy = toPolicy(randomWeights(config, 2));
    replies.forEach(({ ids, logProbs }, row) => {
      assertEquals(ids.length, MAX_NEW);
      const text = [...prompts[row]];
      ids.forEach((id, step) => {
        const want = nextLogProbs(policy, text);
        assertEquals(id, want.indexOf(Math.max(...want)), `row ${row}, step ${step}`);
        assert(
          Math.abs(logProbs[step] - want[id]) < LOG_PROB_TOLERANCE,
          `${logProbs[step] - want[id]}`,
        );
        text.push(id);
      });
    });
  });
}

for (const settings of [GREEDY, SAMPLED]) {
  const how = settings.temperature > 0 ? "sampled" : "greedy";
  Deno.test(`${how} replies to prompts of different lengths are those of each prompt alone, in any order`, async () => {
    const config = tinyConfigs.qwen2;
    const prompts = promptsOf(config);
    const streams = [5, 0, 12, 3];
    const ids = (replies: Reply[]) => replies.map((reply) => reply.ids);
    const [together, again, backwards, restart] = await withGenerator(
      config,
      { batch: 4 },
      async (generator) => [
        ids(await generator.generate(prompts, settings, { streams })),
        ids(await generator.generate(prompts, settings, { streams })),
        ids(
          await generator.generate(prompts.toReversed(), settings, {
            streams: streams.toReversed(),
          }),
        ),
        ids(await generator.generate(prompts, { ...settings, seed: 8 }, { streams })),
      ],
    );
    const alone = await withGenerator(config, { batch: 1 }, async (generator) => {
      const replies = [];
      for (const [i, prompt] of prompts.entries()) {
        replies.push(...await generator.generate([prompt], settings, { streams: [streams[i]] }));
      }
      return ids(replies);
    });
    const fewer = await withGenerator(
      config,
      { batch: 6, capacity: 30 },
      (generator) => generator.generate(prompts.slice(1), settings, { streams: streams.slice(1) }),
    );
    assertEquals(again, together);
    assertEquals(backwards.toReversed(), together);
    assertEquals(alone, together);
    assertEquals(ids(fewer), together.slice(1));
    // Another seed matters exactly where something is drawn.
    assertEquals(JSON.stringify(restart) === JSON.stringify(together), settings === GREEDY);
  });
}

Deno.test("a reply ends with its stop token, which it keeps; others go on", async () => {
  const config = tinyConfigs.llama;
  const prompts = promptsOf(config);
  await withGenerator(config, { batch: prompts.length }, async (generator) => {
    const full = await generator.generate(prompts, SAMPLED);
    const stop = full[0].ids[2];
    const stopped = await generator.generate(prompts, { ...SAMPLED, stopTokens: [stop] });
    full.forEach(({ ids, logProbs }, row) => {
      const at = ids.indexOf(stop);
      const end = at < 0 ? MAX_NEW : at + 1;
      assertEquals(stopped[row], { ids: ids.slice(0, end), logProbs: logProbs.slice(0, end) });
    });
    assert(stopped[0].ids.length <= 3);
    assert(
      stopped.some(({ ids }) => ids.length === MAX_NEW),
      "one reply must be without the stop token",
    );
  });
});

Deno.test("a batch whose replies have all ended is not decoded any further", async () => {
  const config = tinyConfigs.llama;
  const prompts = promptsOf(config).slice(0, 2);
  /** Replies that end at one of the tokens, and how many read-backs and submissions they took. */
  const run = (endsEarly: boolean, ...stops: ((full: Reply[]) => number[])[]) =>
    withGenerator(config, { batch: 2, maxNew: 20, endsEarly }, async (generator, { counts }) => {
      const full = await generator.generate(prompts, SAMPLED);
      const found = [];
      for (const stop of stops) {
        const before = { ...counts };
        const settings = { ...SAMPLED, stopTokens: stop(full) };
        const replies = await generator.generate(prompts, settings);
        const cost = [counts.readbacks - before.readbacks, counts.submits - before.submits];
        found.push({ replies, cost, longest: Math.max(...replies.map(({ ids }) => ids.length)) });
      }
      return found;
    });
  const late = ({ ids }: Reply) => ids.findLast((id, i) => i < 12 && ids.indexOf(id) === i)!;
  const stops = [
    (full: Reply[]) => full.map(({ ids }) => ids[5]),
    (full: Reply[]) => full.map(late),
    (full: Reply[]) => [late(full[0])],
    () => [],
  ];
  const [early, whole] = [await run(true, ...stops), await run(false, ...stops)];
  assertEquals(early.map(({ replies }) => replies), whole.map(({ replies }) => replies));
  const [soon, later, never] = early.map(({ longest }) => longest);
  assert(soon <= 8 && later > 8 && later <= 12 && never === 20, `${[soon, later, never]}`);
  // Looks after 8, 12, 18 and 20 tokens; a submission for each token.
  assertEquals(early.map(({ cost }) => cost), [[1, 8], [2, 12], [4, 20], [1, 20]]);
  assertEquals(whole.map(({ cost }) => cost), whole.map(() => [1, 20]));
});

Deno.test("one read-back per batch, whatever the length; shorter replies on request", async () => {
  const config = tinyConfigs.gpt2;
  await withGenerator(config, { batch: 2 }, async (generator, gpu) => {
    const prompts = promptsOf(config).slice(0, 2);
    const full = await generator.generate(prompts, GREEDY);
    const before = { ...gpu.counts };
    const short = await generator.generate(prompts, GREEDY, { maxNew: 3 });
    assertEquals(gpu.counts.readbacks - before.readbacks, 1);
    assertEquals(gpu.counts.submits - before.submits, 3);
    assertEquals(short.map(({ ids }) => ids), full.map(({ ids }) => ids.slice(0, 3)));
  });
});

Deno.test("replies up to the last place of the context", async () => {
  const config = tinyConfigs.gpt2; // learned positions: there is no 25th
  const prompt = [...randomIntegers(config.context - 3, config.vocabSize, 9)];
  const [reply] = await withGenerator(
    config,
    { batch: 1 },
    (generator) => generator.generate([prompt], GREEDY),
  );
  const policy = toPolicy(randomWeights(config, 2));
  assertEquals(reply.ids.length, 3);
  const want = nextLogProbs(policy, [...prompt, ...reply.ids.slice(0, 2)]);
  assertEquals(reply.ids[2], want.indexOf(Math.max(...want)));
});

Deno.test("what cannot be generated is refused", async () => {
  const config = tinyConfigs.llama;
  await withGenerator(config, { batch: 2, capacity: 10 }, async (generator) => {
    const long = [...randomIntegers(10, config.vocabSize, 1)];
    await assertRejects(() => generator.generate([long], GREEDY), InputError, "leaves no room");
    await assertRejects(() => generator.generate([[]], GREEDY), InputError, "has no tokens");
    await assertRejects(() => generator.generate([], GREEDY), InputError, "1 to 2 prompts");
    for (const maxNew of [0, 2.5, NaN]) {
      await assertRejects(
        () => generator.generate([[1]], GREEDY, { maxNew }),
        InputError,
        "maxNew",
      );
    }
    await assertRejects(() => generator.generate([[41]], GREEDY), InputError, "has id 41");
    await assertRejects(
      () => generator.generate([[1], [1], [1]], GREEDY),
      InputError,
      "1 to 2 prompts",
    );
  });
  const gpu = await testGpu();
  const parameters = loadParameters(gpu, randomWeights(config, 2), { trainable: false });
  assertThrows(
    () => new Generator(parameters, { batch: 1, maxNew: 1, capacity: 49 }),
    InputError,
    "more than the policy's context of 48",
  );
  parameters.destroy();
});
