/** Rounds are interleaved fairly, statistics are what they are called, and a wrong answer is never timed. */
import fc from "fast-check";
import type { Contestant, Timing } from "../../../workflows/bench/contestant.ts";
import { race, ratios, roundOrder, spread } from "../../../workflows/bench/race.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";

const numbers = fc.array(fc.double({ min: 0.01, max: 1e6, noNaN: true }), {
  minLength: 1,
  maxLength: 9,
});

Deno.test("spread: half of the values lie on either side of the median", () => {
  fc.assert(fc.property(numbers, (values) => {
    const { min, median, max } = spread(values);
    assertEquals([min, max], [Math.min(...values), Math.max(...values)]);
    assert(2 * values.filter((value) => value <= median).length >= values.length);
    assert(2 * values.filter((value) => value >= median).length >= values.length);
  }));
  assertEquals(spread([4, 1]).median, 2.5);
  assertThrows(() => spread([]), RangeError, "no values");
});

Deno.test("ratios are taken round by round", () => {
  assertEquals(ratios([8, 9, 10], [2, 3, 5]), [4, 3, 2]);
});

Deno.test("every entry has every place in the order equally often", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 7 }), (count) => {
    const rounds = Array.from({ length: count }, (_, round) => roundOrder(count, round));
    const everyone = Array.from({ length: count }, (_, i) => i);
    for (let place = 0; place < count; place++) {
      assertEquals(rounds.map((order) => order[place]).sort(), everyone);
      assertEquals(rounds[place].toSorted(), everyone);
    }
  }));
});

/** A library in which one run takes `msPerRun` and one wait 10 ms; it writes down what it is asked. */
function fake(name: string, msPerRun: number, log: string[]): Contestant {
  const timing = (count: number): Timing => ({
    ms: 10 + count * msPerRun,
    cpuMs: 2 * count * msPerRun,
    rss: count,
  });
  return {
    name,
    version: "1",
    adapter: "fake",
    native: false,
    open: () =>
      Promise.resolve({
        cold: timing(5),
        answers: [msPerRun],
        run(count) {
          log.push(`${name} ${count}`);
          return Promise.resolve(timing(count));
        },
        close: () => Promise.resolve(void log.push(`${name} closed`)),
      }),
    end: () => Promise.resolve(),
  };
}

Deno.test("a race fills its rounds, takes the wait off and moves the order on", async () => {
  const log: string[] = [];
  const task = { kind: "wait" } as const;
  const entries = [fake("slow", 40, log), fake("fast", 4, log)]
    .map((contestant) => ({ name: contestant.name, contestant, task }));
  const settings = { rounds: 3, targetMs: 80 };
  const results = await race(entries, settings, () => null, () => 10);
  assertEquals(results.map(({ count }) => count), [2, 20]);
  assertEquals(results.map(({ ms }) => ms), [[40, 40, 40], [4, 4, 4]]);
  assertEquals(results.map(({ cpuMs }) => cpuMs), [[80, 80, 80], [8, 8, 8]]);
  assertEquals(results.map(({ coldMs }) => coldMs), [210, 30]);
  assertEquals(results.map(({ rss }) => rss), [5, 20]);
  assertEquals(log.slice(0, 2), ["slow 1", "fast 1"]);
  const rounds = ["slow 2", "fast 20", "fast 20", "slow 2", "slow 2", "fast 20"];
  assertEquals(log.slice(2), [...rounds, "slow closed", "fast closed"]);
});

Deno.test("who answers wrongly is not timed, and says why", async () => {
  const log: string[] = [];
  const task = { kind: "wait" } as const;
  const entries = [fake("wrong", 40, log), fake("right", 4, log)]
    .map((contestant) => ({ name: contestant.name, contestant, task }));
  const judge = (_: unknown, [answer]: readonly number[]) => answer === 4 ? null : "off by 36";
  const [wrong, right] = await race(entries, { rounds: 2, targetMs: 1 }, judge, () => 0);
  assertEquals([wrong.problem, wrong.ms, wrong.cpuMs], ["off by 36", [], []]);
  assertEquals([right.problem, right.ms.length], [null, 2]);
  assertEquals(log.includes("wrong 1"), false);
  assert(log.includes("wrong closed"));
});

Deno.test("who cannot start, or breaks down on the way, is not timed any further", async () => {
  const broken = (name: string, at: "open" | "run"): Contestant => {
    const whole = fake(name, 4, []);
    return {
      ...whole,
      async open(task) {
        if (at === "open") throw new Error("too large\nfor this adapter");
        const open = await whole.open(task);
        let left = 2;
        return {
          ...open,
          run: (count) => left-- > 0 ? open.run(count) : Promise.reject(new Error("lost")),
        };
      },
    };
  };
  const contestants = [broken("never", "open"), broken("later", "run"), fake("sound", 4, [])];
  const entries = contestants.map((contestant) => ({
    name: contestant.name,
    contestant,
    task: { kind: "wait" } as const,
  }));
  const [never, later, sound] = await race(
    entries,
    { rounds: 3, targetMs: 1 },
    () => null,
    () => 0,
  );
  assertEquals([never.problem, never.ms], ["too large for this adapter", []]);
  assertEquals([later.problem, later.ms.length], ["lost", 1]);
  assertEquals([sound.problem, sound.ms.length], [null, 3]);
});

Deno.test("a wait longer than the run never makes it free", async () => {
  const contestant = fake("quick", 1, []);
  const entries = [{ name: "quick", contestant, task: { kind: "wait" } as const }];
  const [{ ms }] = await race(entries, { rounds: 1, targetMs: 1 }, () => null, () => 1000);
  assert(ms[0] > 0);
});
