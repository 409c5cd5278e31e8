/**
 * The joint micro-batch: rows of several terms behind one another.
 */
import type { TokenBatch } from "../data/batch.ts";

/**
 * Batches of one length as one batch. Weights are those of the first part where `weighted`, and 0 for the rest: each term has
 * vectors of its own for what it learns from.
 */
export function joinBatches(parts: readonly TokenBatch[], weighted: boolean): TokenBatch {
  const [first] = parts;
  if (parts.length === 1 && weighted) return first;
  const { length } = first;
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const joined = (key: "ids" | "targets" | "positions" | "starts"): Uint32Array => {
    const values = new Uint32Array(rows * length);
    let at = 0;
    for (const part of parts) {
      values.set(part[key], at);
      at += part[key].length;
    }
    return values;
  };
  const behind = (weights: Float32Array | undefined): Float32Array => {
    const values = new Float32Array(rows * length);
    if (weighted && weights) values.set(weights);
    return values;
  };
  return {
    rows,
    length,
    ids: joined("ids"),
    targets: joined("targets"),
    weights: behind(first.weights),
    positions: joined("positions"),
    starts: joined("starts"),
    klWeights: behind(first.klWeights ?? first.weights),
  };
}
