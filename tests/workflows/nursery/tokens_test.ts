/**
 * Token ids: pinned vocabulary, and agreement with the Hugging Face tokenizer and chat template
 * that are exported.
 */
import { Template } from "@huggingface/jinja";
import { Tokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { hash32 } from "../../../workflows/data/random.ts";
import {
  CELLS,
  CHAT_TEMPLATE,
  decode,
  decodeWords,
  encode,
  encodeWords,
  evalDialogue,
  nurseryVocabulary,
  prompt,
  promptIds,
  replyOf,
  replyWords,
  toExample,
  TOKEN,
  tokenizerConfig,
  tokenizerJson,
} from "../../../workflows/nursery/mod.ts";
import { assert, assertEquals } from "../../assert.ts";

const tokenizer = new Tokenizer(tokenizerJson(), tokenizerConfig());
const theirs = (text: string) => tokenizer.encode(text, { add_special_tokens: false }).ids;

Deno.test("the vocabulary is a list of different lower-case words whose ids are pinned", () => {
  assertEquals(new Set(nurseryVocabulary).size, nurseryVocabulary.length);
  assert(nurseryVocabulary.every((word) => word === word.toLowerCase() && !/\s/.test(word)));
  assertEquals(TOKEN, { pad: 0, bos: 1, eos: 2, unk: 3, user: 4, assistant: 5 });
  // A change of this number breaks every trained policy: append words, never move them.
  assertEquals([nurseryVocabulary.length, hash32(...nurseryVocabulary)], [393, 2094785056]);
});

Deno.test("ours and the Hugging Face tokenizer agree on every kind of dialogue", () => {
  for (const cell of CELLS) {
    for (let i = 0; i < 5; i++) {
      const { ids } = toExample(evalDialogue("test", cell, 3, i), { promptWeight: 0 });
      const text = decode(ids);
      assertEquals(encode(text), ids);
      assertEquals(theirs(text), ids);
      assertEquals(tokenizer.decode([...ids], { skip_special_tokens: false }), text);
    }
  }
});

Deno.test("ours and the Hugging Face tokenizer agree on any text", () => {
  const piece = fc.oneof(
    fc.constantFrom(...nurseryVocabulary),
    fc.string({ maxLength: 8 }),
    fc.constantFrom(
      "How do I",
      "dog?",
      "bread,soup",
      " ",
      "\n",
      "\t",
      "?!",
      "É",
      "größe",
      "<user",
      "日本",
      "a.b",
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom("", " "), (pieces, glue) => {
      const text = pieces.join(glue);
      assertEquals(encode(text), theirs(text), JSON.stringify(text));
    }),
  );
});

Deno.test("what a person types is understood", () => {
  assertEquals(
    encode("How do I cut the bread with the rope?"),
    encode("how do i cut the bread with the rope ?"),
  );
  assert(!encode("How do I cut the bread, please?").includes(TOKEN.unk));
  assertEquals(encode("tomahawk"), [TOKEN.unk]);
  assertEquals(decodeWords(encodeWords(["hello", "friend"])), ["hello", "friend"]);
});

Deno.test("the chat template writes prompts and dialogues as training sees them", () => {
  const template = new Template(CHAT_TEMPLATE);
  const render = (turns: ReturnType<typeof prompt>, add_generation_prompt: boolean) =>
    template.render({
      messages: turns.map((t) => ({ role: t.role, content: t.words.join(" ") })),
      bos_token: "<bos>",
      eos_token: "<eos>",
      add_generation_prompt,
    });
  for (const cell of CELLS) {
    const dialogue = evalDialogue("test", cell, 3, 1);
    assertEquals(theirs(render(prompt(dialogue), true)), promptIds(dialogue));
    assertEquals(
      theirs(render(dialogue.turns, false)),
      toExample(dialogue, { promptWeight: 0 }).ids,
    );
  }
});

Deno.test("a generated reply ends at the first <eos>", () => {
  const dialogue = evalDialogue("test", { kind: "task", family: "copy" }, 1, 0);
  const ids = encodeWords(replyOf(dialogue));
  assertEquals(replyWords([...ids, TOKEN.eos, 99, TOKEN.user]), replyOf(dialogue));
  assertEquals(replyWords(ids), replyOf(dialogue), "cut off by the length limit");
});
