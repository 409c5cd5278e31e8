/** Normalisation: what each disguise becomes, that doing it twice changes nothing, and how many views there are. */
import fc from "fast-check";
import { InputError } from "../../../../kernels/errors.ts";
import { CONFUSABLES } from "../../../../workflows/safety/patterns/confusables.ts";
import {
  base64Texts,
  joinLetters,
  reverseText,
  reverseWords,
  shiftLetters,
  unleet,
} from "../../../../workflows/safety/patterns/disguises.ts";
import { fold } from "../../../../workflows/safety/patterns/fold.ts";
import { PatternSet } from "../../../../workflows/safety/patterns/pattern_set.ts";
import {
  DEFAULT_NORMALISATION,
  mostViews,
  NO_NORMALISATION,
  type Normalisation,
  viewsOf,
} from "../../../../workflows/safety/patterns/views.ts";
import { assert, assertEquals, assertThrows } from "../../../assert.ts";

const ALL: Normalisation = { ...DEFAULT_NORMALISATION, reversed: true, shifts: [1, 13] };

/** Texts of all of Unicode, with disguises among them more often than chance would have them. */
const texts = fc.array(
  fc.oneof(
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.constantFrom("k i l l", "b.o.m.b", "h o w  t o", "k1ll", "b0mb!!", "4", "$$$", "\t", "  "),
    fc.constantFrom(
      "Ｋｉｌｌ",
      "кіll",
      "K\u0301",
      "s\u200bo",
      "İ",
      "ﬁ",
      "Ǆ",
      "가",
      "a-b-c",
      "ſ",
      "Σ",
    ),
  ),
  { maxLength: 12 },
).map((pieces) => pieces.join(""));

Deno.test("fold: spellings that readers take for the same become the same", () => {
  const same = [
    ["KILL", "kill"],
    ["ｋｉｌｌ", "kill"], // full width
    ["𝐤𝒊𝓵𝔩", "kill"], // mathematical letters
    ["ⓚⓘⓛⓛ", "kill"],
    ["kіll", "kill"], // Cyrillic i
    ["ΚΙLL", "kill"], // Greek capitals
    ["k\u200bi\u00adl\u2060l", "kill"], // zero width space, soft hyphen, word joiner
    ["kïłĺ", "kill"],
    ["ｂᴏᴍʙ", "bomb"],
    ["\u{e0062}bomb", "bomb"], // a tag character, which nobody sees
  ];
  for (const [text, folded] of same) assertEquals(fold(text), folded);
});

Deno.test("fold: every assigned code point, folded again, stays as it is", () => {
  const unstable: string[] = [];
  const block = 256; // many at once: most of the time goes into the calls
  for (let start = 0; start < 0x110000; start += block) {
    const plane = start >> 16;
    if (plane > 3 && plane !== 14) continue; // nothing is assigned there
    if (start >= 0xd800 && start < 0xe000) continue; // surrogates are no characters
    const once = fold(
      Array.from({ length: block }, (_, i) => String.fromCodePoint(start + i)).join("ab"),
    );
    if (fold(once) !== once) unstable.push(start.toString(16));
  }
  assertEquals(unstable, []);
});

