/**
 * Known answers on theory, statistics and fronts: every case passes, and no expected number can be
 * changed without a failure.
 */
import { kindOf, readAnswers, verifyAnswer } from "../../../workflows/verify/answers.ts";
import { holds } from "../../../workflows/verify/result.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { InputError } from "../../../kernels/errors.ts";
import { sharedTest } from "../../shared.ts";

const OWN = new URL("../../golden/theory.json", import.meta.url).pathname;

/** A value with one of its leaves changed, for each leaf. */
function* spoilt(value: unknown): Generator<unknown> {
  if (typeof value === "number") yield value + 0.1 * Math.max(1, Math.abs(value));
  else if (typeof value === "boolean") yield !value;
  else if (typeof value === "string") yield `${value}?`;
  else if (value === null) yield 0;
  else if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      for (const wrong of spoilt(item)) yield value.with(i, wrong);
    }
    yield [...value, 0];
  } else {
    for (const [key, item] of Object.entries(value as object)) {
      for (const wrong of spoilt(item)) yield { ...(value as object), [key]: wrong };
    }
  }
}

Deno.test("known answers: every case of theory, statistics and fronts passes", async () => {
  for (const answer of await readAnswers(OWN)) {
    const { id, checks, notCovered } = await verifyAnswer(answer);
    assertEquals(notCovered, [], id);
    for (const check of checks) assert(holds(check), `${id} ${check.quantity}: ${check.worst}`);
  }
});

Deno.test("known answers: an expected value that is off fails", async () => {
  let tried = 0;
  const seen = new Set<string>();
  for (const answer of await readAnswers(OWN)) {
    // One case a kind: solving is what takes time.
    if (seen.has(kindOf(answer))) continue;
    seen.add(kindOf(answer));
    for (const expected of spoilt(answer.expected)) {
      const { id, checks } = await verifyAnswer({
        ...answer,
        expected: expected as typeof answer.expected,
      });
      assert(!checks.every(holds), `${id} passes with ${JSON.stringify(expected)}`);
      tried++;
    }
  }
  assert(tried > 300, `${tried} values`);
});

Deno.test("known answers: inputs of a wrong shape are refused, case and key named", async () => {
  for (const answer of await readAnswers(OWN)) {
    const [key] = Object.keys(answer.inputs);
    if (["model", "row"].includes(key)) continue; // names for readers
    const odd = { ...answer, inputs: { ...answer.inputs, [key]: { what: "is this" } } };
    await assertRejects(() => verifyAnswer(odd), InputError, `${answer.id}: inputs.${key}`);
  }
});

sharedTest("known answers: nothing of INFANT or of statistics is left out", [
  "golden",
  "theory.json",
], async (path) => {
  const answers = (await readAnswers(path)).filter(({ id }) => /^(infant|stat)\./.test(id));
  assert(answers.length > 100);
  for (const answer of answers) {
    const { id, checks, notCovered } = await verifyAnswer(answer);
    assertEquals([id, checks.every(holds), notCovered], [id, true, []]);
  }
});
