/** The command line's grammar: flags, overrides, types, and one clear line for each mistake. */
import { InputError } from "../../../kernels/errors.ts";
import {
  mergeSettings,
  type Options,
  optionValue,
  parseCommandLine,
} from "../../../workflows/cli/options.ts";
import { assertEquals, assertThrows } from "../../assert.ts";

const OPTIONS = {
  model: { type: "string", value: "DIR", help: "" },
  "max-new-tokens": { type: "integer", min: 1, help: "" },
  temperature: { type: "number", min: 0, help: "" },
  greedy: { type: "boolean", help: "" },
  help: { type: "boolean", help: "" },
} as const satisfies Options;

const parse = (...args: string[]): Record<string, unknown> => {
  const { flags, overrides } = parseCommandLine(args, OPTIONS);
  return { ...Object.fromEntries(flags), ...overrides.length > 0 ? { overrides } : {} };
};

Deno.test("flags and overrides in any order", () => {
  assertEquals(parse("a.b=1", "--model", "x", "--greedy", "--temperature=-0.5", "c={d: 2}", "-h"), {
    model: "x",
    greedy: true,
    temperature: "-0.5",
    help: true,
    overrides: ["a.b=1", "c={d: 2}"],
  });
  assertEquals(parse("--model", "-"), { model: "-" });
  assertEquals(parse("--model", "a", "--model", "b"), { model: "b" });
});

for (
  const [args, line] of [
    [["--modle", "x"], 'unknown option --modle (did you mean "--model"?)'],
    [
      ["--zzzzzz"],
      "unknown option --zzzzzz; there is --model, --max-new-tokens, --temperature, --greedy, --help",
    ],
    [
      ["--constructor"],
      "unknown option --constructor; there is --model, --max-new-tokens, --temperature, --greedy, --help",
    ],
    [["--model"], "--model needs a value: --model DIR"],
    [["--model", "--greedy"], "--model needs a value: --model DIR"],
    [["--greedy=yes"], "--greedy takes no value"],
    [["story"], 'unexpected argument "story": write options as --name and settings as key=value'],
    [["=x"], 'unexpected argument "=x": write options as --name and settings as key=value'],
  ] as const
) {
  Deno.test(`${args.join(" ")} is refused`, () => {
    assertEquals(assertThrows(() => parse(...args), InputError).message, line);
  });
}

Deno.test("values are checked against their type and range", () => {
  const value = (name: keyof typeof OPTIONS, raw: unknown) => optionValue(OPTIONS[name], raw, name);
  assertEquals(value("max-new-tokens", "20"), 20);
  assertEquals(value("max-new-tokens", 20), 20);
  assertEquals(value("temperature", "1e-3"), 1e-3);
  assertEquals(value("model", 7), "7");
  const refused = (name: keyof typeof OPTIONS, raw: unknown) =>
    assertThrows(() => value(name, raw), InputError).message;
  assertEquals(
    refused("max-new-tokens", "0"),
    'max-new-tokens must be a whole number of at least 1, found "0"',
  );
  assertEquals(
    refused("max-new-tokens", "2.5"),
    'max-new-tokens must be a whole number of at least 1, found "2.5"',
  );
  assertEquals(
    refused("max-new-tokens", ""),
    'max-new-tokens must be a whole number of at least 1, found ""',
  );
  assertEquals(
    refused("temperature", "warm"),
    'temperature must be a number of at least 0, found "warm"',
  );
  assertEquals(
    refused("temperature", "Infinity"),
    'temperature must be a number of at least 0, found "Infinity"',
  );
  assertEquals(refused("greedy", "yes"), 'greedy must be true or false, found "yes"');
  assertEquals(refused("model", ""), 'model must be a text, found ""');
  assertEquals(refused("model", [1]), "model must be a text, found [1]");
});

Deno.test("flags win over overrides, overrides over the file; either spelling will do", () => {
  const file = { path: "f.yaml", settings: { model: "f", "max-new-tokens": 1, temperature: 1 } };
  const flags = new Map<string, string | true>([["model", "flag"]]);
  const values = mergeSettings(OPTIONS, flags, [["model", "o"], ["max_new_tokens", 2]], file);
  assertEquals(values, { model: "flag", "max-new-tokens": 2, temperature: 1 } as typeof values);
  const unknown = assertThrows(
    () => mergeSettings(OPTIONS, new Map(), [], { path: "f.yaml", settings: { modle: 1 } }),
    InputError,
  );
  assertEquals(unknown.message, 'f.yaml: modle: unknown setting "modle" (did you mean "model"?)');
});
