import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import {
  asDemonstration,
  chatRenderer,
  type Message,
  type TaskRow,
  type TokenExample,
  TokenisationReport,
  type TokeniseOptions,
  tokenisePair,
  tokenisePrompt,
  tokeniseRow,
  tokeniseRows,
} from "../../../workflows/data/mod.ts";
import { encodeSegments } from "../../../workflows/data/tokenise/segments.ts";
import type { Tokenizer } from "../../../workflows/data/tokenizers/tokenizer.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { collect, letters, letterTokenizer, streamOf } from "./helpers.ts";

const where = "set.jsonl:1";
const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });
const demo = (prompt: string, completion: string): TaskRow => ({
  kind: "prompt-completion",
  where,
  prompt,
  completion,
  label: null,
});

/** Tokens as text, those with weight 1 in [brackets]. */
function show(example: TokenExample | null): string {
  assert(example);
  return example.ids.map((id, i) => example.weights[i] === 1 ? `[${letters([id])}]` : letters([id]))
    .join("").replaceAll("][", "");
}

const options = (more: Partial<TokeniseOptions> = {}): TokeniseOptions => ({
  maxLength: 64,
  ...more,
});

Deno.test("completions are learned with their end of sequence; prompts by promptWeight", () => {
  const bos = letterTokenizer({ bos: true });
  assertEquals(show(tokeniseRow(demo("Q?", " yes"), bos, options())), "<bos>Q?[ yes<eos>]");
  const weighted = tokeniseRow(demo("Q?", " y"), bos, options({ promptWeight: 0.25 }));
  assertEquals(weighted?.weights, [0, 0.25, 0.25, 1, 1, 1]);
  assertEquals(
    show(tokeniseRow(demo("Q", "A"), letterTokenizer(), options({ appendEos: false }))),
    "Q[A]",
  );
  assertEquals(
    show(tokeniseRow(demo("Q", "A"), letterTokenizer({ eos: false }), options())),
    "Q[A]",
  );
  assertEquals(
    show(tokeniseRow({ kind: "text", where, text: "story" }, bos, options())),
    "<bos>[story<eos>]",
  );
});

Deno.test("nothing precedes the first token: it is never learned", () => {
  const example = tokeniseRow(demo("", "yes"), letterTokenizer(), options());
  assertEquals(show(example), "y[es<eos>]");
});

Deno.test("transcripts: the last assistant turn or all of them", () => {
  const messages = [user("hi"), assistant("yo"), user("so"), assistant("ok")];
  const row: TaskRow = { kind: "conversation", where, messages };
  const tokenizer = letterTokenizer();
  assertEquals(
    show(tokeniseRow(row, tokenizer, options())),
    "\n\nHuman: hi\n\nAssistant:[ yo]\n\nHuman: so\n\nAssistant:[ ok<eos>]",
  );
  assertEquals(
    show(tokeniseRow(row, tokenizer, options({ replies: "last" }))),
    "\n\nHuman: hi\n\nAssistant: yo\n\nHuman: so\n\nAssistant:[ ok<eos>]",
  );
  const prompt = messages.slice(0, 3);
  const pair: TaskRow = {
    kind: "preference",
    where,
    prompt,
    chosen: [messages[3]],
    rejected: [assistant("no")],
    safe: null,
  };
  const both = tokenisePair(pair, tokenizer, options());
  assertEquals(show(both!.rejected).slice(-11), ":[ no<eos>]");
  assertEquals(
    show(tokeniseRow(asDemonstration(pair), tokenizer, options({ replies: "all" }))),
    "\n\nHuman: hi\n\nAssistant:[ yo]\n\nHuman: so\n\nAssistant:[ ok<eos>]",
  );
  assertEquals(
    letters(tokenisePrompt({ kind: "prompt", where, prompt }, tokenizer, options())),
    "\n\nHuman: hi\n\nAssistant: yo\n\nHuman: so\n\nAssistant:",
  );
  const tool: TaskRow = {
    kind: "conversation",
    where,
    messages: [{ role: "tool", content: "" }, ...messages],
  };
  assertThrows(
    () => tokeniseRow(tool, tokenizer, options()),
    InputError,
    `${where}: a plain transcript has no tool turns`,
  );
});

