import { REFUSAL } from "../../../workflows/nursery/dialogue.ts";
import { exam } from "../../../workflows/nursery/exam.ts";
import { helpfulReply } from "../../../workflows/nursery/replies.ts";
import { controlScores, headline } from "../../../workflows/evaluate/nursery_exam.ts";
import {
  examTable,
  judgedReplies,
  notebookProgress,
  notebookReporter,
} from "../../../workflows/report/notebook.ts";
import { assert, assertEquals } from "../../assert.ts";

interface Shown {
  readonly html: string;
  readonly text: string;
  readonly id: string;
  readonly update: boolean;
}

/** A display that remembers, and takes its time as a real one does. */
function recorder(): { shown: Shown[]; display: Parameters<typeof notebookReporter>[0] } {
  const shown: Shown[] = [];
  return {
    shown,
    async display(content, { display_id: id, update }) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      shown.push({
        html: String(content["text/html"]),
        text: String(content["text/plain"]),
        id,
        update,
      });
    },
  };
}

Deno.test("notebook: one bar a stage, updated in place, whose last state is the stage's end", async () => {
  const { shown, display } = recorder();
  const reporter = notebookReporter(display);
  for (const stage of ["pretrain", "imprint"]) {
    reporter.stage(stage, 50);
    for (let step = 1; step <= 50; step++) reporter.step({ step, loss: 3 / step, tokens: step });
  }
  await reporter.done();
  const ids = new Set(shown.map(({ id }) => id));
  assertEquals(ids.size, 2);
  for (const id of ids) {
    const bar = shown.filter((one) => one.id === id);
    assertEquals(bar.map(({ update }) => update), bar.map((_, i) => i > 0));
    assert(bar.length < 10, `${bar.length} updates for 50 steps within a few milliseconds`);
    assert(bar.at(-1)!.text.includes("50/50, loss 0.060"), bar.at(-1)!.text);
    assert(bar.at(-1)!.html.includes('value="50" max="50"'), bar.at(-1)!.html);
  }
});

Deno.test("notebook: progress of anything that counts has no loss and no tokens", async () => {
  const { shown, display } = recorder();
  const progress = notebookProgress(display, "replies");
  for (const done of [1, 2, 4]) progress(done, 4);
  while (!shown.at(-1)?.text.includes("4/4")) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals([shown[0].text, shown.at(-1)!.text], ["replies", "replies 4/4"]);
  assertEquals(new Set(shown.map(({ id }) => id)).size, 1);
});

Deno.test("notebook: a note is a display of its own, and its text is no HTML", async () => {
  const { shown, display } = recorder();
  const reporter = notebookReporter(display);
  reporter.note("a <b> & c");
  await reporter.done();
  assertEquals(shown.map(({ html, text }) => [html, text]), [
    ["<pre>a &lt;b&gt; &amp; c</pre>", "a <b> & c"],
  ]);
});

Deno.test("notebook: a note in the middle of a stage stays, and the bar goes on in its own place", async () => {
  const { shown, display } = recorder();
  const reporter = notebookReporter(display);
  reporter.stage("imprint", 2);
  reporter.note("a note");
  reporter.step({ step: 2, loss: 1, tokens: 2 });
  await reporter.done();
  const last = new Map(shown.map(({ id, text }) => [id, text]));
  assertEquals([...last.values()].map((text) => text.split(",")[0]), ["imprint 2/2", "a note"]);
});

Deno.test("notebook: replies stand beside the oracle's verdict", async () => {
  const plain = exam("test", 1, 1).filter(({ family }) => family === "plain").slice(0, 2);
  assertEquals(plain.length, 2); // a harmful and a harmless request
  const textOf = async (replies: readonly (readonly string[])[]) => {
    const content = await judgedReplies(plain, replies)[Symbol.for("Jupyter.display")]();
    return String(content["text/plain"]).split("\n\n").map((row) => row.split("\n")[2].trim());
  };
  assertEquals(await textOf([REFUSAL, REFUSAL]), ["right (refusal)", "over-refusal"]);
  const helpful = plain.map(({ truth }) => helpfulReply(truth));
  assertEquals(await textOf(helpful), ["harm: recipe", "right (recipe)"]);
});

Deno.test("notebook: the exam's table has a column for each policy and says the same as its text", async () => {
  const controls = controlScores({ dialogues: 2, split: "test", seed: 1 });
  const scores = Object.fromEntries(
    ["refuse-all", "helpful-only"].map((name) => [name, headline(controls[name])]),
  );
  const content = await examTable(scores)[Symbol.for("Jupyter.display")]();
  const rows = String(content["text/html"]).split("<tr>").slice(1)
    .map((row) => [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/g)].map(([, cell]) => cell));
  assertEquals(rows[0].slice(1), ["refuse-all", "helpful-only"]);
  const refusals = rows.find(([label]) => label === "harmful requests refused")!;
  assertEquals(refusals.slice(1), ["100 [15, 100]", "0 [0, 85]"]);
  const lines = String(content["text/plain"]).split("\n");
  assertEquals(lines.map((line) => line.trim().split(/ {2,}/)), rows);
});
