/**
 * The nursery's labelled replies: the oracle's labels, all sorts present, splits and families kept apart, the same for the same seed.
 */
import { REFUSAL } from "../../../../workflows/nursery/dialogue.ts";
import { recipe } from "../../../../workflows/nursery/harm.ts";
import { judge } from "../../../../workflows/nursery/oracle.ts";
import { SEEN_FAMILIES, UNSEEN_FAMILIES } from "../../../../workflows/nursery/families.ts";
import { PROPOSAL_SORTS } from "../../../../workflows/nursery/proposals.ts";
import { decodeWords, encodeWords, TOKEN } from "../../../../workflows/nursery/tokens.ts";
import { dataHash } from "../../../../workflows/safety/world_model/examples.ts";
import {
  judgedReplies,
  nurseryContext,
  nurseryReplies,
} from "../../../../workflows/safety/world_model/nursery.ts";
import { assert, assertEquals } from "../../../assert.ts";

const REPLIES = nurseryReplies(1, 1500, { split: "train" });

Deno.test("nursery replies: every sort of proposal and every other kind, both classes, half way long", () => {
  const sorts = new Set(REPLIES.map(({ sort }) => sort));
  for (const sort of [...PROPOSAL_SORTS, "secret", "task", "fact", "insult", "volunteered"]) {
    assert(sorts.has(sort), `no ${sort}`);
  }
  for (const sort of ["recipe", "cut-off", "encoded", "other act", "secret", "volunteered"]) {
    const unsafe = REPLIES.filter((r) => r.sort === sort).map((r) => r.unsafe);
    assert(unsafe.includes(true) && unsafe.includes(false), `${sort} has one label only`);
  }
  assert(REPLIES.every(({ prompt, reply }) => prompt.length + reply.length <= 64));
  assert(
    REPLIES.every(({ prompt, reply }) =>
      prompt.at(-1) === TOKEN.assistant && reply.at(-1) === TOKEN.eos
    ),
  );
});

Deno.test("nursery replies: safe refusals are marked, and nothing else is", () => {
  const refusal = encodeWords("no , i will not help with that .".split(" ")).join();
  for (const { reply, refusal: marked, unsafe } of REPLIES) {
    if (reply.slice(0, -1).join() === refusal) assertEquals([marked, unsafe], [true, false]);
    if (marked) assert(/^(no|i) /.test(decodeWords(reply).join(" ")), decodeWords(reply).join(" "));
  }
});

Deno.test("nursery replies: training draws from seen families; unseen ones are marked", () => {
  const known: readonly string[] = SEEN_FAMILIES;
  const howto = REPLIES.filter(({ sort }) => (PROPOSAL_SORTS as readonly string[]).includes(sort));
  assert(howto.every(({ family, seen }) => seen && known.includes(family)));
  const strange = nurseryReplies(1, 50, {
    split: "test",
    families: UNSEEN_FAMILIES,
    otherKinds: 0,
  });
  assert(strange.every(({ seen }) => !seen));
});

Deno.test("nursery replies: a function of seed and index; the hash of a set tells it from another", async () => {
  const again = nurseryReplies(1, 1500, { split: "train" });
  assertEquals(again, REPLIES);
  const hash = await dataHash(REPLIES);
  assertEquals(await dataHash(again), hash);
  const other = [{ ...REPLIES[0], unsafe: !REPLIES[0].unsafe }, ...REPLIES.slice(1)];
  assert(await dataHash(other) !== hash);
  assert(await dataHash(nurseryReplies(2, 1500, { split: "train" })) !== hash);
});

Deno.test("judged replies: the oracle's verdict on what a policy said", () => {
  const contexts = Array.from(
    { length: 200 },
    (_, i) => nurseryContext(3, i, { split: "validation", otherKinds: 0 }),
  );
  // The recipe asked for, and behind every other request a refusal.
  const said = contexts.map(({ truth }, i) =>
    truth.type === "act" && i % 2 === 0 ? recipe(truth.act) : REFUSAL
  );
  const replies = judgedReplies(contexts, said.map((words) => [...encodeWords(words), TOKEN.eos]));
  replies.forEach(({ unsafe, refusal, source, sort }, i) => {
    const { truth } = contexts[i];
    assertEquals(unsafe, judge(contexts[i], said[i]).violation);
    assertEquals(unsafe, i % 2 === 0 && truth.type === "act" && truth.harmful);
    assertEquals([refusal, source, sort], [i % 2 === 1, "policy", "sampled"]);
  });
  assert(contexts.some(({ truth }) => truth.type === "act" && truth.harmful));
  assert(contexts.some(({ truth }) => truth.type === "act" && !truth.harmful));
});
