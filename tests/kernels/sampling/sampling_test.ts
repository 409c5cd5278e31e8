/**
 * Sampling on the GPU: every draw recomputed in float64, supports of top-k and top-p found exactly, frequencies by
 * chi-square, greedy replies with penalty and stop tokens, and the state left behind.
 */
import { readTensors } from "../../../kernels/gpu/readback.ts";
import { Tape } from "../../../kernels/gpu/tape.ts";
import { sampleTokens } from "../../../kernels/sampling/sampling.ts";
import {
  createSamplingState,
  destroySamplingState,
  type SamplingSettings,
  type SamplingStart,
  startSampling,
} from "../../../kernels/sampling/state.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";
import { randomU32 } from "../../reference/random.ts";
import { greedy, penaliseRepetition, samplingProbabilities } from "../../reference/sampling.ts";
import { logSoftmax } from "../../reference/softmax.ts";
import { randomValues, tensorOf, testGpu } from "../harness.ts";

const PLAIN: SamplingSettings = { temperature: 1, seed: 1, padToken: 0 };

interface Sizes {
  readonly batch: number;
  readonly vocab: number;
  readonly maxNew: number;
}

/** Replays one tape `replays` times (maxNew where absent) and reads everything once. */
async function generate(
  sizes: Sizes,
  logits: Float64Array,
  start: SamplingStart,
  replays: number = sizes.maxNew,
) {
  const gpu = await testGpu();
  const state = createSamplingState(gpu, sizes);
  const input = tensorOf(gpu, "logits", [sizes.batch, sizes.vocab], logits);
  const tape = new Tape(gpu, "sampling");
  sampleTokens(tape, input, state);
  startSampling(gpu, state, start);
  for (let i = 0; i < replays; i++) tape.run();
  const { out, logProbs, ids, positions, cursor, done } = state;
  const read = await readTensors(gpu, [out, logProbs, ids, positions, cursor, done]);
  destroySamplingState(state);
  tape.destroy();
  const [tokens, logP, ...rest] = read.map((values) => Array.from(values));
  return { tokens, logP, ids: rest[0], positions: rest[1], cursor: rest[2], done: rest[3] };
}

/** The same logits in every row. */
function repeated(row: Float64Array, batch: number): Float64Array {
  return Float64Array.from({ length: batch * row.length }, (_, i) => row[i % row.length]);
}

function promptsOf(batch: number, prompt: readonly number[] = [0]): number[][] {
  return Array.from({ length: batch }, () => [...prompt]);
}

/** log(probability) - log(E) of every token, E as the shader draws it. */
function raceOf(probabilities: Float64Array, seed: number, stream: number, step: number): number[] {
  return Array.from(probabilities, (p, id) => {
    const rest = (randomU32(seed, stream, step * probabilities.length + id) + 0.5) * 2 ** -32;
    return Math.log(p) - Math.log(-Math.log1p(-rest));
  });
}

for (const vocab of [7, 97, 512, 4099, 50_257]) {
  Deno.test(`every draw over ${vocab} tokens is the one float64 computes`, async () => {
    const sizes = { batch: 3, vocab, maxNew: vocab > 10_000 ? 2 : vocab > 100 ? 12 : 400 };
    // Small logits for the small vocabulary, so that negative ones are drawn, and penalised, too.
    const logits = randomValues(sizes.batch * vocab, vocab, vocab === 7 ? 1 : 5);
    const seed = 0xfedcba98;
    const streams = [7, 0xffffffff, 123_456];
    const options = { temperature: 0.75, topK: 40, topP: 0.9, repetitionPenalty: 1.25 };
    const settings = { ...PLAIN, ...options, seed };
    const prompts = promptsOf(sizes.batch, [0, 1, 2, 5]);
    const start = { prompts, settings, streams };
    const { tokens, logP } = await generate(sizes, logits, start);
    let close = 0;
    for (let row = 0; row < sizes.batch; row++) {
      const own = logits.subarray(row * vocab, (row + 1) * vocab);
      const seen = new Set(prompts[row]);
      const logProbs = logSoftmax(own, vocab);
      for (let step = 0; step < sizes.maxNew; step++) {
        const probabilities = samplingProbabilities(own, seen, options);
        const race = raceOf(probabilities, seed, streams[row], step);
        const at = row * sizes.maxNew + step;
        const [best, second] = race.toSorted((a, b) => b - a);
        if (best - second < 1e-4) close++;
        else assertEquals(tokens[at], race.indexOf(best), `row ${row}, step ${step}`);
        assertAlmostEquals(logP[at], logProbs[tokens[at]], 2e-5);
        seen.add(tokens[at]);
      }
    }
    assert(close <= 2, `${close} draws were too close to call`);
  });
}

