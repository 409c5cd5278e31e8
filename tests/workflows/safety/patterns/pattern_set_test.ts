/** Pattern sets: linear time whatever the pattern, refusals in one line, and YAML files. */
import { InputError } from "../../../../kernels/errors.ts";
import {
  loadPatterns,
  parsePatterns,
  savePatterns,
} from "../../../../workflows/safety/patterns/load.ts";
import { type Pattern, PatternSet } from "../../../../workflows/safety/patterns/pattern_set.ts";
import {
  DEFAULT_NORMALISATION,
  NO_NORMALISATION,
} from "../../../../workflows/safety/patterns/views.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../../assert.ts";
import { processorSeconds } from "../../../processor_time.ts";

const pattern = (regex: string, name = "p"): Pattern => ({ name, category: "c", regex });

/** Milliseconds of processor time; the least of five runs. */
function cost(run: () => void): number {
  return 1000 * Math.min(...[1, 2, 3, 4, 5].map(() => processorSeconds(run)));
}

Deno.test("patterns that ruin a backtracking matcher take linear time", () => {
  // Each needs to look at the whole text, and fails. RegExp takes exponential or at least quadratic time.
  const evil = ["(a+)+$", "(a|a)*c$", "(a*)*b$", "(.*a){12}c", "a.{0,40}a.{0,40}c", "(a|aa)+$"];
  const text = (n: number) => `bc ${"a".repeat(n)}!`;
  for (const normalisation of [NO_NORMALISATION, DEFAULT_NORMALISATION]) {
    for (const regex of evil) {
      const set = new PatternSet("evil", [pattern(regex)], normalisation);
      set.matches(text(1000)); // the automaton's states are made once
      const [small, large] = [25_000, 100_000].map((n) =>
        cost(() => assertEquals(set.find(text(n)), []))
      );
      // Four times the text; quadratic time would be 16 times, with a floor for the clock.
      assert(large < 10 * Math.max(small, 5), `${regex}: ${small} ms, then ${large} ms`);
      assert(large < 2000, `${regex}: ${large} ms for 100,000 characters`);
    }
  }
});

Deno.test("taking disguises off takes linear time", () => {
  const set = new PatternSet("all views", [pattern("zzz")], {
    ...DEFAULT_NORMALISATION,
    reversed: true,
    shifts: [13],
  });
  const evil = ["!", "a ", "a.", "A", "=", "QUJD", "A=", "a1!", "\u0301", " ", "$|+", "a  ", "á"];
  for (const unit of evil) {
    const text = (n: number) => unit.repeat(n / unit.length) + "b";
    set.matches(text(1000));
    const [small, large] = [25_000, 100_000].map((n) => cost(() => set.matches(text(n))));
    assert(large < 10 * Math.max(small, 5), `"${unit}": ${small} ms, then ${large} ms`);
  }
});

Deno.test("what automata cannot match is refused, with the place", () => {
  const refused = [
    ["a(?=b)", "character 2"],
    ["(?<!a)b", ""],
    [String.raw`(a)\1`, "character 4"],
    ["(abc", ""],
    ["x[z-a]", "character 3"],
    ["ab**", "character 3"],
    ["a{1,5000}", "character 2"],
    ["((a{1,100}){1,100}){1,100}", ""],
  ];
  for (const [regex, place] of refused) {
    const error = assertThrows(
      () => new PatternSet("my set", [pattern("fine", "first"), pattern(regex, "second")]),
      InputError,
      `my set: pattern "second"`,
    );
    assert(error.message.includes(place) && !error.message.includes("\n"), error.message);
  }
  assertThrows(() => new PatternSet("s", [pattern("")]), InputError, "every text");
  const twice = [pattern("a", "x"), pattern("b", "x")];
  assertThrows(() => new PatternSet("s", twice), InputError, `called "x"`);
});

Deno.test("find names every pattern once, by the first view; matches agrees", () => {
  const set = new PatternSet("s", [pattern("kill", "k"), pattern("bomb", "b"), pattern("x+", "x")]);
  const found = set.find("KILL k1ll b0mb").map((
    { pattern, view, matched },
  ) => [pattern.name, view, matched]);
  assertEquals(found, [["k", "text", "kill"], ["b", "leet", "bomb"]]);
  for (const text of ["KILL", "b0mb", "", "none"]) {
    assertEquals(set.matches(text), set.find(text).length > 0);
  }
  const larger = set.with([pattern("none", "n")]);
  assertEquals([larger.matches("none"), set.matches("none")], [true, false]);
});

const YAML = `
name: mine
normalise: {leet: false, shifts: [13]}
patterns:
  - name: bomb
    category: weapons
    regex: '\\bmake a bomb\\b'
    note: not "bomb the test"
  - {name: kill, category: violence, regex: kill}
`;

Deno.test("YAML: a set is read, written and read again", async () => {
  const set = parsePatterns(YAML, "mine.yaml");
  assertEquals(set.name, "mine");
  assertEquals(set.patterns.map(({ name }) => name), ["bomb", "kill"]);
  assertEquals(set.normalisation, { ...DEFAULT_NORMALISATION, leet: false, shifts: [13] });
  assert(set.matches("Make a bomb") && set.matches("xvyy") && !set.matches("k1l1"));
  assertEquals(parsePatterns(YAML, "mine.yaml", { shifts: [] }).matches("xvyy"), false);

  const folder = await Deno.makeTempDir({ prefix: "infant-patterns-" });
  try {
    const path = `${folder}/saved.yaml`;
    await savePatterns(path, set);
    const again = await loadPatterns(path);
    assertEquals(again.patterns, set.patterns);
    assertEquals(again.normalisation, set.normalisation);
    await assertRejects(() => loadPatterns(`${folder}/none.yaml`), InputError, "none.yaml");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("YAML: mistakes are named by file, line, pattern and place", () => {
  const mistakes = [
    [YAML.replace("regex: kill", "regex: 'kill(?=s)'"), [
      "mine.yaml, line 9",
      `pattern "kill"`,
      "character 5",
      "(?=",
    ]],
    [YAML.replace("name: kill", "name: bomb"), ["mine.yaml, line 5", `"bomb"`]],
    [YAML.replace("category: violence, ", ""), ["mine.yaml", `pattern "kill", category`]],
    [YAML.replace("shifts: [13]", "shifts: [26]"), ["mine.yaml", "normalise.shifts"]],
    [YAML.replace("leet: false", "lett: false"), ["mine.yaml", "lett"]],
    ["patterns: []", ["mine.yaml", "patterns"]],
    ["patterns: [", ["mine.yaml", "not valid YAML"]],
    ["", ["mine.yaml"]],
  ] as const;
  for (const [text, parts] of mistakes) {
    const { message } = assertThrows(() => parsePatterns(text, "mine.yaml"), InputError);
    for (const part of parts) assert(message.includes(part), `"${message}" lacks "${part}"`);
    assert(!message.includes("\n"), message);
  }
});
