import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import { ggufTokenizer } from "../../../workflows/data/tokenizers/gguf.ts";
import {
  gpt2Tokenizer,
  HuggingFaceTokenizer,
} from "../../../workflows/data/tokenizers/hugging_face.ts";
import { llama2cTokenizer } from "../../../workflows/data/tokenizers/llama2c.ts";
import { bestFirst } from "../../../workflows/data/tokenizers/merge_queue.ts";
import {
  decodeContinuation,
  TextStream,
  type Tokenizer,
} from "../../../workflows/data/tokenizers/tokenizer.ts";
import { loadTokenizer } from "../../../workflows/model_files/load_tokenizer.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { sharedTest } from "../../shared.ts";
import { byteTokens, llama2cFile, TINY_PIECES } from "./fixtures.ts";

const GPT2 = ["data", "tokenizer", "gpt2"];
const STORIES = ["data", "models", "stories260K"];

sharedTest("GPT-2: all golden vectors of tiktoken's r50k_base", GPT2, async (folder) => {
  const tokenizer = await loadTokenizer(folder);
  assertEquals([tokenizer.vocabSize, tokenizer.bosId, tokenizer.eosId], [50257, 50256, 50256]);
  const plans = await Deno.readTextFile(`${folder}/TestPlans_r50k_base.txt`);
  const cases = [
    ...plans.matchAll(/EncodingName: r50k_base\nSample: ([\s\S]*?)\nEncoded: (\[.*\])/g),
  ];
  assertEquals(cases.length, 39);
  for (const [, text, encoded] of cases) {
    assertEquals(tokenizer.encode(text), JSON.parse(encoded), text);
    assertEquals(tokenizer.decode(JSON.parse(encoded)), text);
  }
});

sharedTest(
  "GPT-2: all golden vectors of llama.cpp, also from the saved files",
  GPT2,
  async (folder) => {
    const read = (name: string) => Deno.readTextFileSync(`${folder}/${name}`);
    const tokenizer = await gpt2Tokenizer(read("encoder.json"), read("vocab.bpe"));
    const saved = await HuggingFaceTokenizer.create(tokenizer.files());
    const texts = read("ggml-vocab-gpt-2.gguf.inp").split("\n__ggml_vocab_test__\n");
    const lines = read("ggml-vocab-gpt-2.gguf.out").split("\n");
    assertEquals(texts.length, 36);
    for (const [i, text] of texts.entries()) {
      const ids = lines[i].trim().split(" ").filter((id) => id !== "").map(Number);
      assertEquals(tokenizer.encode(text), ids, text);
      assertEquals(saved.encode(text), ids, text);
      assertEquals(tokenizer.decode(ids), text);
    }
  },
);

sharedTest("GPT-2: any text survives, whole and streamed", GPT2, async (folder) => {
  const tokenizer = await loadTokenizer(`${folder}/encoder.json`);
  assertEquals(tokenizer.encode("<|endoftext|>"), [50256]);
  assertEquals(tokenizer.decode([50256, 64]), "a");
  assertEquals(tokenizer.decode([50256, 64], { skipSpecialTokens: false }), "<|endoftext|>a");
  const text = fc.string({ unit: "grapheme", maxLength: 30 });
  fc.assert(
    fc.property(text, (text) => {
      if (text.includes("<|endoftext|>") || text.endsWith("\ufffd")) return;
      const ids = tokenizer.encode(text);
      assertEquals(tokenizer.decode(ids), text);
      assertEquals(decodeContinuation(tokenizer, [], ids), text);
    }),
    { numRuns: 50 },
  );
});

sharedTest("llama2.c: ids and texts of stories260K are exact", STORIES, async (folder) => {
  const tokenizer = await loadTokenizer(`${folder}/tok512.bin`);
  const golden = JSON.parse(Deno.readTextFileSync(`${folder}/golden.json`));
  for (const { text, ids, greedy_ids, greedy_text } of golden.prompts) {
    assertEquals(tokenizer.encode(text), ids, text);
    assertEquals(tokenizer.decode(ids), text);
    assertEquals(tokenizer.decode(greedy_ids), greedy_text);
    const fresh = greedy_ids.slice(ids.length);
    assertEquals(decodeContinuation(tokenizer, ids, fresh), greedy_text.slice(text.length));
  }
  const published = golden.upstream_greedy_200;
  if (published.text) assertEquals(tokenizer.decode(published.ids), published.text);
  assertEquals(tokenizer.decode([1, 403], { skipSpecialTokens: false }), "<s>Once");
});

sharedTest(
  "llama2.c: the tokenizer.json it saves encodes all stories identically",
  ["data"],
  async (data) => {
    const own = await loadTokenizer(`${data}/models/stories260K/tok512.bin`);
    const saved = await HuggingFaceTokenizer.create(own.files());
    const text = Deno.readTextFileSync(`${data}/text/tinystories_sample.txt`);
    const stories = text.split("<|endoftext|>");
    assertEquals(stories.length, 402);
    for (const story of stories) {
      const ids = own.encode(story);
      assertEquals(saved.encode(story), ids);
      assertEquals(own.decode(ids), story);
      assertEquals(saved.decode(ids), story);
    }
  },
);

