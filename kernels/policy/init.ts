/**
 * Random initial weights, the same for the same seed.
 *
 * Matrices are normal with the given standard deviation; the two projections that write into the residual stream are
 * divided by sqrt(2 layers) (GPT-2's rule), so that the stream's variance does not grow with depth. Narrow
 * models start wider than GPT-2's 0.02, see {@linkcode defaultInitStd}.
 */
import { parameterSpecs, type PolicyConfig, type PolicyWeights } from "./config.ts";

/** Standard deviation that suits a width: 0.6 / sqrt(width), a rule of thumb, and GPT-2's 0.02 from width 900 on. */
export function defaultInitStd(width: number): number {
  return Math.max(0.02, 0.6 / Math.sqrt(width));
}

/** Fresh weights for a configuration. */
export function initialWeights(config: PolicyConfig, seed: number, std?: number): PolicyWeights {
  const scale = std ?? defaultInitStd(config.width);
  const tensors = new Map<string, Float32Array>();
  parameterSpecs(config).forEach(({ name, shape }, i) => {
    const count = shape.reduce((a, b) => a * b, 1);
    if (shape.length === 1) {
      tensors.set(name, new Float32Array(count).fill(name.endsWith(".bias") ? 0 : 1));
      return;
    }
    const residual = /\.(attention\.out|mlp\.down)\.weight$/.test(name);
    const spread = residual ? scale / Math.sqrt(2 * config.layers) : scale;
    tensors.set(name, normalValues(count, spread, seed, i));
  });
  return { config, tensors };
}

/**
 * Independent normal values by Box and Muller's transform of a counter-based hash. The counter is hashed before it meets the
 * stream's key: keys that differ in few bits would otherwise hold each other's values in another order.
 */
export function normalValues(
  count: number,
  std: number,
  seed: number,
  stream: number,
): Float32Array {
  const values = new Float32Array(count);
  const base = hash(hash(hash(seed) ^ stream) ^ 0x51ed270b);
  for (let i = 0; i < count; i += 2) {
    const u = (hash(base ^ hash(i)) + 0.5) / 2 ** 32;
    const v = (hash(base ^ hash(i + 1)) + 0.5) / 2 ** 32;
    const radius = std * Math.sqrt(-2 * Math.log(u));
    values[i] = radius * Math.cos(2 * Math.PI * v);
    if (i + 1 < count) values[i + 1] = radius * Math.sin(2 * Math.PI * v);
  }
  return values;
}

/** PCG-RXS-M-XS of 32 bits (O'Neill 2014), the generator the shaders use too. */
function hash(x: number): number {
  const state = (Math.imul(x, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}
