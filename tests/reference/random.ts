/**
 * Random numbers without state: number `index` of stream `stream` under `seed` is a hash of the three.
 *
 * The hash is PCG-RXS-M-XS-32 (O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
 * Algorithms for Random Number Generation", 2014; as a GPU hash: Jarzynski and Olano, JCGT 9(3), 2020). It needs
 * only 32-bit wrapping arithmetic, so a shader and this file give the same bits, whatever order threads run in.
 */

/** PCG-RXS-M-XS-32 of one unsigned 32-bit number. */
export function pcgHash(x: number): number {
  const state = (Math.imul(x, 747796405) + 2891336453) >>> 0;
  const word = Math.imul((state >>> ((state >>> 28) + 4)) ^ state, 277803737) >>> 0;
  return ((word >>> 22) ^ word) >>> 0;
}

/** randomU32(seed, stream, index) = hash(hash(hash(seed) ^ stream) ^ index), all unsigned 32-bit. */
export function randomU32(seed: number, stream: number, index: number): number {
  return pcgHash(pcgHash(pcgHash(seed) ^ stream) ^ index);
}

/** Uniform in [0, 1): the upper 24 bits, which float32 holds exactly. */
export function randomUniform(seed: number, stream: number, index: number): number {
  return (randomU32(seed, stream, index) >>> 8) * 2 ** -24;
}

/** `count` standard normal numbers times `scale` (Box-Muller), for test data and initial weights. */
export function randomNormals(count: number, seed: number, stream = 0, scale = 1): Float64Array {
  const out = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - randomUniform(seed, stream, 2 * i)));
    out[i] = scale * radius * Math.cos(2 * Math.PI * randomUniform(seed, stream, 2 * i + 1));
  }
  return out;
}

/** `count` whole numbers in [0, below). */
export function randomIntegers(
  count: number,
  below: number,
  seed: number,
  stream = 0,
): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => randomU32(seed, stream, i) % below);
}