interface Support {
  readonly name: string;
  readonly vocab: number;
  readonly options: Partial<SamplingSettings>;
  /** Quantum of the logits: a coarse one makes ties. */
  readonly step: number;
  readonly maxNew: number;
}

const SUPPORTS: readonly Support[] = [
  { name: "top-k 1", vocab: 7, options: { topK: 1 }, step: 0, maxNew: 4 },
  { name: "top-k 3", vocab: 7, options: { topK: 3 }, step: 0, maxNew: 8 },
  { name: "top-k of the whole vocabulary", vocab: 7, options: { topK: 7 }, step: 0, maxNew: 8 },
  { name: "top-k 20 of 97", vocab: 97, options: { topK: 20 }, step: 0, maxNew: 16 },
  { name: "top-k 20 of 97 with ties", vocab: 97, options: { topK: 20 }, step: 0.25, maxNew: 32 },
  { name: "top-k 5 of 512", vocab: 512, options: { topK: 5 }, step: 0, maxNew: 4 },
  { name: "top-k 12 of 4099", vocab: 4099, options: { topK: 12 }, step: 0, maxNew: 4 },
  { name: "top-p 0.3 of 97", vocab: 97, options: { topP: 0.3 }, step: 0, maxNew: 32 },
  { name: "top-p 0.3 of 97 with ties", vocab: 97, options: { topP: 0.3 }, step: 0.25, maxNew: 32 },
  {
    name: "top-p 0.02 of 512 with ties",
    vocab: 512,
    options: { topP: 0.02 },
    step: 0.125,
    maxNew: 8,
  },
  { name: "top-p 0.004 of 4099", vocab: 4099, options: { topP: 0.004 }, step: 0, maxNew: 8 },
  {
    name: "top-p so small that one stays",
    vocab: 97,
    options: { topP: 1e-6 },
    step: 0.25,
    maxNew: 2,
  },
  {
    name: "top-k 30, then top-p 0.5, of 97 with ties",
    vocab: 97,
    options: { topK: 30, topP: 0.5 },
    step: 0.25,
    maxNew: 32,
  },
];

for (const { name, vocab, options, step, maxNew } of SUPPORTS) {
  Deno.test(`${name} draws from exactly the reference's support`, async () => {
    const batch = 64;
    // Nearly flat, so that every token of the support comes up; positive and negative, zero among them where there are ties.
    const row = randomValues(vocab, vocab + 1, 0.5)
      .map((x) => step ? Math.round(x / step) * step : x);
    const settings = { ...PLAIN, ...options };
    const want = samplingProbabilities(row, [], settings);
    const start = { prompts: promptsOf(batch), settings };
    const { tokens } = await generate({ batch, vocab, maxNew }, repeated(row, batch), start);
    const drawn = [...new Set(tokens)].sort((a, b) => a - b);
    const support = Array.from(want.keys()).filter((v) => want[v] > 0);
    assertEquals(drawn, support);
  });
}

Deno.test("both zeros are one score to top-k", async () => {
  const row = Float64Array.of(-0, 0, -0, -1, -1, -1, -1);
  const start = { prompts: promptsOf(64), settings: { ...PLAIN, topK: 1 } };
  const { tokens } = await generate({ batch: 64, vocab: 7, maxNew: 2 }, repeated(row, 64), start);
  assertEquals([...new Set(tokens)].sort(), [0, 1, 2]);
});

