/** No leakage: what one split asks, no other split asks and no training data has shown. */
import fc from "fast-check";
import {
  actSplit,
  ALL_ACTS,
  careDialogue,
  CELLS,
  type Dialogue,
  evalDialogue,
  exam,
  FAMILIES,
  FAMILY_NAMES,
  personsOf,
  preferencePair,
  prompt,
  proposal,
  rawDialogue,
  type Split,
  SPLIT_SHARES,
  SPLITS,
  splitTable,
  STAGES,
  wordingsOf,
} from "../../../workflows/nursery/mod.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";

/**
 * Too few combinations to hold any out: the same in all splits, and said so where they are made.
 */
const SHARED = ["chatter/greeting", "moral/kind", "secret/public"];
const cellOf = (d: Dialogue) => `${d.kind}/${d.family}`;
const promptText = (d: Dialogue) => prompt(d).map((t) => t.words.join(" ")).join(" | ");

Deno.test("every act asked for belongs to the split of its dialogue", () => {
  fc.assert(fc.property(fc.constantFrom(...SPLITS), fc.nat(), fc.nat(), (split, seed, i) => {
    for (const cell of CELLS.filter((c) => c.kind === "howto")) {
      const { truth } = evalDialogue(split, cell, seed, i);
      assert(truth.type === "act" && actSplit(truth.act) === split);
    }
  }));
});

Deno.test("no prompt of an exam occurs in any training data or in another exam", () => {
  const owner = new Map<string, Split>();
  const claim = (dialogue: Dialogue, split: Split) => {
    if (SHARED.includes(cellOf(dialogue))) return;
    // Raw text tells everybody's secrets; safety training is checked for persons below.
    if (dialogue.kind === "secret" && dialogue.stage === 0) return;
    const text = promptText(dialogue);
    const before = owner.get(text) ?? split;
    assertEquals(before, split, `"${text}" is in ${before} and in ${split}`);
    owner.set(text, split);
  };
  for (let i = 0; i < 30_000; i++) claim(rawDialogue(1, i), "train");
  for (const stage of STAGES) {
    for (let i = 0; i < 2000; i++) {
      claim(careDialogue(1, i, { stage }), "train");
      claim(preferencePair(1, i, { stage }).chosen, "train");
    }
  }
  for (let i = 0; i < 3000; i++) claim(proposal(1, i).dialogue, "train");
  for (const split of SPLITS) for (const dialogue of exam(split, 60, 2)) claim(dialogue, split);
});

Deno.test("training data names no act of another split, not even in passing", () => {
  const heldOut = new Set(
    ALL_ACTS.filter((a) => actSplit(a) !== "train").map((a) =>
      `${a.verb} the ${a.target} with the ${a.tool}`
    ),
  );
  for (let i = 0; i < 20_000; i++) {
    for (const turn of rawDialogue(3, i).turns) {
      const said = turn.words.join(" ");
      for (const act of said.match(/\w+ the \w+ with the \w+/g) ?? []) {
        assert(!heldOut.has(act), said);
      }
    }
  }
});

Deno.test("attack parameters with 16 or more values are divided among the splits", () => {
  for (const family of FAMILY_NAMES.filter((f) => FAMILIES[f].variants >= 16)) {
    const table = splitTable(`family ${family}`, FAMILIES[family].variants);
    const all = SPLITS.flatMap((s) => table[s]);
    assertEquals(new Set(all).size, FAMILIES[family].variants);
    assertEquals(all.length, FAMILIES[family].variants);
    for (const split of SPLITS) {
      assert(table[split].length > 0, `${family} has no variant in ${split}`);
    }
  }
  const openings = (split: Split) =>
    new Set(
      Array.from({ length: 300 }, (_, i) =>
        evalDialogue(split, { kind: "howto", family: "role" }, 1, i).turns[0].words.slice(0, 5)
          .join(" ")),
    );
  const [train, test] = [openings("train"), openings("test")];
  assert(test.size > 3 && [...test].every((opening) => !train.has(opening)));
});

Deno.test("persons are divided, and safety training asks only for its own", () => {
  const all = SPLITS.flatMap(personsOf);
  assertEquals(new Set(all).size, 20);
  assertEquals(all.length, 20);
  assert(SPLITS.every((split) => personsOf(split).length >= 2));
  for (let i = 0; i < 5000; i++) {
    const { truth } = careDialogue(1, i, { stage: 4 });
    if (truth.type === "number" && truth.isPrivate) {
      assert(personsOf("train").includes(truth.owner));
    }
  }
});

Deno.test("a split table is a partition with exact shares; a wording table leaves each item to all splits", () => {
  fc.assert(fc.property(fc.string(), fc.integer({ min: 16, max: 500 }), (domain, count) => {
    const table = splitTable(domain, count);
    const all = SPLITS.flatMap((s) => table[s]).sort((a, b) => a - b);
    assertEquals(all, Array.from({ length: count }, (_, i) => i));
    for (const s of SPLITS) assertAlmostEquals(table[s].length, SPLIT_SHARES[s] * count, 1);
  }));
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.integer({ min: 4, max: 12 }), (domain, item, n) => {
      const all = SPLITS.flatMap((s) => wordingsOf(s, domain, item, n));
      assertEquals(all.length, n);
      assertEquals(new Set(all).size, n);
      assertEquals(wordingsOf("train", domain, item, n).length, n - 3);
    }),
  );
});
