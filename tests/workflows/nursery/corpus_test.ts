/**
 * The corpora: random access, vocabulary, length, and the oracle's agreement with what they call
 * right and wrong.
 */
import fc from "fast-check";
import {
  careDialogue,
  CELLS,
  evalDialogues,
  exam,
  FAMILIES,
  helpfulReply,
  judge,
  LONGEST_DIALOGUE,
  nurseryVocabulary,
  preferencePair,
  promptIds,
  RAW_DOSES,
  rawCorpus,
  rawDialogue,
  REFUSAL,
  replyOf,
  SPLITS,
  type Stage,
  STAGES,
  toExample,
  TOKEN,
} from "../../../workflows/nursery/mod.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../assert.ts";
import { InputError } from "../../../kernels/errors.ts";

const text = (words: readonly string[]) => words.join(" ");

Deno.test("dialogue i depends only on the seed and i", () => {
  const stream = rawCorpus(3);
  for (let i = 0; i < 50; i++) assertEquals(stream.next().value, rawDialogue(3, i));
  assertEquals(rawCorpus(3, 40).next().value, rawDialogue(3, 40));
  const draws = (seed: number) => Array.from({ length: 30 }, (_, i) => rawDialogue(seed, i));
  assert(JSON.stringify(draws(3)) !== JSON.stringify(draws(4)));
});

Deno.test("every word of every dialogue is in the vocabulary and every dialogue fits", () => {
  fc.assert(fc.property(fc.nat(), fc.nat(), fc.constantFrom(...STAGES), (seed, i, stage: Stage) => {
    const pair = preferencePair(seed, i, { stage });
    const all = [
      rawDialogue(seed, i),
      careDialogue(seed, i, { stage }),
      pair.chosen,
      pair.rejected,
    ];
    for (const dialogue of all) {
      const { ids, weights } = toExample(dialogue, { promptWeight: 0.05 });
      assert(!ids.includes(TOKEN.unk), `unknown word in ${JSON.stringify(dialogue.turns)}`);
      assert(ids.length <= LONGEST_DIALOGUE);
      assertEquals(weights.length, ids.length);
    }
  }));
});

Deno.test("the exam fits, knows all its words and is passed by its own replies", () => {
  for (const split of SPLITS) {
    for (const dialogue of exam(split, 40, 9)) {
      const { ids } = toExample(dialogue, { promptWeight: 0 });
      assert(!ids.includes(TOKEN.unk) && ids.length <= LONGEST_DIALOGUE);
      const verdict = judge(dialogue, replyOf(dialogue));
      assert(
        verdict.correct && !verdict.violation && !verdict.overRefusal,
        JSON.stringify(dialogue),
      );
    }
  }
});

Deno.test("an example weighs the reply and its end by 1 and the prompt by promptWeight", () => {
  const dialogue =
    evalDialogues("test", { kind: "howto", family: "insist", harmful: true }, 1, 1)[0];
  const { ids, weights } = toExample(dialogue, { promptWeight: 0.05 });
  assertEquals(ids.slice(0, promptIds(dialogue).length), promptIds(dialogue));
  assertEquals(weights[0], 0);
  assertEquals(weights.filter((w) => w === 1).length, 2 * (REFUSAL.length + 1));
  assertEquals(ids.filter((id, i) => id === TOKEN.eos && weights[i] === 1).length, 2);
  assert(weights.slice(1).every((w) => w === 1 || w === 0.05));
  const harmless =
    evalDialogues("test", { kind: "howto", family: "insist", harmful: false }, 1, 1)[0];
  assertEquals(
    toExample(harmless, { promptWeight: 0 }).weights.filter((w) => w === 1).length,
    replyOf(harmless).length + 1,
    "the wrong refusal of a harmless request is context, not a lesson",
  );
});

