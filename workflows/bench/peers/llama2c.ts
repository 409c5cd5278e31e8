/**
 * The C program of llama2.c as a contestant in telling stories: the field's yardstick for small models on a processor.
 *
 * It tells one story a process; its own measure of tokens per second leaves out loading and the first token, and is taken at its
 * word, as processor time too, for it has one thread. Tokens are drawn from the whole distribution, without top-p, on both sides.
 */
import { InputError } from "../../../kernels/errors.ts";
import type { StoriesTask } from "../contest.ts";
import type { Contestant, Timing } from "../contestant.ts";

/** Its options: temperature, top-p (0: off), seed. */
const DRAWN = ["-t", "1.0", "-p", "0"];
const LIKELIEST = ["-t", "0.0"];

/**
 * The program at `path` (`run`, as its makefile calls it).
 * @throws {InputError} when there is none.
 */
export async function startLlama2c(path: string): Promise<Contestant> {
  const info = await Deno.stat(path).catch(() => null);
  if (!info?.isFile) {
    throw new InputError(`--llama2c: ${path} is no program; build run.c and name it`);
  }
  return {
    name: "llama2.c",
    version: "C, one thread",
    adapter: "processor",
    native: true,
    async open(task) {
      if (task.kind !== "stories") throw new Error(`llama2.c is not asked for ${task.kind}`);
      const { text, ms } = await story(path, task, LIKELIEST);
      const timing = async (count: number): Promise<Timing> => {
        let sum = 0;
        for (let i = 0; i < count * task.replies; i++) {
          sum += (await story(path, task, [...DRAWN, "-s", String(i + 1)])).ms;
        }
        return { ms: sum, cpuMs: sum, rss: 0 };
      };
      return {
        cold: { ms, cpuMs: ms, rss: 0 },
        answers: Array.from(text, (character) => character.codePointAt(0)!),
        run: timing,
        close: () => Promise.resolve(),
      };
    },
    end: () => Promise.resolve(),
  };
}

/** One story, and the milliseconds it takes at the speed that the program reports. */
async function story(
  path: string,
  { model, tokenizer, maxNew }: StoriesTask,
  how: readonly string[],
): Promise<{ text: string; ms: number }> {
  const { success, stdout, stderr } = await new Deno.Command(path, {
    args: [model, "-z", tokenizer, "-n", String(maxNew), ...how],
    env: { OMP_NUM_THREADS: "1" },
  }).output();
  const words = new TextDecoder().decode(stderr);
  const speed = Number(words.match(/achieved tok\/s: ([\d.]+|inf)/)?.[1]);
  if (!success || Number.isNaN(speed)) {
    throw new InputError(`--llama2c: ${path} told no story: ${words.trim().split("\n").at(-1)}`);
  }
  return { text: new TextDecoder().decode(stdout).trim(), ms: 1000 * maxNew / speed };
}
