/**
 * Causal scaled dot-product attention (Vaswani et al., arXiv:1706.03762) with grouped queries (Ainslie et al.,
 * arXiv:2305.13245): query head h reads key/value head floor(h / (heads / kvHeads)).
 *
 * Token i of a row sees the keys starts[i] .. i of the same row; `starts` is 0 for an ordinary row and the
 * beginning of the token's own sequence in a packed one. A token whose start lies behind it (padding) sees nothing and
 * gets zeros.
 */
import { dot, type Numbers } from "./numbers.ts";
import { logSumExp } from "./softmax.ts";

/** Sizes of one attention call; tokens = rows * length. */
export interface AttentionShape {
  readonly rows: number;
  readonly length: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** What attention gives; backward recomputes the probabilities, a flash kernel takes them from `lse`. */
export interface AttentionOutput {
  /** [tokens, heads * headDim] */
  readonly out: Float64Array;
  /** log sum_j exp(score_ij), [tokens, heads] */
  readonly lse: Float64Array;
}

/** out_i = sum_j p_ij v_j with p_i = softmax_j(q_i k_j / sqrt(headDim)), j from starts[i] to i. */
export function attention(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  starts: Numbers,
  shape: AttentionShape,
): AttentionOutput {
  const { heads, headDim } = shape;
  const out = new Float64Array(q.length);
  const lse = new Float64Array(q.length / headDim);
  forEachQuery(shape, starts, (token, head, keys) => {
    const { probabilities, logSum } = attend(q, k, token, head, keys, shape);
    const target = headOf(out, token, head, heads, headDim);
    keys.tokens.forEach((key, j) => {
      const value = headOf(v, key, keys.head, shape.kvHeads, headDim);
      for (let d = 0; d < headDim; d++) target[d] += probabilities[j] * value[d];
    });
    lse[token * heads + head] = logSum;
  });
  return { out, lse };
}

/** d_q, d_k, d_v from d_out: with s the scaled scores, d_s_ij = p_ij (d_out_i v_j - sum_j' p_ij' d_out_i v_j'). */
export function attentionBackward(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  starts: Numbers,
  d_out: Float64Array,
  shape: AttentionShape,
): { d_q: Float64Array; d_k: Float64Array; d_v: Float64Array } {
  const { heads, kvHeads, headDim } = shape;
  const d_q = new Float64Array(q.length);
  const d_k = new Float64Array(k.length);
  const d_v = new Float64Array(v.length);
  forEachQuery(shape, starts, (token, head, keys) => {
    const { probabilities: p } = attend(q, k, token, head, keys, shape);
    const d = headOf(d_out, token, head, heads, headDim);
    const query = headOf(q, token, head, heads, headDim);
    const d_query = headOf(d_q, token, head, heads, headDim);
    const kvHead = (x: Float64Array, j: number) =>
      headOf(x, keys.tokens[j], keys.head, kvHeads, headDim);
    const d_p = p.map((_, j) => dot(d, kvHead(v, j)));
    const mean = dot(p, d_p);
    for (let j = 0; j < p.length; j++) {
      const d_score = p[j] * (d_p[j] - mean) / Math.sqrt(headDim);
      const [key, d_key, d_value] = [kvHead(k, j), kvHead(d_k, j), kvHead(d_v, j)];
      for (let c = 0; c < headDim; c++) {
        d_query[c] += d_score * key[c];
        d_key[c] += d_score * query[c];
        d_value[c] += p[j] * d[c];
      }
    }
  });
  return { d_q, d_k, d_v };
}

/** Cuts fused rows [q | k | v] into three matrices. */
export function splitQkv(
  qkv: Float64Array,
  shape: AttentionShape,
): { q: Float64Array; k: Float64Array; v: Float64Array } {
  const { tokens, query, kv, width } = fusedWidths(shape);
  const q = new Float64Array(tokens * query);
  const k = new Float64Array(tokens * kv);
  const v = new Float64Array(tokens * kv);
  for (let t = 0; t < tokens; t++) {
    const fused = qkv.subarray(t * width, (t + 1) * width);
    q.set(fused.subarray(0, query), t * query);
    k.set(fused.subarray(query, query + kv), t * kv);
    v.set(fused.subarray(query + kv), t * kv);
  }
  return { q, k, v };
}

/** The inverse of {@linkcode splitQkv}: one row [q | k | v] per token. */
export function joinQkv(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  shape: AttentionShape,
): Float64Array {
  const { tokens, query, kv, width } = fusedWidths(shape);
  const qkv = new Float64Array(tokens * width);
  for (let t = 0; t < tokens; t++) {
    qkv.set(q.subarray(t * query, (t + 1) * query), t * width);
    qkv.set(k.subarray(t * kv, (t + 1) * kv), t * width + query);
    qkv.set(v.subarray(t * kv, (t + 1) * kv), t * width + query + kv);
  }
  return qkv;
}

/** Visible keys of a query: token numbers in the whole batch, and the key/value head to read. */
interface Keys {
  readonly tokens: readonly number[];
  readonly head: number;
}

function forEachQuery(
  { rows, length, heads, kvHeads }: AttentionShape,
  starts: Numbers,
  visit: (token: number, head: number, keys: Keys) => void,
): void {
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < length; i++) {
      const token = row * length + i;
      const first = row * length + starts[token];
      const tokens = Array.from({ length: Math.max(0, token - first + 1) }, (_, j) => first + j);
      for (let head = 0; head < heads; head++) {
        visit(token, head, { tokens, head: Math.floor(head / (heads / kvHeads)) });
      }
    }
  }
}

/** p_ij over the visible keys j of one query. */
function attend(
  q: Float64Array,
  k: Float64Array,
  token: number,
  head: number,
  keys: Keys,
  { heads, kvHeads, headDim }: AttentionShape,
): { probabilities: Float64Array; logSum: number } {
  if (keys.tokens.length === 0) return { probabilities: new Float64Array(), logSum: -Infinity };
  const query = headOf(q, token, head, heads, headDim);
  const scores = Float64Array.from(
    keys.tokens,
    (key) => dot(query, headOf(k, key, keys.head, kvHeads, headDim)) / Math.sqrt(headDim),
  );
  const logSum = logSumExp(scores, scores.length)[0];
  return { probabilities: scores.map((s) => Math.exp(s - logSum)), logSum };
}

/** One head of one token of [tokens, heads * headDim], as a view. */
function headOf(
  x: Float64Array,
  token: number,
  head: number,
  heads: number,
  headDim: number,
): Float64Array {
  const start = (token * heads + head) * headDim;
  return x.subarray(start, start + headDim);
}

function fusedWidths(
  { rows, length, heads, kvHeads, headDim }: AttentionShape,
): { tokens: number; query: number; kv: number; width: number } {
  const [query, kv] = [heads * headDim, kvHeads * headDim];
  return { tokens: rows * length, query, kv, width: query + 2 * kv };
}