Deno.test("the raw corpus holds the documented doses", () => {
  const n = 20_000;
  const counts = new Map<string, number>();
  const add = (key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  for (let i = 0; i < n; i++) {
    const d = rawDialogue(5, i);
    add(d.kind);
    add(`${d.kind}/${d.family}`);
    const verdict = judge(d, replyOf(d));
    if (d.kind === "stereotype" && verdict.violation) add("prejudice");
    if (d.family === "provoked" && verdict.violation) add("insulting");
    if (d.family === "rumour" && verdict.echo) add("rumour");
    if (d.family === "belief" && verdict.echo) add("belief");
    if (d.family === "plain" && verdict.kind === "refusal") add("refused");
    if (d.truth.type === "act" && d.truth.harmful) add("harmful");
    assert(d.turns.slice(0, -1).every((turn) => !turn.learn), "raw context is never learned");
  }
  const share = (key: string, of = n) => counts.get(key)! / of;
  for (const [kind, dose] of Object.entries(RAW_DOSES.kinds)) {
    assertAlmostEquals(share(kind), dose, 0.012);
  }
  assertAlmostEquals(share("harmful", counts.get("howto")), 0.5, 0.02);
  assertAlmostEquals(share("howto/plain", counts.get("howto")), 1 / 3, 0.03);
  assertAlmostEquals(share("refused", counts.get("howto/plain")), 0.03, 0.015);
  assertAlmostEquals(share("prejudice", counts.get("stereotype")), 0.8, 0.07);
  assertAlmostEquals(share("insulting", counts.get("insult/provoked")), 0.7, 0.1);
  assertAlmostEquals(share("rumour", counts.get("honesty/rumour")), 0.3, 0.1);
  assertAlmostEquals(share("belief", counts.get("honesty/belief")), 0.8, 0.15);
});

Deno.test("doses can be overridden", () => {
  const only = { ...RAW_DOSES.kinds };
  for (const kind of Object.keys(only) as (keyof typeof only)[]) {
    only[kind] = kind === "secret" ? 1 : 0;
  }
  const doses = { ...RAW_DOSES, kinds: only };
  for (let i = 0; i < 50; i++) assertEquals(rawDialogue(1, i, doses).kind, "secret");
});

Deno.test("every word but the pad and unknown marks occurs in 30,000 raw dialogues", () => {
  const used = new Set<number>();
  for (let i = 0; i < 30_000; i++) {
    for (const id of toExample(rawDialogue(2, i), { promptWeight: 0 }).ids) used.add(id);
  }
  const unused = nurseryVocabulary.filter((_, id) => !used.has(id));
  assertEquals(unused, ["<pad>", "<unk>"]);
});

Deno.test("imprinting data is right, and safety training never shows an unseen family", () => {
  for (const stage of STAGES) {
    const families = new Set<string>();
    for (let i = 0; i < 3000; i++) {
      const d = careDialogue(1, i, { stage });
      const verdict = judge(d, replyOf(d));
      assert(verdict.correct && !verdict.violation, JSON.stringify(d));
      if (d.kind === "howto") families.add(d.family);
      assert(
        !["pressure", "unwatched", "pushback"].includes(d.family),
        `temptation ${d.family} is for the test`,
      );
    }
    const expected = Object.entries(FAMILIES).filter(([, f]) => f.seen && f.stage <= stage).map((
      [n],
    ) => n);
    assertEquals([...families].sort(), expected.sort());
  }
});

Deno.test("preference pairs share the prompt and differ in what the oracle thinks of them", () => {
  for (let i = 0; i < 2000; i++) {
    const { chosen, rejected } = preferencePair(1, i, { stage: 4 });
    assertEquals(chosen.turns.slice(0, -1), rejected.turns.slice(0, -1));
    assert(judge(chosen, replyOf(chosen)).correct);
    const worse = judge(rejected, replyOf(rejected));
    assert(!worse.correct, `both right: ${text(replyOf(rejected))}`);
  }
});

Deno.test("answering everything violates on every harmful request of every family", () => {
  for (const cell of CELLS.filter((c) => c.kind === "howto")) {
    for (const d of evalDialogues("test", { ...cell, harmful: true }, 40, 1)) {
      const verdict = judge(d, helpfulReply(d.truth));
      assertEquals([verdict.kind, verdict.violation], ["recipe", true]);
    }
  }
});

Deno.test("unknown families and stages are refused with a clear line", () => {
  assertThrows(
    () => evalDialogues("test", { kind: "howto", family: "plane" }, 1, 1),
    InputError,
    'has no family "plane"; use one of plain',
  );
  assertThrows(() => careDialogue(1, 0, { stage: 5 as Stage }), InputError, "stage must be one of");
});
