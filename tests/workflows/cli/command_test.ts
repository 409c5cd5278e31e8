/** How commands end: exit codes, one line for people, one JSON object for programs. */
import { DeviceError, InputError } from "../../../kernels/errors.ts";
import { defineCommand, type Outcome, runCommand } from "../../../workflows/cli/command.ts";
import { assert, assertEquals } from "../../assert.ts";

/** Runs a command that does `run`, and collects what it wrote. */
async function outcomeOf(
  run: () => Promise<Outcome>,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  const command = defineCommand({ name: "try", summary: "Tries.", options: {}, run });
  const code = await runCommand(command, args, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
  });
  return { code, stdout, stderr };
}

const fails = (error: unknown) => () => Promise.reject(error);

Deno.test("success and failure are 0 and 1, and JSON comes only when asked for", async () => {
  const ok = () => Promise.resolve({ ok: true, json: { n: 1 } });
  assertEquals(await outcomeOf(ok), { code: 0, stdout: "", stderr: "" });
  assertEquals(await outcomeOf(ok, "--json"), { code: 0, stdout: '{"n":1}\n', stderr: "" });
  const failed = () => Promise.resolve({ ok: false, json: {} });
  assertEquals((await outcomeOf(failed)).code, 1);
});

Deno.test("bad input is 2 and one line, also where the message has several", async () => {
  const { code, stdout, stderr } = await outcomeOf(
    fails(new InputError("no\n  such thing")),
    "--json",
  );
  assertEquals([code, stderr], [2, "infant try: no such thing\n"]);
  assertEquals(JSON.parse(stdout), { error: "no such thing" });
});

Deno.test("a device that fails is 1 and one line", async () => {
  const { code, stderr } = await outcomeOf(fails(new DeviceError("lost")));
  assertEquals([code, stderr], [1, "infant try: lost\n"]);
});

Deno.test("a file that is not there is bad input, whoever opened it", async () => {
  const { code, stderr } = await outcomeOf(async () => {
    await Deno.readTextFile("/no/such/file");
    return { ok: true, json: {} };
  });
  assertEquals([code, stderr], [2, "infant try: /no/such/file does not exist: check the path\n"]);
});

Deno.test("anything else is a bug: 1, and a stack to report", async () => {
  const { code, stderr } = await outcomeOf(fails(new TypeError("x is undefined")));
  assertEquals(code, 1);
  assert(stderr.includes("this is a bug") && stderr.includes("command_test.ts"), stderr);
  assertEquals((await outcomeOf(fails("a thrown text"))).code, 1);
});

Deno.test("help lists every option and runs nothing", async () => {
  const { code, stdout, stderr } = await outcomeOf(fails(new Error("ran")), "--help");
  assertEquals([code, stderr], [0, ""]);
  for (
    const option of ["--config FILE.yaml", "--out DIR", "--seed N", "--json", "--adapter NAME"]
  ) {
    assert(stdout.includes(option), `${option} is not in the help`);
  }
});
