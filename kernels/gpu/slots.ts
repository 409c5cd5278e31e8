/**
 * The memory of a plan: a buffer or a texture for every slot, and its places told which is theirs.
 */
import type { Gpu } from "./device.ts";
import type { SlotPlan } from "./plan.ts";
import { createImage, type Image } from "./texture.ts";

/** What a tape owns and must free. */
export interface Slots {
  readonly buffers: GPUBuffer[];
  readonly images: Image[];
}

/**
 * Allocates a plan's slots and gives every place its own; labels begin with `name`.
 * @throws {InputError} when one is larger than the adapter allows.
 */
export function allocateSlots(gpu: Gpu, name: string, plan: SlotPlan): Slots {
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const buffers = new Map<number, GPUBuffer>();
  const images = new Map<number, Image>();
  plan.slotBytes.forEach((bytes, slot) => {
    const label = `${name} slot ${slot}`;
    if (plan.slotIsImage[slot]) images.set(slot, createImage(gpu, label, bytes));
    else buffers.set(slot, gpu.createBuffer(label, bytes, STORAGE | COPY_SRC | COPY_DST));
  });
  for (const [place, slot] of plan.slotOf) {
    if (plan.slotIsImage[slot]) place.image = images.get(slot)!;
    else place.buffer = buffers.get(slot)!;
  }
  return { buffers: [...buffers.values()], images: [...images.values()] };
}
