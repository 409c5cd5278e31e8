/**
 * Published data sets from file to batch. Counts were taken with an independent script (Python's `json`, `csv`,
 * `gzip`) over the same files, which are hash-sampled subsets of the originals.
 */
import { InputError } from "../../../kernels/errors.ts";
import {
  asDemonstration,
  type DatasetOptions,
  type FormatOptions,
  normaliseRows,
  openDataset,
  packedSource,
  pairSource,
  rowKey,
  selectSide,
  StreamSource,
  type TaskRow,
  TokenisationReport,
  tokenisePairs,
  tokeniseRow,
  tokeniseRows,
  totalWeight,
} from "../../../workflows/data/mod.ts";
import { gpt2Tokenizer } from "../../../workflows/data/tokenizers/hugging_face.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { sharedPath, sharedTest } from "../../shared.ts";
import { collect, letterTokenizer, streamOf } from "./helpers.ts";

async function rowsOf(
  path: string,
  options: DatasetOptions & FormatOptions = {},
  report?: TokenisationReport,
): Promise<TaskRow[]> {
  return await collect(normaliseRows(await openDataset(path, options), options, report));
}

const HH = ["data", "preference", "hh-rlhf", "harmless-base-test.jsonl.gz"];

sharedTest(
  "HH-RLHF: malformed transcripts are counted, pairs become padded batches",
  HH,
  async (path) => {
    await assertRejects(() => rowsOf(path), InputError, ".jsonl.gz:364: empty reply");
    const report = new TokenisationReport();
    const rows = await rowsOf(path, { onEmpty: "drop" }, report);
    assertEquals(report.rowsRead, 1607);
    assertEquals(rows.length + report.dropped(), 1607);
    assertEquals(report.dropped("empty reply"), 2);
    assertEquals(report.dropped("same speaker twice in a row"), 7);
    const pairs = await collect(
      tokenisePairs(streamOf(rows), letterTokenizer(), { maxLength: 1024 }, report),
    );
    assert(report.truncatedPrompts > 100 && report.truncatedReplies < report.truncatedPrompts);
    const { chosen, rejected } = pairSource(pairs, { rows: 4, length: 1024, seed: 1 }).batch(0);
    assert(totalWeight(chosen) > 0 && totalWeight(rejected) > 0);
    const [row] = rows;
    assert(row.kind === "preference" && typeof row.prompt !== "string");
    assertEquals(row.prompt[0], { role: "user", content: "How much alcohol can I drink per day?" });
  },
);

sharedTest("HH-RLHF: no prompt on both sides of a split", HH, async (path) => {
  const rows = await rowsOf(path, { onEmpty: "drop" });
  const [train, held] = await Promise.all(
    (["train", "validation"] as const).map(async (side) =>
      new Set((await collect(selectSide(streamOf(rows), side, { validation: 0.1 }))).map(rowKey))
    ),
  );
  for (const key of held) assert(!train.has(key));
  assert(held.size > 110 && held.size < 210, `${held.size} held out`);
});

const gpt2 = ["data", "tokenizer", "gpt2"];

sharedTest(
  "HH-RLHF under GPT-2's tokenizer: transcripts split where replies begin",
  gpt2,
  async (folder) => {
    const path = sharedPath(...HH);
    if (!path) return;
    const tokenizer = await gpt2Tokenizer(
      await Deno.readTextFile(`${folder}/encoder.json`),
      await Deno.readTextFile(`${folder}/vocab.bpe`),
    );
    const rows = (await rowsOf(path, { onEmpty: "drop" })).slice(0, 200).map(asDemonstration);
    const report = new TokenisationReport();
    const examples = await collect(
      tokeniseRows(streamOf(rows), tokenizer, { maxLength: 512 }, report),
    );
    assertEquals(report.boundaryChanges, 0, "the space goes with the reply, so nothing merges");
    const [row, example] = [rows[0], examples[0]];
    assert(row.kind === "prompt-completion" && typeof row.completion !== "string");
    const learned = example.ids.filter((_, i) => example.weights[i] === 1);
    assertEquals(
      tokenizer.decode(learned, { skipSpecialTokens: false }),
      ` ${row.completion[0].content}<|endoftext|>`,
    );
    const source = packedSource(examples, { rows: 4, length: 512, packing: "bfd", seed: 0 });
    const density = Number(/([\d.]+) % tokens/.exec(source.describe())![1]);
    assert(density > 95, source.describe());
  },
);

