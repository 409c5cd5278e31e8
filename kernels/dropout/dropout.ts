/**
 * Inverted dropout (Srivastava et al., 2014). The mask is a function of seed, stream and element, so nothing is stored
 * between forward and backward, and a resumed run drops the same elements.
 */
import { InputError } from "../errors.ts";
import { elementKernel } from "../gpu/elements.ts";
import type { Tape } from "../gpu/tape.ts";
import { type Tensor, unread } from "../gpu/tensor.ts";
import { RANDOM_FUNCTIONS } from "../random/random.ts";
import { flatLaunch } from "../reduce/flat.ts";
import code from "./dropout.wgsl" with { type: "text" };

const kernel = elementKernel("dropout", code, { RANDOM_FUNCTIONS });

/**
 * y = x / (1 - p) where randomUniform(seed[0], stream, element) >= p, else 0; x, y [rows, columns], element counted without row
 * padding. `seed` is u32 [4], persistent: the host writes another number into seed[0] before each step. `stream` tells apart
 * the places where one policy drops. With p = 0 the result is `x` itself.
 * @throws {InputError} when p is outside [0, 1) or `seed` is not u32 [4].
 */
export function dropout(tape: Tape, x: Tensor, p: number, seed: Tensor, stream: number): Tensor {
  if (!(p >= 0 && p < 1)) throw new InputError(`dropout: p must be in [0, 1), found ${p}`);
  if (seed.dtype !== "u32" || seed.stored !== 4) {
    throw new InputError(
      `dropout: ${seed.name} must be u32 [4], found ${seed.dtype} [${seed.shape}]`,
    );
  }
  if (p === 0) return x;
  const y = tape.tensor(`${x.name}.dropout`, x.shape);
  record(tape, x, p, seed, stream, null, y);
  y.needsGrad = x.needsGrad;
  if (x.needsGrad) {
    tape.onBackward(() => {
      const d_x = tape.tensor(`d_${x.name}`, x.shape);
      record(tape, y.grad!, p, seed, stream, x.grad, d_x);
      x.grad = d_x;
    });
  }
  return y;
}

function record(
  tape: Tape,
  x: Tensor,
  p: number,
  seed: Tensor,
  stream: number,
  previous: Tensor | null,
  y: Tensor,
): void {
  const columns4 = Math.ceil(x.columns / 4);
  const { chunk4, overrides, groups, loops } = flatLaunch(tape.gpu, x.rows * columns4);
  tape.dispatch({
    kernel: kernel({ X: x }),
    // Without a previous gradient the shader never looks at that binding.
    bindings: { x, seed, previous: previous ?? unread(x), y },
    uniforms: {
      rows: x.rows,
      columns: x.columns,
      columns4,
      chunk4,
      stream,
      p,
      factor: 1 / (1 - p),
    },
    overrides: { ...overrides, ACCUMULATE: Number(previous !== null) },
    groups,
    loops,
    flops: 2 * x.rows * x.columns,
  });
}
