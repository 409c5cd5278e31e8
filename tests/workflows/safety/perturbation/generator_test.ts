/** G_psi: its score function against differences, and a toy victim whose weak spot it must find. */
import { InputError } from "../../../../kernels/errors.ts";
import { Random } from "../../../../workflows/data/random.ts";
import { EditBall } from "../../../../workflows/safety/perturbation/ball.ts";
import {
  type GeneratorOptions,
  PerturbationGenerator,
  type ProposalLoss,
} from "../../../../workflows/safety/perturbation/generator.ts";
import {
  addScoreGradient,
  leaveOneOut,
  type Perturbable,
  Proposer,
} from "../../../../workflows/safety/perturbation/proposals.ts";
import { testGpu } from "../../../kernels/harness.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../../assert.ts";

const ALPHABET = [8, 9, 10];

/** Contexts that differ in where the weak item (7) stands. */
function contexts(count: number, random: Random): Perturbable[] {
  return Array.from({ length: count }, () => {
    const word = Array.from({ length: 6 }, () => random.below(7));
    word[random.below(6)] = 7;
    return { space: { word, alphabet: ALPHABET, budget: 2 } };
  });
}

/** A victim that loses 1 exactly where a 9 stands behind the 7, and nothing else hurts. */
const weakSpot: ProposalLoss = (proposals) =>
  Promise.resolve(
    proposals.map((ofContext) =>
      ofContext.map(({ perturbation: p }) =>
        Number(p.some((item, i) => item === 7 && p[i + 1] === 9))
      )
    ),
  );

const OPTIONS: GeneratorOptions = {
  vocabSize: 11,
  length: 6,
  contexts: 8,
  alphabet: ALPHABET.length,
  seed: 1,
};

const meanOf = (losses: readonly (readonly number[])[]) => {
  const flat = losses.flat();
  return flat.reduce((sum, loss) => sum + loss, 0) / flat.length;
};

Deno.test("score function: is the gradient of the expected loss, and of the pull to the blind adversary", () => {
  const space = { word: [3], alphabet: [1, 2], budget: 1 };
  const scores = [0.3, -0.2, 0.5, 0.1, -0.4, 0.2];
  const loss = (word: readonly number[]) => word.reduce((sum, item) => sum + item * item, 1);
  const pull = 0.7;
  // One decision, so its outcomes can be summed over exactly: their probabilities by many draws of none, but by the row itself.
  const outcomes = (row: readonly number[]) => {
    const { decisions } = new Proposer({ space }, () => row).sample(new Random(0));
    return decisions[0];
  };
  const words = [[3], [], [1], [2], [3, 1], [3, 2]];
  const objective = (row: readonly number[]) => {
    const { probabilities, blind } = outcomes(row);
    return probabilities.reduce(
      (sum, p, a) => sum - p * loss(words[a]) + pull * p * Math.log(p / blind[a]),
      0,
    );
  };
  const { probabilities, blind } = outcomes(scores);
  const gradient = new Float32Array(6);
  probabilities.forEach((p, chosen) => {
    const decisions = [{ row: 0, probabilities, blind, chosen }];
    const of = new Float32Array(6);
    addScoreGradient(
      { perturbation: [], rewrite: null, decisions },
      loss(words[chosen]),
      pull,
      () => of,
    );
    of.forEach((value, a) => gradient[a] += p * value);
  });
  scores.forEach((_, a) => {
    const at = (by: number) => objective(scores.with(a, scores[a] + by));
    assertAlmostEquals(gradient[a], (at(1e-4) - at(-1e-4)) / 2e-4, 1e-5);
  });
});

Deno.test("score function: a constant reward teaches nothing", () => {
  assertEquals(leaveOneOut([2, 2, 2]), [0, 0, 0]);
  assertEquals(leaveOneOut([3, 0, 0]), [3, -1.5, -1.5]);
});

Deno.test("generator: starts as the blind adversary", async () => {
  const generator = new PerturbationGenerator(await testGpu(), OPTIONS);
  const targets = contexts(8, new Random(2));
  const proposed = await generator.propose(targets, 3, new Random(5));
  const random = new Random(5);
  const blind = targets.map((target) => {
    const proposer = new Proposer(target, null);
    return Array.from({ length: 3 }, () => proposer.sample(random).perturbation);
  });
  assertEquals(proposed.map((of) => of.map(({ perturbation }) => perturbation)), blind);
  generator.destroy();
});

