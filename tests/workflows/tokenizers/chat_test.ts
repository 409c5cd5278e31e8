import { InputError } from "../../../kernels/errors.ts";
import {
  type ChatMessage,
  chatTokens,
  renderChat,
} from "../../../workflows/data/tokenizers/chat.ts";
import type { Tokenizer } from "../../../workflows/data/tokenizers/tokenizer.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";

/**
 * One token per character, or per `<|...|>`; words of two characters "ab" merge, to test borders.
 */
function toy(chatTemplate: string | null): Tokenizer {
  const encode = (text: string) =>
    [...text.matchAll(/<\|\w+\|>|ab|[\s\S]/gu)].map(([token]) => vocabulary.indexOf(token));
  return {
    kind: "toy",
    vocabSize: vocabulary.length,
    bosId: vocabulary.indexOf("<|bos|>"),
    eosId: vocabulary.indexOf("<|end|>"),
    padId: null,
    chatTemplate,
    encode,
    decode: (ids) => ids.map((id) => vocabulary[id]).join(""),
    tokenText: (id) => vocabulary[id],
    files: () => new Map(),
  };
}
const vocabulary = ["<|bos|>", "<|end|>", "ab", ..."\n :?!ABHSUabcdefghijklmnopqrstuvwxyz"];

const CHATML = `{{ bos_token }}{% for message in messages %}
{{ message.role + ':' + message.content + '<|end|>' }}
{% endfor %}
{% if add_generation_prompt %}
{{- 'assistant:' -}}
{% endif %}`;

const TAGGED = `{{ bos_token }}{% for message in messages %}
  {%- if message.role == 'assistant' %}
    {{- 'assistant:' }}
    {%- generation %}
    {{- message.content + '<|end|>' }}
    {%- endgeneration %}
    {{- '\\n' }}
  {%- else %}
    {{- message.role + ':' + message.content + '<|end|>\\n' }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- 'assistant:' }}{%- endif %}`;

const TALK: ChatMessage[] = [
  { role: "user", content: "hi" },
  { role: "assistant", content: "hello" },
  { role: "user", content: "why?" },
  { role: "assistant", content: "no idea" },
];

/** The text of the tokens the mask keeps, one string for each run of ones. */
function kept(
  tokenizer: Tokenizer,
  { ids, assistantMask }: { ids: number[]; assistantMask: number[] },
) {
  assertEquals(ids.length, assistantMask.length);
  let runs = "";
  ids.forEach((id, i) => runs += assistantMask[i] ? tokenizer.tokenText(id) : "\0");
  return runs.split(/\0+/).filter((run) => run !== "");
}

Deno.test("renderChat: the template of the tokenizer, with and without a generation prompt", () => {
  const tokenizer = toy(CHATML);
  const text = "<|bos|>user:hi<|end|>\n";
  assertEquals(renderChat(tokenizer, TALK.slice(0, 1)), text);
  const prompt = renderChat(tokenizer, TALK.slice(0, 1), { addGenerationPrompt: true });
  assertEquals(prompt, `${text}assistant:`);
  const custom = toy("{{ tools }}{{ messages|length }}");
  assertEquals(renderChat(custom, TALK, { variables: { tools: "ab" } }), "ab4");
});

for (const [name, template, after] of [["prefixes", CHATML, "\n"], ["tags", TAGGED, ""]]) {
  Deno.test(`chatTokens: the assistant's tokens by ${name}`, () => {
    const tokenizer = toy(template);
    const tokens = chatTokens(tokenizer, TALK);
    const text = "<|bos|>user:hi<|end|>\nassistant:hello<|end|>\nuser:why?<|end|>\n" +
      "assistant:no idea<|end|>\n";
    assertEquals(tokenizer.decode(tokens.ids), text);
    assertEquals(renderChat(tokenizer, TALK), text);
    assertEquals(kept(tokenizer, tokens), [`hello<|end|>${after}`, `no idea<|end|>${after}`]);
    assertEquals(chatTokens(tokenizer, TALK.slice(0, 1)).assistantMask.includes(1), false);
  });
}

Deno.test("renderChat: generation tags follow trim_blocks and lstrip_blocks", () => {
  const lines = "{% for m in messages %}\n  {{ m.content }}\n  {% generation %}\n  x\n" +
    "  {% endgeneration %}\n{% endfor %}\n";
  assertEquals(renderChat(toy(lines), TALK.slice(0, 1)), "  hi\n  x\n");
  const tight = "{{ 'a' }}\n {%- generation -%}\n b \n{%- endgeneration -%}\n c";
  assertEquals(renderChat(toy(tight), TALK), "abc");
});

Deno.test("chatTokens: a token across the border of a reply is the assistant's at its start", () => {
  const template = "{% for m in messages %}{% if m.role == 'assistant' %}" +
    "{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}";
  const tokenizer = toy(template);
  const talk = [
    { role: "user", content: "cca" },
    { role: "assistant", content: "bcca" },
    { role: "user", content: "bc" },
  ];
  const tokens = chatTokens(tokenizer, talk);
  assertEquals(tokenizer.decode(tokens.ids), "ccabccabc");
  assertEquals(kept(tokenizer, tokens), ["abcc"]);
});

Deno.test("chat: no text of a message is taken for a tag", () => {
  const content = "\uf8f0a\uf8f1b";
  for (const template of [CHATML, TAGGED]) {
    const text = renderChat(toy(template), [{ role: "user", content }]);
    assert(text.includes(content), JSON.stringify(text));
  }
});

Deno.test("chat: templates that cannot be used are refused in one line", () => {
  const rewriting = "{% for m in messages %}{{ 'x' if loop.last else m.content }}{% endfor %}";
  const strict = "{{ raise_exception('roles must alternate') }}";
  const cases: [string | null, string][] = [
    [null, "has no chat template: add chat_template.jinja"],
    ["{% for %}", "chat template: cannot be parsed"],
    [strict, "refuses these 4 messages (roles must alternate)"],
    [rewriting, "the text before message 2 changes with what follows"],
  ];
  for (const [template, message] of cases) {
    const error = assertThrows(() => chatTokens(toy(template), TALK), InputError, message);
    assert(!error.message.includes("\n"));
  }
});
