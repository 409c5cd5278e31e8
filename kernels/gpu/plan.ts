/**
 * Buffer planning by lifetime: which transient tensors may share a buffer.
 *
 * Every tensor gets a whole slot (a buffer) rather than a range of one arena, because WebGPU forbids one
 * buffer to be read-only and writable in the same dispatch. The plan is a function of the recording alone, so runs repeat.
 */
import type { Place } from "./tensor.ts";

/** Use of a place by one operation. */
export interface Use {
  readonly place: Place;
  readonly write: boolean;
  readonly name: string;
}

/** The result: a slot number for each transient place, and of each slot its size and whether it is a texture. */
export interface SlotPlan {
  readonly slotOf: Map<Place, number>;
  readonly slotBytes: number[];
  readonly slotIsImage: boolean[];
}

/**
 * Assigns slots greedily in order of first use: the smallest free slot that fits, else the largest free slot grown.
 * Places in `kept` are never shared. Places that already have a buffer are left alone. Textures share with textures only.
 */
export function planSlots(uses: readonly (readonly Use[])[], kept: ReadonlySet<Place>): SlotPlan {
  const lastUse = new Map<Place, number>();
  uses.forEach((at, i) => at.forEach(({ place }) => lastUse.set(place, i)));
  const slotOf = new Map<Place, number>();
  const slotBytes: number[] = [];
  const slotIsImage: boolean[] = [];
  const free = { buffers: new Set<number>(), images: new Set<number>() };
  const freeLike = (place: Place) => place.image === undefined ? free.buffers : free.images;
  uses.forEach((at, i) => {
    for (const { place, write, name } of at) {
      if (place.buffer || place.image || slotOf.has(place)) continue;
      if (!write) throw new Error(`${name} is read before anything wrote it`);
      const among = freeLike(place);
      const slot = kept.has(place) ? slotBytes.length : pick(among, slotBytes, place.bytes);
      slotBytes[slot] = Math.max(slotBytes[slot] ?? 0, place.bytes);
      slotIsImage[slot] = place.image !== undefined;
      slotOf.set(place, slot);
      among.delete(slot);
    }
    for (const { place } of at) {
      const slot = slotOf.get(place);
      if (slot !== undefined && lastUse.get(place) === i && !kept.has(place)) {
        freeLike(place).add(slot);
      }
    }
  });
  return { slotOf, slotBytes, slotIsImage };
}

function pick(free: ReadonlySet<number>, sizes: readonly number[], bytes: number): number {
  let best = -1;
  for (const slot of free) {
    if (best < 0) best = slot;
    else if (sizes[slot] >= bytes) {
      if (sizes[best] < bytes || sizes[slot] < sizes[best]) best = slot;
    } else if (sizes[best] < bytes && sizes[slot] > sizes[best]) best = slot;
  }
  return best < 0 ? sizes.length : best;
}
