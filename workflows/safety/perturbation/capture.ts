/**
 * The gradient of a loss with respect to a policy's input embeddings, which first-order attacks need.
 *
 * Reverse mode computes it on the way to the embedding matrix, as the gradient of the embedding's output; this tape remembers
 * that tensor by the name that the embedding gives it.
 */
import { Tape } from "../../../kernels/gpu/tape.ts";
import type { DType, Tensor } from "../../../kernels/gpu/tensor.ts";

/** A tape that knows the output of the first embedding recorded on it. */
export class EmbeddingTape extends Tape {
  #embedded: Tensor | null = null;

  /** As {@linkcode Tape.tensor}. */
  override tensor(name: string, shape: readonly number[], dtype: DType = "f32"): Tensor {
    const tensor = super.tensor(name, shape, dtype);
    if (name === "embedded") this.#embedded ??= tensor;
    return tensor;
  }

  /** d loss / d embedded, [tokens, width]; there once the backward pass is recorded. @throws when it is not. */
  get gradient(): Tensor {
    const gradient = this.#embedded?.grad;
    if (!gradient) {
      throw new Error(`tape ${this.name}: no embedding with a gradient was recorded`);
    }
    return gradient;
  }
}
