/**
 * Buffer planning: no two tensors alive at once share a slot, kept ones never share, and no slot is wasted.
 */
import fc from "fast-check";
import { planSlots, type Use } from "../../../kernels/gpu/plan.ts";
import type { Place } from "../../../kernels/gpu/tensor.ts";
import { assert, assertEquals, assertThrows } from "../../assert.ts";

const read = (place: Place): Use => ({ place, write: false, name: "x in k" });
const write = (place: Place): Use => ({ place, write: true, name: "y in k" });
const place = (bytes = 16, image = false): Place =>
  image ? { buffer: null, image: null, bytes } : { buffer: null, bytes };

/** One operation: the size of what it makes, what it reads (counted back from the newest), whether it is kept. */
const operation = fc.record({
  bytes: fc.integer({ min: 1, max: 64 }).map((n) => 16 * n),
  reads: fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 4 }),
  kept: fc.boolean(),
  image: fc.boolean(),
});

/** A recording in which operation i makes place i from earlier ones. */
const recording = fc.array(operation, { minLength: 1, maxLength: 40 }).map((operations) => {
  const places = operations.map(({ bytes, image }) => place(bytes, image));
  const uses = operations.map(({ reads }, i) => [
    ...reads.filter((back) => back < i).map((back) => read(places[i - 1 - back])),
    write(places[i]),
  ]);
  const lifetimes = places.map((p, i) => ({
    first: i,
    last: uses.findLastIndex((at) => at.some((use) => use.place === p)),
  }));
  const kept = new Set(places.filter((_, i) => operations[i].kept));
  return { places, uses, lifetimes, kept };
});

Deno.test("places that live at the same time have different slots, large enough (property)", () => {
  fc.assert(fc.property(recording, ({ places, uses, lifetimes, kept }) => {
    const { slotOf, slotBytes } = planSlots(uses, kept);
    places.forEach((a, i) => {
      assert(slotBytes[slotOf.get(a)!] >= a.bytes, "slot too small");
      places.slice(0, i).forEach((b, j) => {
        const together = lifetimes[i].first <= lifetimes[j].last;
        if (together) assert(slotOf.get(a) !== slotOf.get(b), `places ${j} and ${i} overlap`);
      });
    });
  }));
});

Deno.test("kept places share with nothing, before or after (property)", () => {
  fc.assert(fc.property(recording, ({ places, uses, kept }) => {
    const { slotOf } = planSlots(uses, kept);
    for (const a of kept) {
      for (const b of places) assert(a === b || slotOf.get(a) !== slotOf.get(b));
    }
  }));
});

Deno.test("textures share with textures only, and slots say which they are (property)", () => {
  fc.assert(fc.property(recording, ({ places, uses, kept }) => {
    const { slotOf, slotIsImage } = planSlots(uses, kept);
    for (const p of places) assertEquals(slotIsImage[slotOf.get(p)!], p.image !== undefined);
  }));
});

Deno.test("there are as many shared slots as places alive at once (property)", () => {
  fc.assert(fc.property(recording, ({ uses, lifetimes, places, kept }) => {
    const { slotBytes } = planSlots(uses, kept);
    const most = (image: boolean) => {
      const shared = (p: Place) => !kept.has(p) && (p.image !== undefined) === image;
      return Math.max(
        ...uses.map((_, i) =>
          places.filter((p, j) => shared(p) && lifetimes[j].first <= i && i <= lifetimes[j].last)
            .length
        ),
      );
    };
    assertEquals(slotBytes.length, kept.size + most(false) + most(true));
  }));
});

Deno.test("the same recording gives the same plan (property)", () => {
  fc.assert(fc.property(recording, ({ places, uses, kept }) => {
    const [a, b] = [planSlots(uses, kept), planSlots(uses, kept)];
    assertEquals(a.slotBytes, b.slotBytes);
    assertEquals(places.map((p) => a.slotOf.get(p)), places.map((p) => b.slotOf.get(p)));
  }));
});

Deno.test("a chain needs two slots, whatever its length", () => {
  const chain = Array.from({ length: 9 }, () => place());
  const uses = chain.map((p, i) => i === 0 ? [write(p)] : [read(chain[i - 1]), write(p)]);
  assertEquals(planSlots(uses, new Set()).slotBytes, [16, 16]);
});

Deno.test("a free slot that fits is taken before one that must grow", () => {
  const [small, large, next] = [place(16), place(64), place(48)];
  const uses = [[write(small)], [write(large)], [write(next)]];
  const keepBoth = [[write(small)], [read(small), write(large)], [write(next)]];
  assertEquals(planSlots(uses, new Set()).slotBytes, [64]);
  const { slotOf, slotBytes } = planSlots(keepBoth, new Set());
  assertEquals(slotBytes, [16, 64]);
  assertEquals(slotOf.get(next), slotOf.get(large));
});

Deno.test("of the free slots that fit the smallest is taken", () => {
  const free = [64, 32, 128].map((bytes) => place(bytes));
  const last = place(24);
  const uses = [...free.map((p) => [write(p)]), free.map(read), [write(last)]];
  const { slotOf, slotBytes } = planSlots(uses, new Set());
  assertEquals(slotBytes, [64, 32, 128]);
  assertEquals(slotOf.get(last), slotOf.get(free[1]));
});

Deno.test("reading before writing is refused, naming the tensor", () => {
  const late = place();
  assertThrows(() => planSlots([[read(late)]], new Set()), Error, "x in k is read before");
  assertThrows(() => planSlots([[read(late), write(late)]], new Set()), Error, "read before");
  planSlots([[write(late), read(late)]], new Set());
});

Deno.test("places that have a buffer are left alone", () => {
  const persistent: Place = { buffer: {} as GPUBuffer, bytes: 16 };
  const { slotOf, slotBytes } = planSlots([[read(persistent), write(place())]], new Set());
  assertEquals([slotOf.has(persistent), slotBytes], [false, [16]]);
});
