/**
 * Copies of tensors in textures, made once until the tensor changes; see `texture.ts`.
 */
import { type Place, Tensor } from "./tensor.ts";

/** A tensor copied into a texture. */
export interface MirrorOp {
  /** What is copied, and where it then lies. */
  readonly mirror: { readonly from: Tensor; readonly to: Tensor };
}

/** Bytes of copies that may be kept for later; see {@linkcode Mirrors}. */
export const KEPT_BYTES = 2 ** 28;

/** The copies of a recording that are up to date, so that none is made twice. */
export class Mirrors {
  readonly #made = new Map<Place, MirrorOp["mirror"][]>();

  /** The tensor in a texture; `append` hears of the copy where it has yet to be made. */
  of(tensor: Tensor, append: (op: MirrorOp) => void): Tensor {
    const { name, shape, dtype, offset, bytes } = tensor;
    const made = this.#made.get(tensor.place) ?? [];
    const same = made.find(({ from }) => from.offset === offset && from.bytes === bytes);
    if (same) return new Tensor(name, shape, dtype, same.to.place);
    const place = { buffer: null, image: null, bytes: Math.ceil(bytes / 16) * 16 };
    const mirror = { from: tensor, to: new Tensor(name, shape, dtype, place) };
    append({ mirror });
    this.#made.set(tensor.place, [...made, mirror]);
    return mirror.to;
  }

  /** What lay there has changed. */
  changed(place: Place): void {
    this.#made.delete(place);
  }

  /** Forgets all where there are more than {@linkcode KEPT_BYTES}: kept any longer, they would take much memory. */
  forgetMany(): void {
    if (bytesOf([...this.#made.values()].flat()) > KEPT_BYTES) this.#made.clear();
  }
}

/** Bytes that copies take. */
export function bytesOf(mirrors: readonly MirrorOp["mirror"][]): number {
  return mirrors.reduce((sum, { to }) => sum + to.place.bytes, 0);
}
