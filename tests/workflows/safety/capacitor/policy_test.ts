/**
 * The VC-augmented policy on a policy of eleven tokens: what passes is untouched, what is flagged or matched is projected, and the
 * decoder agrees with Eq. 27 on enumerated actions.
 */
import { InputError } from "../../../../kernels/errors.ts";
import { initialWeights } from "../../../../kernels/policy/init.ts";
import { loadParameters } from "../../../../kernels/policy/parameters.ts";
import { actionDistance } from "../../../../workflows/safety/capacitor/actions.ts";
import { BatchedGenerator } from "../../../../workflows/safety/capacitor/batched_generator.ts";
import {
  type CapacitorOptions,
  type CapacitorResult,
  wearCapacitor,
} from "../../../../workflows/safety/capacitor/policy.ts";
import {
  bodyOf,
  untrainedWorldModel,
  WorldModel,
} from "../../../../workflows/safety/world_model/model.ts";
import { capacitorPolicy } from "../../../../workflows/theory/capacitor.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";
import { randomValues, testGpu } from "../../../kernels/harness.ts";
import { smallConfig, smallPolicy, smallReplies } from "../world_model/worlds.ts";

const SAFE = [[3, 4], [5, 5, 5]];
const SETTINGS = { temperature: 1, seed: 5, padToken: 0, stopTokens: [2] };
const PROMPTS = smallReplies(150, 9).map(({ prompt }) => prompt);
const OPTIONS: CapacitorOptions = { safeActions: SAFE, maxNew: 6 };

/** A world model of random weights; its scores of this policy's replies spread around 1/2. */
async function randomJudge(threshold: number): Promise<WorldModel> {
  const data = Float32Array.from(randomValues(2 * smallConfig.width, 5, 0.5));
  const head = { shape: [2, smallConfig.width], data };
  return new WorldModel(await testGpu(), { body: bodyOf(smallPolicy(4)), head }, threshold);
}

/** Replies of the small policy behind a capacitor. */
async function respond(
  threshold: number,
  options: Partial<CapacitorOptions> = {},
): Promise<CapacitorResult> {
  const policy = loadParameters(await testGpu(), smallPolicy(), { trainable: false });
  const judge = await randomJudge(threshold);
  const capacitor = wearCapacitor(policy, judge, { ...OPTIONS, ...options });
  const result = await capacitor.respond(PROMPTS, SETTINGS);
  capacitor.destroy();
  judge.destroy();
  policy.destroy();
  return result;
}

/** A threshold that flags about half of the proposals. */
async function middle(): Promise<number> {
  const { replies } = await respond(1);
  return replies.map(({ unsafe }) => unsafe).sort((a, b) => a - b)[75];
}

Deno.test("capacitor: proposals are those of the bare policy, and what passes is not touched", async () => {
  const policy = loadParameters(await testGpu(), smallPolicy(), { trainable: false });
  const generator = new BatchedGenerator(policy, { maxNew: 6, batch: 16 });
  const bare = await generator.generate(PROMPTS, SETTINGS);
  generator.destroy();
  policy.destroy();
  const { replies } = await respond(await middle());
  replies.forEach(({ proposed, reply, projected }, i) => {
    assertEquals(proposed, bare[i].ids.filter((id) => id !== 2));
    if (!projected) assertEquals(reply, proposed);
  });
});

Deno.test("capacitor: flags by the threshold, and projects onto the nearest safe action", async () => {
  const threshold = await middle();
  const { replies } = await respond(threshold);
  const flagged = replies.filter((reply) => reply.flagged).length;
  assert(flagged > 30 && flagged < 120, `${flagged} of 150 flagged`);
  for (
    const { reply, proposed, unsafe, flagged, matched, projected, distance, candidates } of replies
  ) {
    assertEquals(flagged, unsafe > threshold);
    assertEquals([matched, projected], [false, flagged]);
    assertEquals(candidates, flagged ? SAFE.length : 0);
    if (!flagged) continue;
    assert(SAFE.some((safe) => safe.join() === reply.join()));
    assertEquals(distance, Math.min(...SAFE.map((safe) => actionDistance(proposed, safe))));
    assertEquals(distance, actionDistance(proposed, reply));
  }
});

Deno.test("capacitor: agrees with Eq. 27 on the enumerated actions that were proposed", async () => {
  const { replies } = await respond(await middle());
  // A flag depends on the context too, so actions are enumerated per flag: those flagged, those not, and the safe set.
  const proposals = replies.map(({ proposed, flagged }) => ({
    action: proposed,
    flagged,
    safe: false,
  }));
  const actions = [...proposals, ...SAFE.map((action) => ({ action, flagged: false, safe: true }))];
  const { replacedBy } = capacitorPolicy(actions.map(() => 1 / actions.length), {
    flagged: actions.map(({ flagged }) => flagged),
    safe: actions.map(({ safe }) => safe),
    distance: actions.map((a) => actions.map((b) => actionDistance(a.action, b.action))),
  });
  replies.forEach(({ reply }, i) => assertEquals(reply, actions[replacedBy[i]].action));
});

