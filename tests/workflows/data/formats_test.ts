import fc from "fast-check";
import { InputError } from "../../../kernels/errors.ts";
import {
  detectFormat,
  type FormatOptions,
  normaliseRows,
  parseTranscript,
  renderTranscript,
  type TaskRow,
  TokenisationReport,
} from "../../../workflows/data/mod.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";
import { collect, streamOf } from "./helpers.ts";

type Values = Record<string, unknown>;

function normalise(rows: Values[], options: FormatOptions = {}, report?: TokenisationReport) {
  const source = rows.map((values, i) => ({ values, where: `set.jsonl:${i + 1}` }));
  return collect(normaliseRows(streamOf(source), options, report));
}

const row = (fields: Values): TaskRow =>
  ({ where: "set.jsonl:1", ...fields }) as unknown as TaskRow;
const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

Deno.test("formats are known by their columns, the most specific first", () => {
  const cases: [string, Values][] = [
    ["text", { text: "x", id: 1 }],
    ["prompt", { prompt: "x", label: "safe" }],
    ["prompt-completion", { prompt: "x", completion: "y" }],
    ["prompt-completion", { prompt: "x", completion: "y", label: true }],
    ["preference", { prompt: "x", chosen: "a", rejected: "b", messages: [] }],
    ["preference", { conversations: [], chosen: {}, rejected: {} }],
    ["implicit-preference", { chosen: "x a", rejected: "x b" }],
    ["implicit-preference", { chosen: [], rejected: [] }],
    ["hh-rlhf", {
      chosen: "\n\nHuman: x\n\nAssistant: a",
      rejected: "\n\nHuman: x\n\nAssistant: b",
    }],
    ["messages", { messages: [] }],
    ["conversations", { conversations: [], system: "" }],
    ["alpaca", { instruction: "", input: "", output: "" }],
    ["safe-rlhf", { prompt: "", response_0: "", response_1: "", better_response_id: 0 }],
  ];
  for (const [format, values] of cases) {
    assertEquals(detectFormat(Object.keys(values), values), format, JSON.stringify(values));
  }
});

Deno.test("unknown columns: the message names them, the nearest format and the mapping", () => {
  const cases: [string[], string][] = [
    [["question", "answer"], "columns: {prompt: question, completion: answer}"],
    [["promt", "completion"], "columns: {prompt: promt}"],
    [["promt", "chosen", "reject"], "columns: {prompt: promt, rejected: reject}"],
    [["goal", "target"], 'has the columns "goal", "target"; nearest expected: prompt + completion'],
    // One column is not proposed for two, though "response" is near to both response_0 and response_1.
    [["Prompt", "Response"], "map them with columns: {prompt: Prompt, completion: Response}"],
    [["instruction", "response"], "nearest expected: instruction + output; map them with"],
    [["sentid", "sentence"], "columns: {text: sentence}"],
  ];
  for (const [columns, expected] of cases) {
    assertThrows(() => detectFormat(columns), InputError, expected);
  }
});

Deno.test("columns can be mapped, by dotted path too", async () => {
  assertEquals(
    await normalise([{ question: "q", answer: "a", text: "z" }], {
      columns: { prompt: "question", completion: "answer" },
    }),
    [row({ kind: "prompt-completion", prompt: "q", completion: "a", label: null })],
  );
  assertEquals(
    await normalise([{ task: "t", instances: [{ output: "o" }] }], {
      columns: { prompt: "task", completion: "instances.0.output" },
    }),
    [row({ kind: "prompt-completion", prompt: "t", completion: "o", label: null })],
  );
  await assertRejects(
    () => normalise([{ question: "q" }], { columns: { prompt: "qestion" } }),
    InputError,
    'columns maps prompt to "qestion", which the row lacks; it has "question"',
  );
});

Deno.test("messages and ShareGPT conversations become the same turns", async () => {
  const turns = [{ role: "system", content: "s" }, user("u"), assistant("a")];
  const expected = [row({ kind: "conversation", messages: turns })];
  assertEquals(await normalise([{ messages: turns }]), expected);
  const shared = [["system", "s"], ["human", "u"], ["gpt", "a"]].map(([from, value]) => ({
    from,
    value,
  }));
  assertEquals(await normalise([{ conversations: shared }]), expected);
  const parts = turns.map((t) => ({ ...t, content: [{ type: "text", text: t.content }] }));
  assertEquals(await normalise([{ messages: parts }]), expected);
});