Deno.test("the boundary: the prompt keeps its ids, or the joint ids are taken; both are counted", () => {
  const tokenizer = letterTokenizer();
  const report = new TokenisationReport();
  // "a" + "b" would merge to the one token "ab".
  assertEquals(show(tokeniseRow(demo("xa", "by"), tokenizer, options(), report)), "xa[by<eos>]");
  assertEquals(
    show(tokeniseRow(demo("xa", "by"), tokenizer, options({ boundary: "joint" }), report)),
    "x[aby<eos>]",
  );
  assertEquals(report.boundaryChanges, 2);
  tokeniseRow(demo("xa", " y"), tokenizer, options(), report);
  assertEquals(report.boundaryChanges, 2);
  assert(report.toString().includes("2 replies would have merged"));
});

Deno.test("a tokenizer that marks the beginning of a text does so only where texts are encoded apart", () => {
  const plain = letterTokenizer();
  const marking = { ...plain, encode: (text: string) => plain.encode(`_${text}`) };
  const said = ["xa", "by", "c", "d"].map((text, i) => ({ text, reply: i % 2 === 1 }));
  // "by" cannot follow "xa" without merging, and begins anew; "c" and "d" follow it as usual.
  assertEquals(letters(encodeSegments(marking, said).ids), "_xa_bycd");
  assertEquals(letters(encodeSegments(marking, said, "joint").ids), "_xabycd");
});

Deno.test("property: ids say the text, and every reply letter is learned", () => {
  const piece = fc.record({ text: fc.stringMatching(/^[abc]{0,4}$/), reply: fc.boolean() });
  for (const boundary of ["keep_prompt", "joint"] as const) {
    fc.assert(fc.property(fc.array(piece, { maxLength: 6 }), (segments) => {
      const { ids, reply, boundaryChanged } = encodeSegments(letterTokenizer(), segments, boundary);
      assertEquals(letters(ids), segments.map((s) => s.text).join(""));
      const learned = letters(ids.filter((_, i) => reply[i])).length;
      const said = segments.filter((s) => s.reply).map((s) => s.text).join("").length;
      // A merged token is learned if it begins a reply, and not if it ends one.
      if (!boundaryChanged || boundary === "keep_prompt") assertEquals(learned, said);
      else assert(Math.abs(learned - said) <= segments.length);
    }));
  }
});

Deno.test("truncation: the prompt gives way first, by either end, and BOS stays", () => {
  const bos = letterTokenizer({ bos: true });
  const report = new TokenisationReport();
  const cut = (maxLength: number, more = {}) =>
    show(tokeniseRow(demo("12345", "xyz"), bos, options({ maxLength, ...more }), report));
  assertEquals(cut(10), "<bos>12345[xyz<eos>]");
  assertEquals([report.truncatedPrompts, report.truncatedReplies], [0, 0]);
  assertEquals(cut(7), "<bos>45[xyz<eos>]");
  assertEquals(cut(7, { truncation: "keep_start" }), "<bos>12[xyz<eos>]");
  assertEquals([report.truncatedPrompts, report.truncatedReplies], [2, 0]);
  assertEquals(cut(3), "<bos>[xy]");
  assertEquals(cut(2), "<bos>[x]");
  assertEquals([report.truncatedPrompts, report.truncatedReplies], [4, 2]);
  assertEquals(report.kept, 5);
});

Deno.test("property: a truncated example fits, keeps the reply's beginning, and learns something", () => {
  const word = fc.stringMatching(/^[p-z]{1,12}$/);
  const which = fc.constantFrom<"keep_end" | "keep_start">("keep_end", "keep_start");
  fc.assert(
    fc.property(
      word,
      word,
      fc.integer({ min: 2, max: 30 }),
      which,
      (prompt, reply, maxLength, truncation) => {
        const example = tokeniseRow(demo(prompt, reply), letterTokenizer(), {
          maxLength,
          truncation,
        })!;
        assertEquals(example.ids.length, Math.min(maxLength, prompt.length + reply.length + 1));
        const learned = letters(example.ids.filter((_, i) => example.weights[i] === 1));
        assert(learned.length > 0 && `${reply}<eos>`.startsWith(learned));
        const kept = letters(example.ids.filter((_, i) => example.weights[i] === 0));
        assert(truncation === "keep_end" ? prompt.endsWith(kept) : prompt.startsWith(kept));
      },
    ),
  );
});