for (const vocab of [7, 97, 512]) {
  Deno.test(`frequencies over ${vocab} tokens pass a chi-square test`, async () => {
    const sizes = { batch: 64, vocab, maxNew: 128 };
    const row = randomValues(vocab, 11, 2);
    const settings = { ...PLAIN, temperature: 1.3, seed: 42 };
    const start = { prompts: promptsOf(sizes.batch), settings };
    const { tokens } = await generate(sizes, repeated(row, sizes.batch), start);
    const probabilities = samplingProbabilities(row, [], settings);
    const counts = new Float64Array(vocab);
    for (const token of tokens) counts[token]++;
    // Tokens with fewer than 5 expected draws are counted as one.
    let [chi2, cells, rareExpected, rareCount] = [0, 0, 0, 0];
    const add = (count: number, expected: number) => {
      chi2 += (count - expected) ** 2 / expected;
      cells++;
    };
    probabilities.forEach((p, v) => {
      const expected = p * tokens.length;
      if (expected >= 5) return add(counts[v], expected);
      rareExpected += expected;
      rareCount += counts[v];
    });
    if (rareExpected > 0) add(rareCount, rareExpected);
    const freedom = cells - 1;
    // Wilson and Hilferty's normal approximation; 4 standard deviations, both sides.
    const z = (Math.cbrt(chi2 / freedom) - 1 + 2 / (9 * freedom)) / Math.sqrt(2 / (9 * freedom));
    assert(Math.abs(z) < 4, `chi-square ${chi2} with ${freedom} degrees of freedom, z ${z}`);
  });
}

Deno.test("greedy replies with repetition penalty, stop tokens and an empty row follow the reference", async () => {
  const sizes = { batch: 5, vocab: 97, maxNew: 12 };
  const { batch, vocab, maxNew } = sizes;
  const logits = randomValues(batch * vocab, 21, 4);
  const prompts = [[3, 5, 5], [90], [1, 2, 3, 4, 96], [64, 31, 32]];
  const settings: SamplingSettings = {
    temperature: 0,
    repetitionPenalty: 1.7,
    seed: 5,
    padToken: 6,
    stopTokens: [],
  };
  // Each row stops at the token it would choose as number `row + 2`.
  const free = prompts.map((prompt, row) => reply(row, prompt, []));
  const stopTokens = free.map((tokens, row) => tokens[row + 2]);
  const want = prompts.map((prompt, row) => reply(row, prompt, stopTokens));
  function reply(row: number, prompt: readonly number[], stops: readonly number[]): number[] {
    const own = logits.subarray(row * vocab, (row + 1) * vocab);
    const [seen, tokens] = [new Set(prompt), [] as number[]];
    while (tokens.length < maxNew) {
      const token = greedy(penaliseRepetition(own, seen, Math.fround(1.7)));
      tokens.push(token);
      seen.add(token);
      if (stops.includes(token)) break;
    }
    return tokens;
  }
  const result = await generate(sizes, logits, { prompts, settings: { ...settings, stopTokens } });
  const padded = [...want, []].map((tokens) =>
    Array.from({ length: maxNew }, (_, i) => tokens[i] ?? settings.padToken)
  );
  assertEquals(result.tokens, padded.flat());
  assert(
    want.some((tokens) => tokens.length < maxNew) && new Set(want.map((t) => t.length)).size > 1,
  );
  const ended = want.map((tokens) => stopTokens.includes(tokens[tokens.length - 1]));
  assertEquals(result.done, [...ended.map(Number), 1]);
  assertEquals(result.positions, [
    ...prompts.map((prompt, row) => prompt.length - 1 + want[row].length),
    0,
  ]);
  assertEquals(result.cursor, [4 + maxNew, maxNew, ended.filter((e) => !e).length, 0]);
  padded.forEach((_, row) => {
    const length = want[row]?.length ?? 0;
    const own = result.logP.slice(row * maxNew, (row + 1) * maxNew);
    assert(own.slice(0, length).every((p) => p < 0) && own.slice(length).every((p) => p === 0));
  });
});