/**
 * Tokenizers made here: SentencePiece pieces as a llama2.c file, and the same as Hugging Face and
 * GGUF have them.
 */
async function sentencePieces(): Promise<Tokenizer[]> {
  const own = llama2cTokenizer(llama2cFile(TINY_PIECES));
  const types = TINY_PIECES.map((_, id) => id === 0 ? 2 : id < 3 ? 3 : id < 259 ? 6 : 1);
  const gguf = await ggufTokenizer({
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": TINY_PIECES.map(([text], id) =>
      id < 3 ? text.trim() : text.replaceAll(" ", "\u2581")
    ),
    "tokenizer.ggml.scores": TINY_PIECES.map(([, score]) => score),
    "tokenizer.ggml.token_type": types,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
  });
  return [own, await HuggingFaceTokenizer.create(own.files()), gguf!];
}

Deno.test("SentencePiece: best score first, bytes for unknown characters, one space in front", async () => {
  for (const tokenizer of await sentencePieces()) {
    const id = (text: string) => TINY_PIECES.findIndex(([piece]) => piece === text);
    const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
    assertEquals(tokenizer.encode(""), [1]);
    assertEquals(encode("ab"), [id(" "), id("ab")]);
    // "bc" outranks "ab", and then " a" outranks "abc".
    assertEquals(encode("abc"), [id(" a"), id("bc")]);
    assertEquals(encode("é"), [id(" "), 3 + 0xc3, 3 + 0xa9]);
    assertEquals(encode("a\n"), [id(" a"), 3 + 0x0a]);
    assertEquals(tokenizer.encode("a a"), [1, id(" a"), id(" a")]);
    for (const text of ["", "a", " a", "abc  é 漢 🌍 c", "a\nb"]) {
      assertEquals(tokenizer.decode(tokenizer.encode(text)), text, `${tokenizer.kind}: ${text}`);
      assertEquals(tokenizer.decode(encode(text)), text);
    }
  }
});

Deno.test("SentencePiece: the saved tokenizer.json agrees on any text over its letters", async () => {
  const [own, saved, gguf] = await sentencePieces();
  const text = fc.string({
    unit: fc.constantFrom("a", "b", "c", " ", "é", "\n", "x"),
    maxLength: 40,
  });
  fc.assert(fc.property(text, (text) => {
    assertEquals(saved.encode(text), own.encode(text));
    assertEquals(gguf.encode(text), own.encode(text));
    assertEquals(saved.decode(own.encode(text)), own.decode(own.encode(text)));
  }));
});

Deno.test("SentencePiece: special tokens in text are tokens with GGUF, letters with llama2.c", async () => {
  const [own, saved, gguf] = await sentencePieces();
  assertEquals(gguf.encode("<s>", { addSpecialTokens: false }), [1]);
  assertEquals(saved.encode("<s>", { addSpecialTokens: false }), [1]);
  assert(!own.encode("<s>", { addSpecialTokens: false }).includes(1));
  assertEquals(own.decode(own.encode("<s>")), "<s>");
});

Deno.test("TextStream: a character split over tokens comes once it is whole", async () => {
  for (const tokenizer of await sentencePieces()) {
    const stream = new TextStream(tokenizer, [1]);
    const earth = byteTokens("🌍");
    const shown = [...tokenizer.encode("a", { addSpecialTokens: false }), ...earth].map((id) =>
      stream.push(id)
    );
    assertEquals(shown, ["a", "", "", "", "🌍"]);
    assertEquals(stream.push(earth[0]), "");
    assertEquals(stream.end(), "\ufffd");
  }
});

Deno.test("bestFirst equals the textbook loop", () => {
  const pieces = ["a", "b", "aa", "ab", "ba", "aab", "abab", "bb", "aaa"];
  const scores = [0, 0, -3, -1, -4, -2, -5, -6, -7];
  const union = (left: number, right: number) => {
    const id = pieces.indexOf(pieces[left] + pieces[right]);
    return id < 0 ? null : { id, score: scores[id] };
  };
  const textbook = (symbols: number[]) => {
    const ids = [...symbols];
    while (true) {
      let best: { at: number; id: number; score: number } | null = null;
      for (let at = 0; at + 1 < ids.length; at++) {
        const merged = union(ids[at], ids[at + 1]);
        if (merged && (!best || merged.score > best.score)) best = { at, ...merged };
      }
      if (!best) return ids;
      ids.splice(best.at, 2, best.id);
    }
  };
  fc.assert(fc.property(fc.array(fc.nat(1), { maxLength: 40 }), (symbols) => {
    assertEquals(bestFirst(symbols, union), textbook(symbols));
  }));
});

/** A byte-level BPE over all bytes with two merges. */
function byteLevelMetadata(pre: string): Record<string, unknown> {
  const printable = (byte: number) => {
    const plain = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return plain ? byte : null;
  };
  let extra = 0;
  const tokens = Array.from(
    { length: 256 },
    (_, byte) => String.fromCharCode(printable(byte) ?? 256 + extra++),
  );
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": pre,
    "tokenizer.ggml.tokens": [...tokens, "12", "123", "<|im_start|>"],
    "tokenizer.ggml.merges": ["1 2", "12 3"],
    "tokenizer.ggml.token_type": [...Array(258).fill(1), 3],
    "tokenizer.ggml.eos_token_id": 258,
    "tokenizer.chat_template": "{{ messages[0].content }}",
  };
}