Deno.test("preferences: explicit, ShareGPT, and UltraFeedback's repeated prompt", async () => {
  const expected = [row({
    kind: "preference",
    prompt: [user("q")],
    chosen: [assistant("good")],
    rejected: [assistant("bad")],
    safe: null,
  })];
  const [chosen, rejected] = [assistant("good"), assistant("bad")];
  assertEquals(
    await normalise([{ prompt: [user("q")], chosen: [chosen], rejected: [rejected] }]),
    expected,
  );
  assertEquals(
    await normalise([{
      prompt: "q",
      chosen: [user("q"), chosen],
      rejected: [user("q"), rejected],
    }]),
    expected,
  );
  assertEquals(
    await normalise([{
      conversations: [{ from: "human", value: "q" }],
      chosen: { from: "gpt", value: "good" },
      rejected: { from: "gpt", value: "bad" },
    }]),
    expected,
  );
  assertEquals(
    await normalise([{ chosen: [user("q"), chosen], rejected: [user("q"), rejected] }]),
    expected,
  );
  assertEquals(await normalise([{ prompt: "q", chosen: "g", rejected: "b" }]), [
    row({ kind: "preference", prompt: "q", chosen: "g", rejected: "b", safe: null }),
  ]);
});

Deno.test("implicit prompts follow TRL: common beginning, the space goes to the replies", async () => {
  const split = async (chosen: string, rejected: string) => {
    const [pair] = await normalise([{ chosen, rejected }]);
    assert(pair.kind === "preference");
    return [pair.prompt, pair.chosen, pair.rejected];
  };
  assertEquals(await split("The sky is blue.", "The sky is green."), [
    "The sky is",
    " blue.",
    " green.",
  ]);
  assertEquals(await split("ab", "abc"), ["a", "b", "bc"]);
  assertEquals(await split("x😀", "x😁"), ["x", "😀", "😁"], "no half characters");
});

Deno.test("property: an implicit prompt and its replies join to what they came from", () =>
  fc.assert(fc.asyncProperty(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: "grapheme" }),
    async (prompt, a, b) => {
      const [chosen, rejected] = [`${prompt}yes${a}`, `${prompt}no${b}`];
      const [pair] = await normalise([{ chosen, rejected }]);
      assert(pair.kind === "preference");
      assertEquals(pair.prompt, prompt.endsWith(" ") ? prompt.slice(0, -1) : prompt);
      assertEquals(`${pair.prompt}${pair.chosen}`, chosen);
      assertEquals(`${pair.prompt}${pair.rejected}`, rejected);
    },
  )));

Deno.test("HH-RLHF transcripts: turns, and what is wrong with the others is counted", async () => {
  const good = "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: how?\n\nAssistant:";
  const report = new TokenisationReport();
  const rows = await normalise(
    [
      { chosen: `${good} so`, rejected: `${good} thus` },
      { chosen: `x ${good} so`, rejected: `${good} thus` },
      { chosen: `${good} so\n\nHuman: bye`, rejected: `${good} thus` },
      { chosen: "\n\nHuman: a\n\nHuman: b\n\nAssistant: c", rejected: `${good} thus` },
      { chosen: `\n\nHuman: else\n\nAssistant: so`, rejected: `${good} thus` },
      { chosen: `${good} so`, rejected: `${good} so` },
      { chosen: `${good} `, rejected: `${good} thus` },
    ],
    { onEmpty: "drop" },
    report,
  );
  assertEquals(rows, [row({
    kind: "preference",
    prompt: [user("hi"), assistant("hello"), user("how?")],
    chosen: [assistant("so")],
    rejected: [assistant("thus")],
    safe: null,
  })]);
  assertEquals(report.rowsRead, 7);
  assertEquals(report.reasons(), [
    "1 x transcript does not begin with a speaker (first: set.jsonl:2)",
    "1 x transcript does not end with the assistant (first: set.jsonl:3)",
    "1 x same speaker twice in a row (first: set.jsonl:4)",
    "1 x chosen and rejected have different prompts (first: set.jsonl:5)",
    "1 x chosen equals rejected (first: set.jsonl:6)",
    "1 x empty reply (first: set.jsonl:7)",
  ]);
});

Deno.test("property: a transcript read and written again is the same", () => {
  const content = fc.string().map((s) => `x${s.replace(/\n\n/g, "")}x`);
  fc.assert(fc.property(fc.array(fc.tuple(content, content), { minLength: 1 }), (turns) => {
    const messages = turns.flatMap(([u, a]) => [user(u), assistant(a)]);
    const text = renderTranscript(messages as Parameters<typeof renderTranscript>[0])
      .map((segment) => segment.text).join("");
    assertEquals(parseTranscript(text), messages as ReturnType<typeof parseTranscript>);
  }));
});