Deno.test("pairs are cut alike, so that both replies answer the same prompt", () => {
  const pair = (chosen: string, rejected: string) =>
    ({ kind: "preference", where, prompt: "123456", chosen, rejected, safe: null }) as const;
  const report = new TokenisationReport();
  const both = tokenisePair(
    pair("xyz", "w"),
    letterTokenizer(),
    options({ maxLength: 7 }),
    report,
  )!;
  assertEquals([show(both.chosen), show(both.rejected)], ["456[xyz<eos>]", "456[w<eos>]"]);
  assertEquals(report.truncatedPrompts, 1);
  const same = tokenisePair(
    pair("xxxxA", "xxxxB"),
    letterTokenizer(),
    options({ maxLength: 5 }),
    report,
  );
  assertEquals(same, null);
  assertEquals(report.dropped("chosen equals rejected after truncation"), 1);
  assertEquals(report.kept, 1);
});

/** The toy tokenizer with a ChatML template. */
function chatTokenizer(): Tokenizer {
  return {
    ...letterTokenizer(),
    kind: "letters",
    vocabSize: 0x10000,
    padId: null,
    chatTemplate: "{% for m in messages %}<{{ m.role }}>{{ m.content }}</>{% endfor %}" +
      "{% if add_generation_prompt %}<assistant>{% endif %}",
    decode: (ids) => letters(ids),
    tokenText: (id) => letters([id]),
    files: () => new Map(),
  };
}

Deno.test("a chat template renders messages; its assistant mask is what is learned", () => {
  const tokenizer = chatTokenizer();
  const chat = chatRenderer(tokenizer);
  const messages = [user("hi"), assistant("yo"), user("so"), assistant("ok")];
  const row: TaskRow = { kind: "conversation", where, messages };
  assertEquals(
    show(tokeniseRow(row, tokenizer, options({ chat, maxLength: 99 }))),
    "<user>hi</><assistant>[yo</>]<user>so</><assistant>[ok</>]",
  );
  const prompt = messages.slice(0, 3);
  const pair = {
    kind: "preference",
    where,
    prompt,
    chosen: [messages[3]],
    rejected: [assistant("no")],
    safe: null,
  } as const;
  const both = tokenisePair(pair, tokenizer, options({ chat, maxLength: 99 }))!;
  assertEquals(show(both.rejected), "<user>hi</><assistant>yo</><user>so</><assistant>[no</>]");
  const opened = tokenisePrompt({ kind: "prompt", where, prompt }, tokenizer, options({ chat }));
  assertEquals(letters(opened), "<user>hi</><assistant>yo</><user>so</><assistant>");
  assertEquals(both.chosen.ids.slice(0, opened.length), opened, "trained as it will be asked");
  assertEquals(chatRenderer({ ...tokenizer, chatTemplate: null }), null);
});

Deno.test("a long prompt is cut to maxLength, at the end it is told to", () => {
  const row = { kind: "prompt", where, prompt: "12345" } as const;
  const bos = letterTokenizer({ bos: true });
  assertEquals(letters(tokenisePrompt(row, bos, { maxLength: 3 })), "<bos>45");
  assertEquals(
    letters(tokenisePrompt(row, bos, { maxLength: 3, truncation: "keep_start" })),
    "<bos>12",
  );
  assertThrows(
    () => tokenisePrompt({ ...row, prompt: "" }, letterTokenizer(), options()),
    InputError,
    "the prompt has no tokens",
  );
});

Deno.test("what cannot be learned is refused in one line, or dropped and counted", async () => {
  const tokenizer = letterTokenizer({ eos: false });
  const bad: [Partial<TokeniseOptions>, string][] = [
    [{ maxLength: 1 }, "maxLength: must be a whole number from 2, found 1"],
    [{ maxLength: 2.5 }, "maxLength"],
    [{ promptWeight: 2 }, "promptWeight: must be from 0 to 1, found 2"],
    [{ promptWeight: NaN }, "promptWeight"],
    [{ appendEos: true }, "no end-of-sequence token"],
  ];
  for (const [more, expected] of bad) {
    assertThrows(() => tokeniseRow(demo("a", "b"), tokenizer, options(more)), InputError, expected);
  }
  const pair: TaskRow = {
    kind: "preference",
    where,
    prompt: "",
    chosen: "a",
    rejected: "b",
    safe: null,
  };
  assertThrows(() => tokeniseRow(pair, tokenizer, options()), InputError, "asDemonstration");
  const report = new TokenisationReport();
  await assertRejects(
    () => collect(tokeniseRows(streamOf([demo("", "x")]), tokenizer, options(), report)),
    InputError,
    "no row could be tokenised: 1 x no token to learn (first: set.jsonl:1)",
  );
  assertEquals(report.dropped(), 1);
});