Deno.test("capacitor: a world model that passes all changes nothing, one that flags all leaves safe replies only", async () => {
  const open = await respond(1);
  assert(open.replies.every(({ projected }) => !projected));
  const closed = await respond(-1);
  assert(closed.replies.every(({ reply }) => SAFE.some((safe) => safe.join() === reply.join())));
});

Deno.test("capacitor: patterns are the last resort, and hold where the world model is blind", async () => {
  const patterns = {
    filter: { matches: (text: string) => text.includes("7") },
    decode: (reply: readonly number[]) => reply.join(" "),
  };
  const { replies } = await respond(1, { patterns });
  const hit = replies.filter(({ proposed }) => proposed.includes(7));
  assert(hit.length > 10);
  assert(hit.every(({ matched, projected, flagged }) => matched && projected && !flagged));
  assert(replies.every(({ reply }) => !reply.includes(7)));
  assert(replies.some(({ projected }) => !projected));
});

Deno.test("capacitor: alternatives are accepted replies of the policy, and lie no farther than the fixed ones", async () => {
  const threshold = await middle();
  const patterns = {
    filter: { matches: (text: string) => text.includes("7") },
    decode: (reply: readonly number[]) => reply.join(" "),
  };
  const [fixed, more] = [
    await respond(threshold, { patterns }),
    await respond(threshold, { patterns, alternatives: 4 }),
  ];
  const judge = await randomJudge(threshold);
  const own = more.replies.map(({ reply }, i) => ({ prompt: PROMPTS[i], reply }));
  const scores = await judge.score(own);
  let nearer = 0;
  more.replies.forEach(({ reply, projected, distance, candidates }, i) => {
    if (!projected) return;
    const isFixed = SAFE.some((safe) => safe.join() === reply.join());
    assert(isFixed || !judge.flags(scores[i]));
    assert(!reply.includes(7));
    assert(distance <= fixed.replies[i].distance);
    assert(candidates >= SAFE.length && candidates <= SAFE.length + 4);
    nearer += Number(distance < fixed.replies[i].distance);
  });
  assert(nearer > 10, `${nearer} alternatives were nearer`);
  assert(more.cost.alternativeTokens > 0 && fixed.cost.alternativeTokens === 0);
  judge.destroy();
});

Deno.test("capacitor: a reply does not depend on the prompts beside it", async () => {
  const threshold = await middle();
  const { replies } = await respond(threshold);
  const policy = loadParameters(await testGpu(), smallPolicy(), { trainable: false });
  const judge = await randomJudge(threshold);
  const capacitor = wearCapacitor(policy, judge, OPTIONS);
  const alone = await capacitor.respond([PROMPTS[42]], SETTINGS, [42]);
  assertEquals(alone.replies, [replies[42]]);
  assertEquals((await capacitor.respond([], SETTINGS)).cost.extraMsPerToken, 0);
  capacitor.destroy();
  judge.destroy();
  policy.destroy();
});

Deno.test("capacitor: the cost counts every token proposed and judged", async () => {
  const { replies, cost } = await respond(1);
  const ended = (length: number) => Math.min(length + 1, 6); // with the token that ends a reply, where there is one
  assertEquals(cost.tokens, replies.reduce((n, { proposed }) => n + ended(proposed.length), 0));
  const read = PROMPTS.reduce((n, { length }, i) => n + length + replies[i].proposed.length + 1, 0);
  assertEquals(cost.judgedTokens, read);
  assert(cost.extraMs > 0 && cost.generationMs > 0);
});

Deno.test("capacitor: a set of safe actions that cannot be relied on is refused", async () => {
  const policy = loadParameters(await testGpu(), smallPolicy(), { trainable: false });
  const judge = await randomJudge(0.5);
  const wear = (options: Partial<CapacitorOptions>) => () =>
    wearCapacitor(policy, judge, { ...OPTIONS, ...options });
  assertThrows(wear({ safeActions: [] }), InputError, "at least one");
  assertThrows(wear({ safeActions: [[3], []] }), InputError, "safe reply 2 is empty");
  const patterns = { filter: { matches: () => true }, decode: () => "" };
  assertThrows(wear({ patterns }), InputError, "safe reply 1 is matched");
  const other = { ...smallConfig, vocabSize: 12 };
  const strange = new WorldModel(
    await testGpu(),
    untrainedWorldModel(initialWeights(other, 1), 1),
    0.5,
  );
  assertThrows(() => wearCapacitor(policy, strange, OPTIONS), InputError, "share a tokenizer");
  strange.destroy();
  judge.destroy();
  policy.destroy();
});