Deno.test("GGUF byte-level BPE: the word pattern and special tokens are honoured", async () => {
  const qwen = (await ggufTokenizer(byteLevelMetadata("qwen2")))!;
  const gpt2 = (await ggufTokenizer(byteLevelMetadata("gpt-2")))!;
  assertEquals(gpt2.encode("123"), [257]);
  assertEquals(qwen.encode("123"), [49, 50, 51], "Qwen2 keeps digits apart");
  assertEquals(gpt2.encode("<|im_start|>1"), [258, 49]);
  assertEquals([gpt2.eosId, gpt2.bosId, gpt2.vocabSize], [258, null, 259]);
  assertEquals(gpt2.chatTemplate, "{{ messages[0].content }}");
  const saved = await HuggingFaceTokenizer.create(gpt2.files());
  assertEquals(saved.chatTemplate, gpt2.chatTemplate);
  const bos = { "tokenizer.ggml.add_bos_token": true, "tokenizer.ggml.bos_token_id": 258 };
  const begins = (await ggufTokenizer({ ...byteLevelMetadata("gpt-2"), ...bos }))!;
  assertEquals(begins.encode("123"), [258, 257]);
  const far = { ...bos, "tokenizer.ggml.bos_token_id": 10 ** 6 };
  assertEquals((await ggufTokenizer({ ...byteLevelMetadata("gpt-2"), ...far }))!.bosId, null);
  assertEquals(await ggufTokenizer({}), null);
});

Deno.test("tokenizers: bad files are refused in one line", async () => {
  const create = (files: [string, string][]) => () => HuggingFaceTokenizer.create(new Map(files));
  const metadata = byteLevelMetadata("gpt-2");
  const cases: [() => Promise<unknown>, string][] = [
    [create([]), "tokenizer.json is missing"],
    [create([["tokenizer.json", "{"]]), "tokenizer.json: not valid JSON"],
    [create([["tokenizer.json", "[]"]]), "tokenizer.json: expected a JSON object"],
    [create([["tokenizer.json", "{}"]]), "tokenizer.json: not a tokenizer"],
    [() => gpt2Tokenizer('{"a":0,"b":1}', "#version: 0.2\na b\n"), 'merge 1 ("a b")'],
    [() => gpt2Tokenizer('{"a":0,"aa":1}', "a a a\n"), 'merge 1 ("a a a")'],
    [
      () => ggufTokenizer({ ...metadata, "tokenizer.ggml.pre": "tekken" }),
      'pre is "tekken", expected gpt-2',
    ],
    [() => ggufTokenizer({ ...metadata, "tokenizer.ggml.model": "t5" }), 'model is "t5"'],
    [
      () => ggufTokenizer({ ...metadata, "tokenizer.ggml.merges": undefined }),
      "merges must be a list",
    ],
    [
      () =>
        ggufTokenizer({
          ...metadata,
          "tokenizer.ggml.model": "llama",
          "tokenizer.ggml.scores": [1],
        }),
      "scores must be a list of 259 numbers, found a list of 1",
    ],
    [
      () => ggufTokenizer({ ...metadata, "tokenizer.ggml.tokens": [1, 2] }),
      "tokens must be a list of texts",
    ],
    [() => loadTokenizer("/nonexistent"), "no tokenizer here"],
    [() => loadTokenizer(import.meta.filename!), "a tokenizer is a folder"],
  ];
  for (const [run, message] of cases) {
    const error = await assertRejects(run, InputError, message);
    assert(!error.message.includes("\n"));
  }
  const whole = llama2cFile(TINY_PIECES);
  const broken: [Uint8Array, string][] = [
    [whole.subarray(0, 3), "only 3 bytes"],
    [whole.subarray(0, whole.length - 1), "cut off"],
    [whole.with(8, 200), "a piece of 200 bytes, at most 6 expected"],
    [whole.subarray(0, 29), "cut off"],
    [llama2cFile(TINY_PIECES.slice(0, 100)), "has 100 pieces, at least 259 expected"],
    [llama2cFile(TINY_PIECES.with(7, ["seven", 0])), 'piece 7 is "seven", a byte <0xNN> expected'],
  ];
  for (const [bytes, message] of broken) {
    const error = assertThrows(() => llama2cTokenizer(bytes, "tok.bin"), InputError, message);
    assert(error.message.startsWith("tok.bin: ") && !error.message.includes("\n"));
  }
});

Deno.test("tokenizers: an id outside the vocabulary is named", async () => {
  for (const tokenizer of await sentencePieces()) {
    const last = tokenizer.vocabSize - 1;
    assertThrows(
      () => tokenizer.decode([1, 9999]),
      InputError,
      `token id 9999 is not in the vocabulary (0 to ${last})`,
    );
  }
});
