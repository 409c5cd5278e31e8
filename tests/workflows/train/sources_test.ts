/** The configuration's data keys reach the reader, and the report accounts for every row. */
import { join } from "node:path";
import { InputError } from "../../../kernels/errors.ts";
import type { StageConfig } from "../../../workflows/config/config.ts";
import { resolveConfig } from "../../../workflows/config/resolve.ts";
import type { TokenBatch } from "../../../workflows/data/batch.ts";
import { nurseryTokenizer } from "../../../workflows/train/policy_source.ts";
import { nurseryVocabulary } from "../../../workflows/nursery/words.ts";
import { openStageData, type StageData } from "../../../workflows/train/sources.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { inFolder } from "./helpers.ts";

const tokenizer = await nurseryTokenizer();

/** Opens `text` as the file of a stage with the given keys under `data`. */
async function open(
  folder: string,
  file: string,
  text: string,
  ...keys: string[]
): Promise<StageData> {
  const path = join(folder, file);
  await Deno.writeTextFile(path, text);
  const stage =
    "stages=[{name: one, kind: language_modelling, steps: 2, length: 16, batch_size: 1, " +
    `packing: false, learning_rate: 1e-3, data: {path: ${JSON.stringify(path)}}}]`;
  const overrides = [stage, ...keys.map((key) => `stages.one.data.${key}`)];
  const [resolved] = resolveConfig({ overrides }).config.stages as StageConfig[];
  return await openStageData(resolved, tokenizer, 0);
}

/** The texts of one epoch, and of all held-out batches. */
async function texts(data: StageData): Promise<{ learned: string[]; held: string[] }> {
  const text = ({ ids, weights, starts }: TokenBatch) => {
    const length = weights.findLastIndex((weight, i) => weight > 0 && starts[i] === 0) + 2;
    return tokenizer.decode([...ids.slice(0, length)]).trim();
  };
  const count = data.epochTokens! / data.source.tokensPerBatch;
  const batches = await Promise.all(
    Array.from({ length: count }, (_, i) => data.source.batch(i)),
  );
  return { learned: batches.map(text).sort(), held: data.heldOut.map(text).sort() };
}

/** Ten words that the tokenizer knows, so that texts differ in tokens too. */
const words = nurseryVocabulary.filter((word) => /^[a-z]{3,}$/.test(word)).slice(0, 10);

Deno.test("text is cut at the separator; every document is learned or held out, none both", () =>
  inFolder(async (folder) => {
    const documents = words.flatMap((a) => words.map((b) => `${a} ${b}`));
    const data = await open(folder, "a.txt", documents.join("\n--\n"), 'separator="--"');
    const { learned, held } = await texts(data);
    // One batch of one row holds one document here, and the held-out loss takes eight.
    assertEquals(held.length, 8);
    const spare = 100 - learned.length - held.length;
    assertEquals(
      data.notes[1],
      `${learned.length + 8} of 100 rows kept, ${3 * (learned.length + 8)} tokens; ` +
        `${learned.length} examples to learn, 8 held out (and ${spare} that the held-out loss does not need)`,
    );
    const seen = new Set([...learned, ...held]);
    assertEquals(seen.size, learned.length + held.length);
    assert([...seen].every((text) => documents.includes(text)), [...seen].slice(0, 3).join("; "));
    const one = await open(folder, "b.txt", documents.join("\n--\n"));
    assert(one.notes[1].startsWith("1 of 1 rows kept"), one.notes[1]);
  }));

Deno.test("of PKU-SafeRLHF's two preferences the named one is learned", () =>
  inFolder(async (folder) => {
    const rows = words.map((word) =>
      JSON.stringify({
        prompt: word,
        response_0: "yes",
        response_1: "no",
        better_response_id: 0,
        safer_response_id: 1,
      })
    ).join("\n");
    for (
      const [preference, reply, other] of [["helpful", "yes", "no"], ["harmless", "no", "yes"]]
    ) {
      const data = await open(folder, "a.jsonl", rows, `preference=${preference}`);
      const ids = data.fisherExamples(20).flatMap((example) => example.ids);
      const has = (word: string) => ids.includes(tokenizer.encode(word).at(-1)!);
      assertEquals([has(reply), has(other)], [true, false], preference);
    }
  }));

Deno.test("file type, format, columns, empty rows and the limit are as configured", () =>
  inFolder(async (folder) => {
    const lines = words.map((word) => `{"question": "${word}", "text": "other", "reply": "yes"}`);
    const rows = [...lines, '{"question": "cup", "text": "other", "reply": ""}'].join("\n");
    const mapped = await open(
      folder,
      "rows.data",
      rows,
      "file_type=jsonl",
      "format=prompt-completion",
      "columns={prompt: question, completion: reply}",
      "on_empty=drop",
    );
    assert(mapped.notes[1].includes("dropped 1 x empty reply (first: "), mapped.notes[1]);
    assert(mapped.notes[1].startsWith("10 of 11 rows kept"), mapped.notes[1]);
    const few = await open(folder, "few.jsonl", rows, "format=text", "limit=4");
    assertEquals(few.fisherExamples(99).length, 4);
  }));

Deno.test("Fisher examples score replies alone, are of the stage's own data and fit its length", () =>
  inFolder(async (folder) => {
    const rows = words.map((prompt) => JSON.stringify({ prompt, completion: "yes" })).join("\n");
    const path = join(folder, "rows.jsonl");
    await Deno.writeTextFile(path, rows);
    const open = async (kind: string, data: string, length: number): Promise<StageData> => {
      const stage =
        `stages=[{name: one, kind: ${kind}, steps: 1, learning_rate: 1e-3, prompt_weight: 0.5, ` +
        `length: ${length}, data: ${data}, fisher: {samples: 40}}]`;
      const [resolved] = resolveConfig({ overrides: [stage] }).config.stages;
      return await openStageData(resolved, tokenizer, 0);
    };
    const file = (await open("value_imprinting", `{path: ${JSON.stringify(path)}}`, 16))
      .fisherExamples(40);
    for (const { ids, weights } of file) {
      // All between the prompt and the end is the reply.
      const first = ids.indexOf(tokenizer.encode("yes").at(-1)!);
      assertEquals(weights, ids.map((_, i) => Number(i >= first)));
    }
    const care = (await open("value_imprinting", "nursery", 64)).fisherExamples(40);
    const raw = (await open("language_modelling", "nursery", 64)).fisherExamples(40);
    assert(JSON.stringify(care) !== JSON.stringify(raw), "each stage's own dialogues");
    const short = (await open("value_imprinting", "nursery", 12)).fisherExamples(40);
    assert(short.length > 0 && short.every(({ ids }) => ids.length <= 12));
    assert(short.every(({ weights }) => weights.includes(1)));
    await assertRejects(() => open("value_imprinting", "nursery", 2), InputError, "raise length");
  }));
