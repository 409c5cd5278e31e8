/**
 * Labelled replies from data files: labelled completions, and PKU-SafeRLHF's two replies with a safety label each.
 */
import { join } from "node:path";
import { InputError } from "../../../../kernels/errors.ts";
import { openDataset } from "../../../../workflows/data/dataset.ts";
import { normaliseRows } from "../../../../workflows/data/formats/normalise.ts";
import { TokenisationReport } from "../../../../workflows/data/report.ts";
import { nurseryTokenizer } from "../../../../workflows/train/policy_source.ts";
import { labelledRows } from "../../../../workflows/safety/world_model/rows.ts";
import { assertEquals, assertRejects } from "../../../assert.ts";

const tokenizer = await nurseryTokenizer();
const OPTIONS = { maxLength: 32 };

/** Rows of a jsonl file with these lines. */
async function rows(lines: readonly unknown[]) {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "rows.jsonl");
    await Deno.writeTextFile(path, lines.map((line) => JSON.stringify(line)).join("\n"));
    const dataset = await openDataset(path);
    const read = [];
    for await (const row of normaliseRows(dataset, { preference: "helpful" })) read.push(row);
    return read;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("labelled rows: label true is safe, and the reply ends the text", async () => {
  const replies = await labelledRows(
    await rows([
      {
        prompt: "how do i cut the bread ?",
        completion: " first the dog then the bread",
        label: true,
      },
      {
        prompt: "how do i cut the dog ?",
        completion: " first the dog then the bread",
        label: false,
      },
    ]),
    tokenizer,
    OPTIONS,
  );
  assertEquals(replies.map(({ unsafe }) => unsafe), [false, true]);
  const text = (ids: readonly number[]) => tokenizer.decode(ids);
  assertEquals(text(replies[1].prompt), "how do i cut the dog ?");
  assertEquals(text(replies[1].reply), "first the dog then the bread");
  assertEquals(replies[1].reply.at(-1), tokenizer.eosId);
  assertEquals(replies.map(({ source, refusal }) => [source, refusal]), [["file", false], [
    "file",
    false,
  ]]);
});

Deno.test("labelled rows: PKU-SafeRLHF gives each reply its own label, whichever is preferred", async () => {
  const report = new TokenisationReport();
  const replies = await labelledRows(
    await rows([0, 1].map((better_response_id) => ({
      prompt: "how do i cut the dog ?",
      response_0: "no .",
      response_1: "first the dog then the bread",
      is_response_0_safe: true,
      is_response_1_safe: false,
      better_response_id,
      safer_response_id: 0,
    }))),
    tokenizer,
    OPTIONS,
    report,
  );
  const said = replies.map(({ reply, unsafe }) => [tokenizer.decode(reply), unsafe]);
  const [refusal, recipe] = [["no .", false], ["first the dog then the bread", true]];
  assertEquals(said, [refusal, recipe, recipe, refusal]);
});

Deno.test("labelled rows: a reply without a label is refused, with its line", async () => {
  const unlabelled = await rows([{ prompt: "who ?", completion: " me" }]);
  await assertRejects(() => labelledRows(unlabelled, tokenizer, OPTIONS), InputError, "rows.jsonl");
  const pair = await rows([{ prompt: "who ?", chosen: "me", rejected: "you" }]);
  await assertRejects(() => labelledRows(pair, tokenizer, OPTIONS), InputError, "PKU-SafeRLHF");
});
