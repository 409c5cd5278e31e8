/**
 * D_act is a metric in [0, 1]; the projection lies in A_safe, is nearest, and breaks ties by place.
 */
import fc from "fast-check";
import { InputError } from "../../../../kernels/errors.ts";
import { actionDistance, project } from "../../../../workflows/safety/capacitor/actions.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../../assert.ts";

const action = fc.array(fc.nat(5), { maxLength: 7 });
const safeSet = fc.array(action, { minLength: 1, maxLength: 5 });

Deno.test("D_act: values by hand", () => {
  assertEquals(actionDistance([], []), 0);
  assertEquals(actionDistance([1, 2], []), 1);
  assertEquals(actionDistance([1, 2, 3], [1, 2, 3]), 0);
  assertAlmostEquals(actionDistance([1, 2, 3], [1, 9, 3]), 2 / 7, 1e-15); // one replaced
  assertAlmostEquals(actionDistance([1, 2, 3], [1, 3]), 2 / 6, 1e-15); // one deleted
  assertAlmostEquals(actionDistance([1, 2], [3, 4]), 4 / 6, 1e-15); // nothing in common
  assertAlmostEquals(actionDistance([70_000], [70_001]), 2 / 3, 1e-15); // ids beyond 16 bits
});

Deno.test("D_act: a metric with values in [0, 1]", () => {
  fc.assert(fc.property(action, action, action, (a, b, c) => {
    const [ab, bc, ac] = [actionDistance(a, b), actionDistance(b, c), actionDistance(a, c)];
    assert(ab >= 0 && ab <= 1);
    assertEquals(ab, actionDistance(b, a));
    assertEquals(ab === 0, a.join() === b.join());
    assert(ac <= ab + bc + 1e-12, `${ac} > ${ab} + ${bc}`);
  }));
});

Deno.test("projection: in A_safe, nearest, first of equals", () => {
  fc.assert(fc.property(action, safeSet, (a, safe) => {
    const { action: nearest, index, distance } = project(a, safe);
    assertEquals(nearest, safe[index]);
    assertEquals(distance, actionDistance(a, nearest));
    safe.forEach((other, i) => {
      const d = actionDistance(a, other);
      assert(i < index ? d > distance : d >= distance);
    });
  }));
});

Deno.test("projection: a safe action stays, projecting twice changes nothing, more safe actions never lie farther", () => {
  fc.assert(fc.property(action, safeSet, action, (a, safe, more) => {
    const projected = project(a, safe);
    assertEquals(project(projected.action, safe).distance, 0);
    assert(project(a, [...safe, more]).distance <= projected.distance);
  }));
});

Deno.test("projection: of two equally near actions the first is taken, whichever it is", () => {
  const [left, right] = [[1, 2, 3, 9], [9, 2, 3, 4]];
  assertEquals(project([1, 2, 3, 4], [left, right]).action, left);
  assertEquals(project([1, 2, 3, 4], [right, left]).action, right);
});

Deno.test("projection: an empty set of safe actions is refused", () => {
  assertThrows(() => project([1], []), InputError, "empty");
});