Deno.test("fold, joining and unleeting change nothing the second time", () => {
  const switches = fc.record({
    case: fc.boolean(),
    unicode: fc.boolean(),
    confusables: fc.boolean(),
  });
  fc.assert(
    fc.property(texts, switches, (text, options) => {
      const folded = fold(text, options);
      assertEquals(fold(folded, options), folded);
      for (const normalise of [joinLetters, unleet]) {
        const once = normalise(text);
        assertEquals(normalise(once), once);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("confusables pass for Latin letters, and no Latin letter is one", () => {
  assert([...CONFUSABLES.values()].every((letter) => /^[A-Za-z]$/.test(letter)));
  assert([...CONFUSABLES.keys()].every((letter) => letter.codePointAt(0)! > 0x7f));
});

Deno.test("disguises are taken off", () => {
  assertEquals(joinLetters("k i l l the b.o.m.b"), "kill the bomb");
  assertEquals(joinLetters("h-o-w  t-o-o"), "how  too");
  assertEquals(joinLetters("h o w  t o"), "how  to");
  assertEquals(joinLetters("t o h s , e c i l s"), "tohsecils");
  assertEquals(joinLetters("i am a b"), "i am a b"); // two letters are no spelled word
  assertEquals(unleet("k1ll th3 b0mb! 2024 4"), "kill the bomb! 2024 4");
  assertEquals(unleet("p@$$w0rd"), "password");
  assertEquals(reverseText("bmob a ekam"), "make a bomb");
  assertEquals(reverseWords("ekam a bmob, won"), "make a bomb, now");
  assertEquals(shiftLetters("Znxr n obzo.", 13), "Make a bomb.");
  assertEquals(shiftLetters(shiftLetters("xyz", 3), -3), "xyz");
  const secret = btoa("make a bomb");
  assertEquals(base64Texts(`decode ${secret} please`), "make a bomb");
  assertEquals(
    base64Texts("internationalisation and sha256: 9f86d081884c7d659a2feaa0c55ad015"),
    "",
  );
});

Deno.test("views: a pattern is found in the view that undoes the disguise, and only with it on", () => {
  const bomb = { name: "bomb", category: "weapons", regex: String.raw`\bmake a bomb\b` };
  const cases = [
    ["Make  a\nBOMB", "text", "case"],
    ["mаke a bоmb", "text", "confusables"],
    ["ｍake a bo\u200bmb", "text", "unicode"],
    ["m a k e  a  b o m b", "spacing", "spacing"],
    ["m4ke a b0mb", "leet", "leet"],
    ["bmob a ekam", "reversed", "reversed"],
    ["ekam a bmob", "reversed words", "reversed"],
    ["znxr n obzo", "shift 13", "shifts"],
    [`run ${btoa("Make a bomb")}`, "base64", "base64"],
  ] as const;
  for (const [text, view, option] of cases) {
    const [match] = new PatternSet("test", [bomb], ALL).find(text);
    assertEquals([match?.pattern.name, match?.view, match?.matched], ["bomb", view, "make a bomb"]);
    const off = { ...ALL, [option]: option === "shifts" ? [] : false };
    assertEquals(new PatternSet("test", [bomb], off).find(text), [], `${option} off: ${text}`);
  }
  assertEquals(new PatternSet("test", [bomb], ALL).find("make a bow"), []);
});

Deno.test("views: never more than stated, the text first, none twice", () => {
  const options = fc.record({
    case: fc.boolean(),
    unicode: fc.boolean(),
    confusables: fc.boolean(),
    spacing: fc.boolean(),
    leet: fc.boolean(),
    reversed: fc.boolean(),
    shifts: fc.uniqueArray(fc.integer({ min: 1, max: 25 }), { maxLength: 4 }),
    base64: fc.boolean(),
  });
  fc.assert(
    fc.property(texts, options, (text, normalisation) => {
      const views = viewsOf(text, normalisation);
      assert(views.length >= 1 && views.length <= mostViews(normalisation));
      assertEquals(views[0].name, "text");
      assertEquals(new Set(views.map((view) => view.text)).size, views.length);
    }),
    { numRuns: 300 },
  );
  const disguised = `Kill 4ll ${btoa("something else")} k i l l`;
  assertEquals(viewsOf(disguised, ALL).length, mostViews(ALL)); // the bound is reached
});

Deno.test("views: without normalisation the text is looked at as it is", () => {
  const text = " K1ll\n\tthe  Process ";
  assertEquals(viewsOf(text, NO_NORMALISATION), [{ name: "text", text }]);
});

Deno.test("views: a shift that is no shift is refused", () => {
  for (const n of [0, 26, 1.5, NaN]) {
    const normalisation = { ...ALL, shifts: [n] };
    assertThrows(() => new PatternSet("test", [], normalisation), InputError, "shifts");
  }
});
