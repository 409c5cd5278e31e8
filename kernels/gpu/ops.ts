/**
 * What a tape records: launches, zeroed tensors, and tensors copied into textures.
 */
import type { Dispatch } from "./dispatch.ts";
import type { CompiledKernel } from "./kernel.ts";
import type { MirrorOp } from "./mirrors.ts";
import type { Use } from "./plan.ts";
import type { Tensor } from "./tensor.ts";
import { encodeCopy } from "./texture.ts";

/** A launch; what it needs on the device is made when the tape is compiled. */
export interface Step {
  readonly dispatch: Dispatch;
  compiled?: CompiledKernel;
  group?: GPUBindGroup;
}

/** One operation. */
export type Op = { readonly step: Step } | { readonly clear: Tensor } | MirrorOp;

/** The places an operation touches, in order. */
export function usesOf(op: Op): Use[] {
  if ("clear" in op) return [{ place: op.clear.place, write: true, name: op.clear.name }];
  if ("mirror" in op) {
    const { from, to } = op.mirror;
    const name = `mirror of ${to.name}`;
    return [{ place: from.place, write: false, name }, { place: to.place, write: true, name }];
  }
  const { kernel, bindings } = op.step.dispatch;
  return kernel.bindings.map(({ name, access }) => ({
    place: bindings[name].place,
    write: access === "read_write",
    name: `${bindings[name].name} in ${kernel.name}`,
  }));
}

/** Copies of tensors that lie outside a tape, and that nothing on it changes. */
export function constantsOf(ops: readonly Op[]): MirrorOp[] {
  const written = ops.flatMap(usesOf).flatMap(({ place, write }) => write ? [place] : []);
  const changed = new Set(written);
  return ops.filter((op): op is MirrorOp =>
    "mirror" in op && op.mirror.from.place.buffer !== null && !changed.has(op.mirror.from.place)
  );
}

/** Encodes what is not a launch. */
export function encodeTransfer(
  encoder: GPUCommandEncoder,
  op: Exclude<Op, { readonly step: Step }>,
): void {
  if ("clear" in op) {
    const { place, offset, bytes } = op.clear;
    encoder.clearBuffer(place.buffer!, offset, bytes);
    return;
  }
  const { from, to } = op.mirror;
  const source = { buffer: from.place.buffer!, offset: from.offset, bytes: to.place.bytes };
  encodeCopy(encoder, source, to.place.image!);
}
