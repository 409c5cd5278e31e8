/**
 * A policy as plain ONNX operators (opset 17): tokens in, logits out.
 *
 * Matrices are stored [in, out], as MatMul wants them. Queries, keys and values, and a SwiGLU's
 * gate and up projections, stay fused. Key and value heads are repeated by a Gather for
 * grouped-query attention.
 */
import type { PolicyConfig, PolicyWeights } from "../../../kernels/policy/config.ts";
import { Graph, type Value } from "./graph.ts";

/** What every layer needs. */
interface Context {
  readonly graph: Graph;
  readonly config: PolicyConfig;
  readonly tensors: ReadonlyMap<string, Float32Array>;
  /** Booleans that broadcast to [batch, heads, seq, seq]: this query may see this key. */
  readonly allowed: Value;
  /** Rows of the rotary tables, [seq, ropeDims / 2]; null with learned positions. */
  readonly rope: { readonly cos: Value; readonly sin: Value } | null;
}

/** [rows, columns] as [columns, rows]. */
function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j];
  }
  return out;
}

function vector(c: Context, name: string): Value {
  const data = c.tensors.get(name)!;
  return c.graph.weight(name, [data.length], data);
}

/** x W^T + b, [.., in] -> [.., out]. */
function linear(c: Context, name: string, x: Value, inner: number): Value {
  const { graph, tensors } = c;
  const weight = tensors.get(`${name}.weight`)!;
  const out = weight.length / inner;
  const matrix = graph.weight(`${name}.weight`, [inner, out], transpose(weight, out, inner));
  const product = graph.op("MatMul", [x, matrix]);
  return tensors.has(`${name}.bias`)
    ? graph.op("Add", [product, vector(c, `${name}.bias`)])
    : product;
}

function norm(c: Context, name: string, x: Value): Value {
  const { graph, config } = c;
  const weight = vector(c, `${name}.weight`);
  if (config.norm === "layernorm") {
    const inputs = [x, weight, vector(c, `${name}.bias`)];
    return graph.op("LayerNormalization", inputs, { axis: -1, epsilon: { float: config.normEps } });
  }
  const squares = graph.op("Mul", [x, x]);
  const mean = graph.op("ReduceMean", [squares], { axes: [-1], keepdims: 1 });
  const root = graph.op("Sqrt", [graph.op("Add", [mean, graph.scalar(config.normEps)])]);
  return graph.op("Mul", [graph.op("Div", [x, root]), weight]);
}

/** [batch, seq, heads * headDim] -> [batch, heads, seq, headDim]. */
function toHeads(c: Context, x: Value, heads: number): Value {
  const shape = c.graph.ints([0, 0, heads, c.config.headDim]);
  return c.graph.op("Transpose", [c.graph.op("Reshape", [x, shape])], { perm: [0, 2, 1, 3] });
}

/**
 * Rotary positions: (x1, x2) -> (x1 cos - x2 sin, x2 cos + x1 sin) on the first ropeDims
 * dimensions.
 */
function rotate(c: Context, x: Value): Value {
  const { graph, config: { headDim, ropeDims }, rope } = c;
  if (!rope) return x;
  const half = ropeDims / 2;
  const rest = headDim - ropeDims;
  const sizes = rest > 0 ? [half, half, rest] : [half, half];
  const [x1, x2, ...tail] = graph.split("Split", [x, graph.ints(sizes)], sizes.length, {
    axis: -1,
  });
  const times = (a: Value, b: Value) => graph.op("Mul", [a, b]);
  const first = graph.op("Sub", [times(x1, rope.cos), times(x2, rope.sin)]);
  const second = graph.op("Add", [times(x2, rope.cos), times(x1, rope.sin)]);
  return graph.op("Concat", [first, second, ...tail], { axis: -1 });
}

/** softmax(q k^T / sqrt(headDim)) v, causal, grouped queries. */
function attention(c: Context, layer: string, x: Value): Value {
  const { graph, config } = c;
  const { heads, kvHeads, headDim } = config;
  const qkv = linear(c, `${layer}.attention.qkv`, x, config.width);
  const sizes = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const [q, k, v] = graph.split("Split", [qkv, graph.ints(sizes)], 3, { axis: -1 });
  const repeat = (value: Value) => {
    if (heads === kvHeads) return value;
    const sources = Array.from({ length: heads }, (_, h) => Math.floor(h / (heads / kvHeads)));
    return graph.op("Gather", [value, graph.ints(sources)], { axis: 1 });
  };
  const queries = rotate(c, toHeads(c, q, heads));
  const keys = repeat(rotate(c, toHeads(c, k, kvHeads)));
  const scaled = graph.op("Mul", [queries, graph.scalar(1 / Math.sqrt(headDim))]);
  const scores = graph.op("MatMul", [
    scaled,
    graph.op("Transpose", [keys], { perm: [0, 1, 3, 2] }),
  ]);
  // Not -infinity: a row that may see nothing (left padding) stays finite.
  const masked = graph.op("Where", [c.allowed, scores, graph.scalar(-1e30)]);
  const weights = graph.op("Softmax", [masked], { axis: -1 });
  const mixed = graph.op("MatMul", [weights, repeat(toHeads(c, v, kvHeads))]);
  const joined = graph.op("Transpose", [mixed], { perm: [0, 2, 1, 3] });
  const flat = graph.op("Reshape", [joined, graph.ints([0, 0, heads * headDim])]);
  return linear(c, `${layer}.attention.out`, flat, heads * headDim);
}

