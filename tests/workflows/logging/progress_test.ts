/** Progress on a terminal and in a log, with a clock and a screen of the test's own. */
import { stripVTControlCharacters } from "node:util";
import { progress, type Screen } from "../../../workflows/logging/progress.ts";
import { combine, type Reporter, type StepReport } from "../../../workflows/logging/reporter.ts";
import { duration, Speed } from "../../../workflows/logging/speed.ts";
import { assert, assertEquals } from "../../assert.ts";

/** A screen that remembers what was written; each look at the clock costs nothing. */
function fakeScreen(
  options: Partial<Screen>,
): { screen: Screen; text: () => string; wait: (ms: number) => void } {
  let text = "";
  let now = 0;
  const screen: Screen = {
    terminal: true,
    colour: false,
    columns: () => 100,
    write: (more) => void (text += more),
    now: () => now,
    ...options,
  };
  return { screen, text: () => text, wait: (ms) => void (now += ms) };
}

/** Ten steps of 512 tokens, one each `ms`. */
function tenSteps(reporter: Reporter, wait: (ms: number) => void, ms: number): void {
  reporter.stage("pretrain", 10);
  for (let step = 1; step <= 10; step++) {
    wait(ms);
    reporter.step({ step, loss: 2 / step, tokens: step * 512 });
  }
  reporter.note("a note");
  reporter.metrics(10, { eval_loss: 0.123456 });
  reporter.done();
}

/** What a terminal shows after `\r` and "erase to the end of the line". */
function shown(text: string): string[] {
  return text.split("\n").map((line) => stripVTControlCharacters(line.split("\x1b[K").at(-1)!));
}

Deno.test("a terminal shows one redrawn line with loss, speed and time to go", () => {
  const { screen, text, wait } = fakeScreen({});
  const reporter = progress(screen);
  reporter.stage("pretrain", 10);
  for (let step = 1; step <= 5; step++) {
    wait(1000);
    reporter.step({ step, loss: 2 / step, tokens: step * 512 });
  }
  assertEquals(shown(text()), [
    `pretrain  ${"━".repeat(15)}${"─".repeat(15)}  5/10   50%  loss 0.4000  512 tok/s  ETA 5s`,
  ]);
});

Deno.test("at the end the bar stays, and notes stand on lines of their own", () => {
  const { screen, text, wait } = fakeScreen({});
  tenSteps(progress(screen), wait, 1000);
  const lines = shown(text());
  assertEquals(lines.slice(0, 2), ["a note", "pretrain: step 10  eval_loss 0.1235"]);
  assert(lines[2].includes("10/10  100%  loss 0.2000  512 tok/s"), lines[2]);
  assert(!lines[2].includes("ETA"));
});

Deno.test("the bar never wraps, and leaves itself out where there is no room", () => {
  for (const columns of [10, 60, 75, 80, 120]) {
    const { screen, text, wait } = fakeScreen({ columns: () => columns });
    const reporter = progress(screen);
    reporter.stage("pretrain", 10);
    wait(1000);
    reporter.step({ step: 1, loss: 1, tokens: 512 });
    const [line] = shown(text());
    if (line.includes("─")) assert(line.length < columns, `${line.length} columns of ${columns}`);
  }
});

Deno.test("redraws are rare however fast the steps are", () => {
  const { screen, text, wait } = fakeScreen({});
  tenSteps(progress(screen), wait, 1);
  assert(text().split("\r").length < 8, "drawn too often");
});

Deno.test("colour only where it is wanted", () => {
  for (const colour of [true, false]) {
    const { screen, text, wait } = fakeScreen({ colour });
    tenSteps(progress(screen), wait, 1000);
    assertEquals(text().includes("\x1b[1m"), colour);
  }
});

Deno.test("a log gets plain lines, one every few seconds and one at the end", () => {
  const { screen, text, wait } = fakeScreen({ terminal: false });
  tenSteps(progress(screen), wait, 2000);
  assertEquals(text().split("\n"), [
    "pretrain: 10 steps",
    "pretrain: 3/10  loss 0.6667  256 tok/s  ETA 14s",
    "pretrain: 6/10  loss 0.3333  256 tok/s  ETA 8s",
    "pretrain: 9/10  loss 0.2222  256 tok/s  ETA 2s",
    "pretrain: 10/10  loss 0.2000  256 tok/s",
    "a note",
    "pretrain: step 10  eval_loss 0.1235",
    "",
  ]);
});

Deno.test("speed looks back on recent reports only", () => {
  const speed = new Speed();
  assertEquals(speed.tokensPerSecond, null);
  speed.add(0, 0, 0);
  assertEquals(speed.secondsLeft(10), null);
  // A slow start (kernels compile), then ten tokens a second.
  for (let i = 1; i <= 40; i++) speed.add(100_000 + 1000 * i, i, 10 * i);
  assertEquals(speed.tokensPerSecond, 10);
  assertEquals(speed.secondsLeft(50), 10);
  assertEquals(speed.secondsLeft(30), 0);
});

Deno.test("durations for people", () => {
  assertEquals([0.4, 59.4, 59.6, 3599, 3600, 7325].map(duration), [
    "0s",
    "59s",
    "1m00s",
    "59m59s",
    "1h00m",
    "2h02m",
  ]);
});

Deno.test("combined reporters hear everything, in order, and are closed in order", async () => {
  const heard: string[] = [];
  const listener = (name: string): Reporter => ({
    stage: (stage, total) => heard.push(`${name} stage ${stage} ${total}`),
    step: ({ step }: StepReport) => heard.push(`${name} step ${step}`),
    metrics: (step) => heard.push(`${name} metrics ${step}`),
    note: (line) => heard.push(`${name} note ${line}`),
    async done() {
      await Promise.resolve();
      heard.push(`${name} done`);
    },
  });
  const both = combine(listener("a"), listener("b"));
  both.stage("s", 1);
  both.step({ step: 1, loss: 0, tokens: 0 });
  both.metrics(1, {});
  both.note("n");
  await both.done();
  const calls = ["stage s 1", "step 1", "metrics 1", "note n", "done"];
  assertEquals(heard, calls.flatMap((call) => [`a ${call}`, `b ${call}`]));
});