Deno.test("PKU-SafeRLHF: the user chooses which of the two preferences is meant", async () => {
  const values = {
    prompt: "q",
    response_0: "rude but right",
    response_1: "kind",
    is_response_0_safe: false,
    is_response_1_safe: true,
    better_response_id: 0,
    safer_response_id: "1",
  };
  const read = async (preference: "helpful" | "harmless") => {
    const [pair] = await normalise([values], { preference });
    assert(pair.kind === "preference" && typeof pair.chosen !== "string");
    return [pair.chosen[0].content, pair.safe];
  };
  assertEquals(await read("helpful"), ["rude but right", { chosen: false, rejected: true }]);
  assertEquals(await read("harmless"), ["kind", { chosen: true, rejected: false }]);
  await assertRejects(() => normalise([values]), InputError, 'say preference: "helpful"');
  await assertRejects(
    () => normalise([{ ...values, safer_response_id: 2 }], { preference: "harmless" }),
    InputError,
    "safer_response_id must be 0 or 1, found 2",
  );
});

Deno.test("Alpaca rows use the published prompt, with and without input", async () => {
  const [without, with_] = await normalise([
    { instruction: "Add.", input: "", output: "3" },
    { instruction: "Add.", input: "1 2", output: "3" },
  ]);
  assert(without.kind === "prompt-completion" && with_.kind === "prompt-completion");
  assertEquals(
    without.prompt,
    "Below is an instruction that describes a task. Write a response that appropriately completes " +
      "the request.\n\n### Instruction:\nAdd.\n\n### Response:",
  );
  assert(String(with_.prompt).includes("further context. Write"));
  assert(
    String(with_.prompt).endsWith("### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:"),
  );
  assertEquals(without.completion, "3");
});

Deno.test("labels are booleans however they are written", async () => {
  const labels = [true, "False", 1, "0"];
  const rows = await normalise(labels.map((label) => ({ prompt: "p", completion: "c", label })));
  assertEquals(rows.map((r) => r.kind === "prompt-completion" && r.label), [
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("bad rows: one clear line each", async () => {
  const cases: [Values, string, FormatOptions?][] = [
    [
      { prompt: "p", completion: " \n" },
      "set.jsonl:2: empty reply; mend the row, or leave such rows out with on_empty: drop",
    ],
    [
      { prompt: "p", completion: 3 },
      "set.jsonl:2: completion must be text or messages, found a number",
    ],
    [{ prompt: "p" }, 'set.jsonl:2: no column completion among "prompt"; map them with columns'],
    [
      { prompt: "p", completion: "c", label: "maybe" },
      'label must be true or false, found "maybe"',
    ],
    [
      { prompt: "p", completion: [{ role: "robot", content: "x" }] },
      'completion[0]: unknown role "robot"',
    ],
    [
      { prompt: "p", completion: [{ role: "constructor", content: "x" }] },
      'completion[0]: unknown role "constructor"',
    ],
    [
      { prompt: "p", completion: ["x"] },
      'expected a message {role, content} or {from, value}, found "x"',
    ],
    [
      { prompt: "p", completion: [{ role: "user", content: [{ type: "image" }] }] },
      'content part of type "image"; only text is read',
    ],
  ];
  for (const [values, expected, options] of cases) {
    const good = { prompt: "p", completion: "c" };
    const error = await assertRejects(
      () => normalise([good, values], options),
      InputError,
      expected,
    );
    assert(!error.message.includes("\n"), error.message);
  }
  const others: [Values, string, FormatOptions?][] = [
    [{ text: " " }, "empty text"],
    [{ text: 5 }, "text must be a string, found number"],
    [{ prompt: "" }, "empty prompt"],
    [{ messages: [user("u")] }, "no usable row in the data set: 1 x no assistant turn"],
    [{ messages: [user("u"), assistant("")] }, "empty reply"],
    [{ messages: [user("u")] }, "no assistant turn; mend the row", { onMalformed: "error" }],
    [
      { chosen: "x", rejected: "x" },
      "no usable row in the data set: 1 x chosen equals rejected (first: set.jsonl:1)",
    ],
    [{ chosen: "x", rejected: [user("x")] }, "must both be text or both be messages"],
    [{ text: "x" }, 'format: "txt" is unknown; expected one of', { format: "txt" as "text" }],
    [{ a: 1 }, 'set.jsonl:1: no known format has the columns "a"'],
  ];
  for (const [values, expected, options] of others) {
    const error = await assertRejects(() => normalise([values], options), InputError, expected);
    assert(!error.message.includes("\n"), error.message);
  }
});
