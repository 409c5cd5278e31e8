/** A contestant at the other end of a pipe is the same contestant. */
import fc from "fast-check";
import type { Task } from "../../../../workflows/bench/contest.ts";
import type { Contestant } from "../../../../workflows/bench/contestant.ts";
import { linesOf, remoteContestant, serve } from "../../../../workflows/bench/peers/protocol.ts";
import { assertEquals, assertRejects } from "../../../assert.ts";

const encoder = new TextEncoder();

/** Two ends of a stream of lines. */
function pipe(): {
  lines: AsyncGenerator<string>;
  write(line: string): Promise<void>;
  end(): Promise<void>;
} {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
    undefined,
    undefined,
    new CountQueuingStrategy({ highWaterMark: 100 }),
  );
  const writer = writable.getWriter();
  return {
    lines: linesOf(readable),
    write: (line) => writer.write(encoder.encode(`${line}\n`)),
    end: () => writer.close(),
  };
}

/** Answers with the task's own sizes; refuses to run 13 times. */
const library: Contestant = {
  name: "far",
  version: "1.2.3",
  adapter: "elsewhere",
  native: true,
  open: (task: Task) =>
    Promise.resolve({
      cold: { ms: 5, cpuMs: 6, rss: 7 },
      answers: task.kind === "matmul" ? [task.m, task.n, task.k] : [],
      run(count) {
        if (count === 13) return Promise.reject(new Error("not thirteen"));
        return Promise.resolve({ ms: count, cpuMs: task.kind === "matmul" ? task.m : 0, rss: 9 });
      },
      close: () => Promise.resolve(),
    }),
  end: () => Promise.resolve(),
};

/** The library behind a pipe, and the moment its server ends. */
async function behindPipe(): Promise<{ remote: Contestant; ended: Promise<void> }> {
  const there = pipe();
  const back = pipe();
  const ended = serve(library, there.lines, (line) => void back.write(line))
    .then(() => back.end());
  const remote = await remoteContestant("far", {
    lines: back.lines,
    write: there.write,
    lastWords: () => Promise.resolve("no more"),
    end: there.end,
  });
  return { remote, ended };
}

Deno.test("protocol: facts, answers and times cross the pipe; two tasks are open at once", async () => {
  const { remote, ended } = await behindPipe();
  const { name, version, adapter, native } = remote;
  assertEquals([name, version, adapter, native], ["far", "1.2.3", "elsewhere", true]);
  const first = await remote.open({ kind: "matmul", form: "nn", m: 2, n: 3, k: 4 });
  const second = await remote.open({ kind: "matmul", form: "nn", m: 5, n: 6, k: 7 });
  assertEquals(first.answers, [2, 3, 4]);
  assertEquals(second.cold, { ms: 5, cpuMs: 6, rss: 7 });
  assertEquals(await second.run(3), { ms: 3, cpuMs: 5, rss: 9 });
  assertEquals(await first.run(4), { ms: 4, cpuMs: 2, rss: 9 });
  await first.close();
  await remote.end();
  await ended;
});

Deno.test("protocol: an error crosses the pipe and the other side lives on", async () => {
  const { remote, ended } = await behindPipe();
  const open = await remote.open({ kind: "wait" });
  await assertRejects(() => open.run(13), Error, "far: not thirteen");
  assertEquals((await open.run(2)).ms, 2);
  await remote.end();
  await ended;
  await assertRejects(() => open.run(1));
});

Deno.test("protocol: a process that ends before it speaks is quoted", async () => {
  const { lines, write, end } = pipe();
  await end();
  const gone = { lines, write, end, lastWords: () => Promise.resolve("npm: not found") };
  await assertRejects(() => remoteContestant("far", gone), Error, "far ended: npm: not found");
});

Deno.test("protocol: lines survive any cutting of their bytes", async () => {
  const text = fc.string({ unit: "grapheme" }).map((line) => line.replace(/\n/g, " "));
  await fc.assert(fc.asyncProperty(
    fc.array(text, { minLength: 1 }),
    fc.integer({ min: 1, max: 5 }),
    async (wanted, size) => {
      const bytes = encoder.encode(wanted.map((line) => `${line}\n`).join(""));
      const chunks = Array.from(
        { length: Math.ceil(bytes.length / size) },
        (_, i) => bytes.subarray(i * size, (i + 1) * size),
      );
      assertEquals(await Array.fromAsync(linesOf(ReadableStream.from(chunks))), wanted);
    },
  ));
});
