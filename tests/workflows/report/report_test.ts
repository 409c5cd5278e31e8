/**
 * The report as a document: whole, self-contained, escaped, accessible, and tolerant of what a run does not have.
 */
import { join } from "node:path";
import { InputError } from "../../../kernels/errors.ts";
import { runCommand } from "../../../workflows/cli/command.ts";
import { reportCommand } from "../../../workflows/cli/report.ts";
import { writeReport } from "../../../workflows/report/report.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { NASTY, writeRichRun, writeSweep } from "./fixture.ts";
import { type Element, elementsOf } from "./markup.ts";

const folder = await Deno.makeTempDir({ prefix: "infant-report-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
const rich = join(folder, "rich");
const sweep = join(folder, "sweep");
await writeRichRun(rich);
await writeSweep(sweep);

async function reportOn(runs: readonly string[], withSweep = false): Promise<string> {
  const out = join(folder, "out", "page.html");
  await writeReport({ runs, sweep: withSweep ? sweep : null, out });
  return await Deno.readTextFile(out);
}

const page = await reportOn([rich]);
const elements = elementsOf(page);
const joined = await reportOn([rich, rich], true);
const PAGES = [["one run", page], ["two runs and a sweep", joined]] as const;

const named = (elements: readonly Element[], tag: string) =>
  elements.filter((one) => one.tag === tag);

for (const [what, text] of PAGES) {
  const all = elementsOf(text);

  Deno.test(`report, ${what}: refers to nothing outside, and is small`, () => {
    const outside = text.replaceAll(/xmlns(:\w+)?="[^"]*"/g, "").replaceAll(NASTY, "")
      .match(
        /(?:src|href|action|poster|data)="(?!#|data:,"|[\w.-]+\/)[^"]*"|@import|url\((?!#)[^)]*\)/g,
      );
    assertEquals(outside, null);
    assertEquals(named(all, "script").length + named(all, "iframe").length, 0);
    assert(text.length < 3_000_000, `${text.length} bytes`);
  });

  Deno.test(`report, ${what}: headings are in order, below one first heading`, () => {
    const levels = all.filter(({ tag }) => /^h[1-6]$/.test(tag)).map(({ tag }) => +tag[1]);
    assertEquals(levels[0], 1);
    assertEquals(levels.filter((level) => level === 1).length, 1);
    levels.slice(1).forEach((level, i) => assert(level <= levels[i] + 1, levels.join(" ")));
  });

  Deno.test(`report, ${what}: every id is there once, and every link leads to one`, () => {
    const ids = all.flatMap(({ attributes }) => attributes.get("id") ?? []);
    assertEquals(ids.filter((id, i) => ids.indexOf(id) !== i), []);
    const targets = all.flatMap(({ attributes }) => [
      ...(attributes.get("href")?.match(/^#(.*)/)?.slice(1) ?? []),
      ...(attributes.get("aria-labelledby")?.split(" ") ?? []),
    ]);
    assertEquals(targets.filter((id) => !ids.includes(id)), []);
    const clips = text.match(/url\(#[^)]*\)/g) ?? [];
    assertEquals(clips.filter((url) => !ids.includes(url.slice(5, -1))), []);
  });

  Deno.test(`report, ${what}: every picture has a name, every chart words and a table behind it`, () => {
    const svgs = named(all, "svg");
    assert(svgs.length > 8, `${svgs.length} pictures`);
    for (const svg of svgs) {
      const title = all.find((one) => one.tag === "title" && one.within.at(-1) === svg);
      assert(title && title.text !== "", "a title");
      assert(["img", "group"].includes(svg.attributes.get("role") ?? ""), "a role");
    }
    for (const figure of named(all, "figure")) {
      const inside = all.filter(({ within }) => within.includes(figure));
      assert(inside.some(({ tag, text }) => tag === "desc" && text.length > 20), "a description");
      assert(inside.some(({ tag, text }) => tag === "figcaption" && text !== ""), "a caption");
      const rows = inside.filter(({ tag, within }) =>
        tag === "tr" && within.at(-1)?.tag === "tbody"
      );
      assert(rows.length > 0, `numbers behind ${figure.attributes.get("id")}`);
    }
  });

  Deno.test(`report, ${what}: tables have captions and heads for columns and rows`, () => {
    for (const table of named(all, "table")) {
      const inside = all.filter(({ within }) => within.includes(table));
      assertEquals(named(inside, "caption").length, 1);
      assert(inside.some(({ attributes }) => attributes.get("scope") === "col"));
      assert(inside.some(({ attributes }) => attributes.get("scope") === "row"));
    }
    // What scrolls sideways can be reached by keyboard.
    for (const one of all.filter(({ attributes }) => attributes.get("class") === "scroll")) {
      assertEquals(one.attributes.get("tabindex"), "0");
    }
  });
}

Deno.test("report: what files say is text, never markup", () => {
  assertEquals(named(elements, "img").length, 0);
  assertEquals(page.includes("<script>alert"), false);
  const shown = elements.filter(({ text }) => text.includes(NASTY));
  assert(shown.some(({ tag }) => tag === "pre"), "the configuration");
  assert(shown.some(({ tag }) => tag === "td"), "the adapter");
});

Deno.test("report: the whole story is told", () => {
  const main = elements.find(({ tag }) => tag === "main")!.text;
  for (
    const words of [
      "Value imprinting",
      "Counterfactual imagination",
      "The gate evaluated twice (roll back, promote)",
      "since the last promotion facts fell by 0.290",
      "E1 plain",
      "no plasticity",
      "With confidence 95%, the policy as worn violates in at most",
      "the chain is whole",
      "of 192 parameters",
      "64,000",
    ]
  ) {
    const lead = elements.find(({ attributes }) => attributes.get("class") === "lead")!.text;
    assert(main.includes(words) || lead.includes(words), words);
  }
});

Deno.test("report: harmful text is folded away, with a warning before it", () => {
  const samples = elements.filter(({ within }) =>
    within.some(({ attributes }) => attributes.get("id") === "samples")
  );
  const harmful = samples.filter(({ tag, attributes, text }) =>
    tag === "div" && attributes.get("class") === "turn" && /harm: \w/.test(text)
  );
  assert(harmful.length > 10, `${harmful.length} harmful replies`);
  for (const { within } of harmful) {
    const fold = within.findLast(({ tag }) => tag === "details");
    assert(fold && !fold.attributes.has("open"), "is in a closed fold");
  }
  assert(page.indexOf("Warning:") < page.indexOf("harm: recipe"), "the warning comes first");
});

Deno.test("report: a run with nothing but metrics is told as far as it goes", async () => {
  const bare = join(folder, "bare");
  await Deno.mkdir(bare, { recursive: true });
  await Deno.copyFile(join(rich, "metrics.jsonl"), join(bare, "metrics.jsonl"));
  const all = elementsOf(await reportOn([bare]));
  const ids = named(all, "section").map(({ attributes }) => attributes.get("id"));
  assertEquals(ids, ["stages", "losses", "origin"]);
});

Deno.test("report: files that are broken are named, not hidden", async () => {
  const broken = join(folder, "broken");
  await Deno.mkdir(broken, { recursive: true });
  for (const name of ["metrics.jsonl", "config.yaml"]) {
    await Deno.copyFile(join(rich, name), join(broken, name));
  }
  await Deno.writeTextFile(join(broken, "scores.json"), "{");
  await Deno.writeTextFile(join(broken, "certificate.json"), "{}");
  const audit = await Deno.readTextFile(join(rich, "audit.jsonl"));
  await Deno.writeTextFile(join(broken, "audit.jsonl"), audit.replace('"promote"', '"prom0te"'));
  const all = elementsOf(await reportOn([broken]));
  const warning = all.find(({ attributes }) => attributes.get("class") === "warning")!.text;
  for (const words of ["scores.json", "certificate", "audit.jsonl, line"]) {
    assert(warning.includes(words), `${words} in ${warning}`);
  }
});

Deno.test("report: points of a frontier lead to their settings, and those to their runs", () => {
  const all = elementsOf(joined);
  const marks = all.filter(({ tag, within, attributes }) =>
    tag === "a" && attributes.get("href")?.startsWith("#point-") &&
    within.some((one) => one.tag === "svg")
  );
  assertEquals(marks.length, 5);
  const rows = all.filter(({ tag, attributes }) =>
    tag === "tr" && attributes.get("id")?.startsWith("point-")
  );
  assertEquals(rows.length, 5);
  const links = all.filter(({ tag, within }) => tag === "a" && within.includes(rows[0]));
  assert(/^\.\.\/sweep\/points\/\w+\/run\/$/.test(links[0].attributes.get("href")!));
});

Deno.test("report: settings that differ between runs are listed", async () => {
  const other = join(folder, "other");
  await writeRichRun(other);
  const config = await Deno.readTextFile(join(other, "config.yaml"));
  await Deno.writeTextFile(join(other, "config.yaml"), config.replace("seed: 0", "seed: 5"));
  const all = elementsOf(await reportOn([rich, other]));
  const table = all.find((one) =>
    one.tag === "table" && one.text.includes("Settings that differ")
  )!;
  assertEquals(table.text.replaceAll(/\s/g, ""), "Settingsthatdiffersettingrichotherseed05");
});

Deno.test("report: the command writes where it is told, and says what it needs", async () => {
  const lines: string[] = [];
  const output = { stdout: (text: string) => lines.push(text), stderr: () => {} };
  const out = join(folder, "named.html");
  assertEquals(await runCommand(reportCommand, ["--run", rich, "--out", out, "--json"], output), 0);
  assertEquals(JSON.parse(lines[0]).out, out);
  assertEquals(await runCommand(reportCommand, ["--run", rich, "--run", rich], output), 0);
  assert((await Deno.readTextFile(join(rich, "report.html"))).includes("2 runs"));
  assertEquals(await runCommand(reportCommand, [], output), 2);
  assertEquals(await runCommand(reportCommand, ["--run", join(folder, "nowhere")], output), 2);
  const none = { runs: [], sweep: rich, out };
  await assertRejects(() => writeReport(none), InputError, "front.json cannot be read");
});
