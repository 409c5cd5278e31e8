/**
 * Dynamic loss scaling for float16 gradients (Micikevicius et al., arXiv:1710.03740), by the rules of PyTorch's `GradScaler`.
 *
 * The loss is multiplied by `scale` so that small gradients survive in float16; the optimizer divides again. A step
 * whose gradients overflowed is skipped on the GPU; the host learns of it later and lowers the scale.
 */
import { InputError } from "../errors.ts";

/** What a checkpoint must hold. */
export interface LossScalerState {
  /** What the loss is multiplied by. */
  readonly scale: number;
  /** Steps without overflow since the scale last changed. */
  readonly goodSteps: number;
}

/** Finds the largest scale that does not overflow. */
export class LossScaler {
  readonly #interval: number;
  #scale: number;
  #goodSteps: number;

  /** Starts at 2^16 and doubles after `interval` good steps in a row, as PyTorch does, or goes on from `state`. */
  constructor(state: LossScalerState = { scale: 65_536, goodSteps: 0 }, interval = 2000) {
    if (!(state.scale > 0 && Number.isFinite(state.scale))) {
      throw new InputError(`loss scale must be a positive number, found ${state.scale}`);
    }
    this.#interval = interval;
    this.#scale = state.scale;
    this.#goodSteps = state.goodSteps;
  }

  /** What the loss is multiplied by. */
  get scale(): number {
    return this.#scale;
  }

  /** What to store in a checkpoint. */
  get state(): LossScalerState {
    return { scale: this.#scale, goodSteps: this.#goodSteps };
  }

  /** Takes note of one finished step: halves the scale on overflow, doubles it after enough good steps. */
  update(overflow: boolean): void {
    if (overflow) {
      this.#scale /= 2;
      this.#goodSteps = 0;
      return;
    }
    this.#goodSteps++;
    if (this.#goodSteps < this.#interval) return;
    this.#goodSteps = 0;
    // float32 holds the scale on the GPU.
    if (this.#scale * 2 < 3.4e38) this.#scale *= 2;
  }
}