sharedTest(
  "ShareGPT preference pairs",
  ["data", "preference", "dpo_en_demo.json"],
  async (path) => {
    const rows = await rowsOf(path);
    assertEquals(rows.length, 225);
    for (const row of rows) {
      assert(row.kind === "preference" && typeof row.prompt !== "string");
      assertEquals(row.prompt.at(-1)?.role, "user");
    }
  },
);

sharedTest("Dolly and GSM8K demonstrations by mapped columns", ["data"], async (data) => {
  const dolly = await rowsOf(`${data}/instruction/dolly_validation.jsonl`, {
    columns: { completion: "answer" },
  });
  assertEquals(dolly.length, 114);
  const gsm8k = `${data}/capability/gsm8k_*.jsonl`;
  await assertRejects(
    () => rowsOf(gsm8k),
    InputError,
    "map them with columns: {prompt: question, completion: answer}",
  );
  const rows = await rowsOf(gsm8k, { columns: { prompt: "question", completion: "answer" } });
  assertEquals(rows.length, 916 + 767);
  const seeds = await rowsOf(`${data}/instruction/seed_tasks.jsonl`, {
    columns: { input: "instances.0.input", output: "instances.0.output" },
  });
  assertEquals([seeds.length, seeds[0].kind], [175, "prompt-completion"]);
});

sharedTest(
  "TinyStories through the streaming source",
  ["data", "text", "tinystories_sample.txt"],
  async (path) => {
    const dataset = await openDataset(path);
    const report = new TokenisationReport();
    const open = () => normaliseRows(dataset, {}, report);
    const tokenizer = letterTokenizer();
    const tokenise = (row: TaskRow) => tokeniseRow(row, tokenizer, { maxLength: 256 });
    const options = { rows: 8, length: 256, packing: "wrapped", seed: 5, windowItems: 50 } as const;
    const source = new StreamSource(open, tokenise, options);
    const batches = [];
    for (let step = 0; step < 12; step++) batches.push(await source.batch(step));
    const resumed = new StreamSource(open, tokenise, options);
    await resumed.restore(await source.state());
    assertEquals(await resumed.batch(12), await source.batch(12));
    assertEquals((await rowsOf(path)).length, 402);
    for (const batch of batches) assert(totalWeight(batch) > 0.95 * 8 * 256);
  },
);

sharedTest(
  "CSV and TSV sets have the rows that Python's csv module finds",
  ["data"],
  async (data) => {
    const sets: [string, number, DatasetOptions?][] = [
      ["redteam/advbench_harmful_behaviors.csv", 372],
      ["redteam/harmbench_behaviors_text_all.csv", 268],
      ["redteam/strongreject_dataset.csv", 211],
      ["redteam/xstest_prompts.csv", 320],
      ["bias/crows_pairs_anonymized.csv", 1064],
      ["bias/winogender_all_sentences.tsv", 462],
      ["misinformation/TruthfulQA.csv", 589],
      ["toxicity/toxicity_en.csv", 689],
      ["toxicity/hate_offensive_labeled_data.csv", 3489],
      ["toxicity/hatecheck_test_suite_cases.csv", 2630],
      ["privacy/fake_names_100.csv", 100],
      ["capability/mmlu/test", 965, { header: ["question", "A", "B", "C", "D", "answer"] }],
    ];
    for (const [path, count, options] of sets) {
      const rows = await collect(await openDataset(`${data}/${path}`, options));
      assertEquals(rows.length, count, path);
    }
    const [xstest] = await rowsOf(`${data}/redteam/xstest_prompts.csv`);
    assertEquals(xstest.kind, "prompt");
  },
);
