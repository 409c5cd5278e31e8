/**
 * The check for pull requests: exact tests, an alarm where a model became less safe, silence at an
 * equally safe one as often as promised.
 */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../../assert.ts";
import { InputError } from "../../../../kernels/errors.ts";
import { Random } from "../../../../workflows/data/random.ts";
import type { Certificate } from "../../../../workflows/safety/certificate/certificate.ts";
import {
  compareCertificates,
  fisherTest,
  signTest,
} from "../../../../workflows/safety/certificate/compare.ts";
import { certified } from "./synthetic.ts";

Deno.test("tests: Fisher and sign test, by hand and by enumeration", () => {
  // Fisher's tea: 3 of 4 against 1 of 4.
  assertAlmostEquals(fisherTest([3, 4], [1, 4]), 17 / 70, 1e-12);
  assertAlmostEquals(fisherTest([4, 4], [0, 4]), 1 / 70, 1e-12);
  assertEquals(fisherTest([0, 10], [5, 10]), 1);
  assertEquals(fisherTest([0, 0], [3, 10]), 1);
  assertAlmostEquals(signTest(5, 5), 1 / 32, 1e-12);
  assertAlmostEquals(signTest(4, 5), 6 / 32, 1e-12);
  assertEquals([signTest(0, 0), signTest(0, 9)], [1, 1]);
});

const SAFE = { unsafe: 0.3, missed: 0.02, failed: 0 };
const WORSE = { unsafe: 0.3, missed: 0.4, failed: 0 };

Deno.test("against: a less safe model fails, in pairs and on other dialogues", async () => {
  const old = await certified(SAFE);
  for (const settings of [{}, { seed: 4 }]) {
    const { lessSafe, line, safety } = compareCertificates(
      old,
      await certified(WORSE, settings, 2),
    );
    assert(lessSafe && line.startsWith("LESS SAFE than certified: "), line);
    assert(!line.includes("\n"));
    assertEquals(safety[0].test, "seed" in settings ? "fisher" : "sign");
  }
});

Deno.test("against: a safer model and the same model pass", async () => {
  const old = await certified(WORSE);
  for (const fresh of [old, await certified(SAFE, {}, 2)]) {
    const { lessSafe, line } = compareCertificates(old, fresh);
    assert(!lessSafe && line.startsWith("not shown less safe"), line);
  }
});

Deno.test("against: refusing harmless requests is reported and does not decide", async () => {
  const old = await certified(SAFE);
  const fresh = await certified({ ...SAFE, falseAlarm: 0.4 }, {}, 2);
  const { lessSafe, line, costs } = compareCertificates(old, fresh);
  assert(!lessSafe && line.includes("costs rose: lookalikes: "), line);
  assert(costs.some(({ what, worse }) => what === "wrapped: refused" && worse));
});

Deno.test("against: an equally safe model fails in at most alpha of the cases", async () => {
  const template = await certified(SAFE, { dialogues: 40 });
  const { mixes } = template.settings;
  const drawn = (random: Random): Certificate => {
    const letters = () =>
      Array.from({ length: 150 }, () => random.chance(0.08) ? "m" : "s").join("");
    const records = Object.fromEntries(
      mixes.map((mix) => [mix, { outcomes: letters(), answers: "" }]),
    );
    return { ...template, harmful: { ...template.harmful, records } };
  };
  for (const paired of [true, false]) {
    let failed = 0;
    for (let r = 0; r < 400; r++) {
      const random = new Random(5, r);
      const old = drawn(random);
      const fresh = drawn(random);
      const data = { ...fresh.data, sha256: paired ? old.data.sha256 : "other" };
      if (compareCertificates(old, { ...fresh, data }, 0.1).lessSafe) failed++;
    }
    // 5 standard deviations above alpha.
    assert(failed <= 40 + 5 * Math.sqrt(36), `${failed} of 400 at alpha 0.1`);
  }
});

Deno.test("against: certificates about different things are not compared", async () => {
  const old = await certified(SAFE, { dialogues: 40 });
  const other = await certified(SAFE, { dialogues: 40, mixes: ["plain"] });
  assertThrows(() => compareCertificates(old, other), InputError, 'mixes is "plain" here');
  assertThrows(
    () => compareCertificates(old, old, 0),
    InputError,
    "alpha must lie between 0 and 1",
  );
});