/** The activation between the two projections of the MLP. */
function activate(c: Context, x: Value): Value {
  const { graph, config } = c;
  const mul = (a: Value, b: Value) => graph.op("Mul", [a, b]);
  const onePlus = (a: Value) => graph.op("Add", [a, graph.scalar(1)]);
  if (config.activation === "swiglu") {
    const sizes = graph.ints([config.mlpWidth, config.mlpWidth]);
    const [gate, up] = graph.split("Split", [x, sizes], 2, { axis: -1 });
    return mul(mul(gate, graph.op("Sigmoid", [gate])), up);
  }
  const half = mul(x, graph.scalar(0.5));
  if (config.activation === "gelu_erf") {
    return mul(half, onePlus(graph.op("Erf", [mul(x, graph.scalar(Math.SQRT1_2))])));
  }
  const cubic = mul(mul(x, mul(x, x)), graph.scalar(0.044715));
  const inner = mul(graph.op("Add", [x, cubic]), graph.scalar(Math.sqrt(2 / Math.PI)));
  return mul(half, onePlus(graph.op("Tanh", [inner])));
}

function mlp(c: Context, layer: string, x: Value): Value {
  const up = linear(c, `${layer}.mlp.up`, x, c.config.width);
  return linear(c, `${layer}.mlp.down`, activate(c, up), c.config.mlpWidth);
}

function layer(c: Context, index: number, x: Value): Value {
  const name = `layers.${index}`;
  const add = (a: Value, b: Value) => c.graph.op("Add", [a, b]);
  const attended = add(x, attention(c, name, norm(c, `${name}.norm1`, x)));
  // GPT-NeoX's MLP reads the layer's input, not the attention's result.
  const source = c.config.parallelResidual ? x : attended;
  return add(attended, mlp(c, name, norm(c, `${name}.norm2`, source)));
}

/** Which keys each query may see: [seq, seq], or [batch, 1, seq, seq] with a padding mask. */
function visibleKeys(graph: Graph, positions: Value, mask: Value | null): Value {
  const causal = graph.op("LessOrEqual", [
    positions,
    graph.op("Unsqueeze", [positions, graph.ints([1])]),
  ]);
  if (mask === null) return causal;
  const real = graph.op("Greater", [mask, graph.ints([0], [])]);
  return graph.op("And", [causal, graph.op("Unsqueeze", [real, graph.ints([1, 2])])]);
}

/** Rows of the cosine and sine tables, computed in float64 and rounded once. */
function ropeRows(graph: Graph, config: PolicyConfig, positions: Value): Context["rope"] {
  if (config.positions !== "rope") return null;
  const half = config.ropeDims / 2;
  const table = (name: string, f: (angle: number) => number) => {
    const data = new Float32Array(config.context * half).map((_, at) => {
      const [position, i] = [Math.floor(at / half), at % half];
      return f(position * config.ropeTheta ** (-2 * i / config.ropeDims));
    });
    return graph.op("Gather", [graph.weight(name, [config.context, half], data), positions]);
  };
  return { cos: table("rope.cos", Math.cos), sin: table("rope.sin", Math.sin) };
}

/** What the exported graph offers. */
export interface GraphOptions {
  /**
   * Add the input `attention_mask` (1 = real token); ONNX has no optional inputs. Default false.
   */
  readonly attentionMask?: boolean;
}

/**
 * The graph of a policy: `input_ids` int64 [batch, sequence], perhaps `attention_mask` int64 of the
 * same shape, and `logits` float32 [batch, sequence, vocabSize]. Positions count from 0.
 */
export function policyGraph(weights: PolicyWeights, options: GraphOptions = {}): Graph {
  const { config, tensors } = weights;
  const graph = new Graph();
  const sizes = ["batch", "sequence"];
  const ids = graph.input("input_ids", sizes);
  const mask = options.attentionMask ? graph.input("attention_mask", sizes) : null;
  const length = graph.op("Gather", [graph.op("Shape", [ids]), graph.ints([1], [])], { axis: 0 });
  const positions = graph.op("Range", [graph.ints([0], []), length, graph.ints([1], [])]);
  const allowed = visibleKeys(graph, positions, mask);
  const rope = ropeRows(graph, config, positions);
  const c: Context = { graph, config, tensors, allowed, rope };
  const embed = tensors.get("embed.weight")!;
  const table = graph.weight("embed.weight", [config.vocabSize, config.width], embed);
  let x = graph.op("Gather", [table, ids]);
  if (config.positions === "learned") {
    const rows = tensors.get("positions.weight")!;
    const places = graph.weight("positions.weight", [config.context, config.width], rows);
    x = graph.op("Add", [x, graph.op("Gather", [places, positions])]);
  }
  for (let i = 0; i < config.layers; i++) x = layer(c, i, x);
  const final = norm(c, "final_norm", x);
  const logits = config.tiedHead
    ? graph.op("MatMul", [final, graph.op("Transpose", [table], { perm: [1, 0] })])
    : linear(c, "head", final, config.width);
  graph.output("logits", logits, ["batch", "sequence", config.vocabSize]);
  return graph;
}