Deno.test("generator: learns a victim's weak spot, on contexts it has not met, and never leaves C(h)", async () => {
  const generator = new PerturbationGenerator(await testGpu(), OPTIONS);
  const random = new Random(3, "weak spot");
  const fresh = contexts(8, new Random(99, "fresh"));
  const rate = async () =>
    meanOf(await weakSpot(await generator.propose(fresh, 25, new Random(7))));
  const before = await rate();
  for (let step = 0; step < 60; step++) {
    await generator.step(contexts(8, random), 12, weakSpot, random);
  }
  const after = await rate();
  const balls = fresh.map(({ space }) => new EditBall(space));
  for (const [c, of] of (await generator.propose(fresh, 25, random)).entries()) {
    for (const { perturbation } of of) assert(balls[c].has(perturbation));
  }
  generator.destroy();
  assert(before < 0.15, `the blind adversary finds it at a rate of ${before}`);
  assert(after > 0.8, `the trained one finds it at a rate of ${after}, before ${before}`);
});

Deno.test("generator: learns which rewrite hurts", async () => {
  const options = { ...OPTIONS, rewrites: 3 };
  const generator = new PerturbationGenerator(await testGpu(), options);
  const targets = contexts(8, new Random(2)).map((target) => ({
    ...target,
    rewrites: [0, 1, 2].map((rewrite) => () => [rewrite]),
  }));
  const loss: ProposalLoss = (proposals) =>
    Promise.resolve(proposals.map((of) => of.map(({ rewrite }) => Number(rewrite === 1))));
  const random = new Random(3);
  for (let step = 0; step < 25; step++) await generator.step(targets, 6, loss, random);
  const proposals = await generator.propose(targets, 20, random);
  assert(meanOf(await loss(proposals)) > 0.8);
  generator.destroy();
});

Deno.test("generator: the same seed gives the same proposals", async () => {
  const run = async () => {
    const generator = new PerturbationGenerator(await testGpu(), OPTIONS);
    const random = new Random(11);
    const targets = contexts(8, random);
    for (let step = 0; step < 3; step++) await generator.step(targets, 4, weakSpot, random);
    const proposals = await generator.propose(targets, 4, random);
    generator.destroy();
    return proposals.flat().map(({ perturbation }) => perturbation.join()).join(" ");
  };
  assertEquals(await run(), await run());
});

Deno.test("generator: refuses what it was not made for", async () => {
  const generator = new PerturbationGenerator(await testGpu(), OPTIONS);
  const long = [{ space: { word: Array(7).fill(1), alphabet: ALPHABET, budget: 1 } }];
  await assertRejects(() => generator.propose(long, 1, new Random(1)), InputError, "7 tokens");
  const many = contexts(9, new Random(1));
  await assertRejects(() => generator.propose(many, 1, new Random(1)), InputError, "9 contexts");
  const one = () => generator.step(contexts(1, new Random(1)), 1, weakSpot, new Random(1));
  await assertRejects(one, InputError, "at least 2 candidates");
  generator.destroy();
});

Deno.test("generator: what is read and restored goes on to the bit", async () => {
  const gpu = await testGpu();
  const learn = async (generator: PerturbationGenerator, from: number) => {
    for (let step = from; step < from + 3; step++) {
      const random = new Random(step, "resumed");
      await generator.step(contexts(8, random), 4, weakSpot, random);
    }
  };
  const whole = new PerturbationGenerator(gpu, OPTIONS);
  await learn(whole, 0);
  const state = await whole.read();
  const resumed = new PerturbationGenerator(gpu, { ...OPTIONS, seed: 2 });
  resumed.restore(state);
  for (const generator of [whole, resumed]) await learn(generator, 3);
  assertEquals(await resumed.read(), await whole.read());
  assertEquals(state.updates, 3);
  assertThrows(() => resumed.restore({ ...state, m: new Float32Array(1) }), InputError);
  whole.destroy();
  resumed.destroy();
});