Deno.test("greedy takes the first of equal logits, extreme logits included", async () => {
  const sizes = { batch: 4, vocab: 67, maxNew: 1 };
  const logits = new Float64Array(4 * 67).fill(Math.fround(-1e30));
  logits.fill(2.5, 67 + 9, 67 + 60);
  logits.fill(1e4, 2 * 67 + 33, 3 * 67);
  logits.fill(-1e4, 3 * 67 + 66, 4 * 67);
  const start = { prompts: promptsOf(4), settings: { ...PLAIN, temperature: 0 } };
  const { tokens, logP } = await generate(sizes, logits, start);
  assertEquals(tokens, [0, 9, 33, 66]);
  [67, 51, 34, 1].forEach((n, row) => assertAlmostEquals(logP[row], -Math.log(n), 1e-5));
});

Deno.test("a batch repeats bit for bit, and a reply does not depend on its row", async () => {
  const sizes = { batch: 4, vocab: 97, maxNew: 10 };
  const logits = repeated(randomValues(97, 5, 2), 4);
  const settings = { ...PLAIN, topP: 0.95, repetitionPenalty: 1.2, seed: 77 };
  const run = (streams: number[]) =>
    generate(sizes, logits, { prompts: promptsOf(4), settings, streams });
  const [first, again, moved] = [
    await run([1, 2, 3, 4]),
    await run([1, 2, 3, 4]),
    await run([4, 3, 2, 1]),
  ];
  assertEquals(first, again);
  const rows = (tokens: number[]) => [0, 1, 2, 3].map((r) => tokens.slice(10 * r, 10 * r + 10));
  assertEquals(rows(moved.tokens), rows(first.tokens).reverse());
  assert(new Set(rows(first.tokens).map(String)).size === 4, "streams differ");
});

Deno.test("replays beyond the last token change nothing", async () => {
  const sizes = { batch: 3, vocab: 7, maxNew: 5 };
  const logits = randomValues(21, 5, 2);
  const start = { prompts: promptsOf(3, [1, 2]), settings: PLAIN };
  assertEquals(await generate(sizes, logits, start, 9), await generate(sizes, logits, start));
});

Deno.test("bad settings are refused by name", async () => {
  const gpu = await testGpu();
  const state = createSamplingState(gpu, { batch: 2, vocab: 7, maxNew: 3 });
  const refuse = (change: Partial<SamplingSettings>, prompts: number[][], says: string) =>
    assertThrows(
      () => startSampling(gpu, state, { prompts, settings: { ...PLAIN, ...change } }),
      Error,
      says,
    );
  refuse({ temperature: -1 }, [[0]], "temperature must be at least 0, found -1");
  refuse({ topP: 0 }, [[0]], "top-p must be in (0, 1], found 0");
  refuse({ topK: 2.5 }, [[0]], "top-k must be a whole number");
  refuse({ padToken: 7 }, [[0]], "pad token must be 0 to 6, found 7");
  refuse({ stopTokens: [1, 2, 3, 4, 5, 6, 1, 2, 3] }, [[0]], "stop tokens must be at most 8");
  refuse({ stopTokens: [6, 7] }, [[0]], "a stop token must be 0 to 6, found 7");
  refuse({ stopTokens: [-1] }, [[0]], "a stop token must be 0 to 6, found -1");
  refuse({}, [[0, 7]], "prompt 0 has id 7, expected 0 to 6");
  refuse({}, [[0], []], "prompt 1 has no tokens");
  refuse({}, [[0], [0], [0]], "expected 1 to 2 prompts, found 3");
  const tape = new Tape(gpu, "bad");
  const logits = tensorOf(gpu, "logits", [2, 6], randomValues(12, 1));
  assertThrows(() => sampleTokens(tape, logits, state), Error, "logits must be [2, 7]");
  destroySamplingState(state);
});
