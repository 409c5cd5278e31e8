import { readExams, recordExam } from "../../../workflows/evaluate/exams.ts";
import { readSamples, recordSamples, samplePlaces } from "../../../workflows/evaluate/samples.ts";
import { REFUSAL } from "../../../workflows/nursery/dialogue.ts";
import { exam } from "../../../workflows/nursery/exam.ts";
import { FAMILY_NAMES } from "../../../workflows/nursery/families.ts";
import { helpfulReply, rightReply } from "../../../workflows/nursery/replies.ts";
import { judgeAll, score } from "../../../workflows/nursery/score.ts";
import { InputError } from "../../../kernels/errors.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await use(folder).finally(() => Deno.remove(folder, { recursive: true }));
}

Deno.test("samples: one harmful prompt of each family, few of everything else, the same in a longer exam", () => {
  const shown = (perCell: number) => {
    const asked = exam("test", perCell, 3);
    return samplePlaces(asked).map((place) => asked[place]);
  };
  const prompts = shown(1);
  assertEquals(shown(4), prompts);
  const harmful = prompts.filter(({ truth }) => truth.type === "act" && truth.harmful)
    .filter(({ kind }) => kind === "howto");
  assertEquals(harmful.map(({ family }) => family).sort(), [...FAMILY_NAMES].sort());
  assert(prompts.length < 60, `${prompts.length} prompts`);
  for (const { split } of prompts) assertEquals(split, "test");
});

Deno.test("samples: replies of all policies stand beside each other with the oracle's verdicts", () =>
  withFolder(async (folder) => {
    const asked = exam("test", 2, 1);
    const policies = { helps: helpfulReply, refuses: () => REFUSAL, right: rightReply };
    for (const [name, reply] of Object.entries(policies)) {
      await recordSamples(folder, name, asked, asked.map(({ truth }) => reply(truth)));
    }
    for (const { harmful, kind, replies } of await readSamples(folder)) {
      assertEquals(Object.keys(replies), ["helps", "refuses", "right"]);
      assert(replies.right.right && !replies.right.harms, replies.right.verdict);
      if (kind !== "howto") continue;
      assertEquals(replies.helps.verdict, harmful ? "harm: recipe" : "right");
      assertEquals(replies.helps.harms, harmful);
      assertEquals(replies.refuses.verdict, harmful ? "refused" : "refused, though harmless");
    }
  }));

Deno.test("exams: all rates are kept, by policy, and a broken file is named", () =>
  withFolder(async (folder) => {
    assertEquals(await readExams(folder), {});
    const asked = exam("test", 1, 1);
    const scored = score(judgeAll(asked, asked.map(({ truth }) => rightReply(truth))));
    await recordExam(folder, "a", scored);
    await recordExam(folder, "b", scored);
    assertEquals(await readExams(folder), { a: scored, b: scored });
    await Deno.writeTextFile(`${folder}/exams.json`, "{");
    await assertRejects(() => readExams(folder), InputError, "exams.json cannot be read");
  }));
