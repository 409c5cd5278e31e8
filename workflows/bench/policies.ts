/**
 * The policies that are measured, and what their training consists of: three GPT-2s, their products, their operations.
 *
 * Shapes are read off the parameter list of a policy, so that what is measured is what training computes.
 */
import type { MatmulForm } from "../../kernels/matmul/matmul.ts";
import { checkConfig, parameterSpecs, type PolicyConfig } from "../../kernels/policy/config.ts";

/** A policy with the batch it trains on. */
export interface Sized {
  /** Short name in ids. */
  readonly size: string;
  /** The policy. */
  readonly config: PolicyConfig;
  /** Sequences of a batch. */
  readonly rows: number;
  /** Tokens of a sequence. */
  readonly length: number;
}

/** One matrix product of a training step. C is [m, n], k is summed over. */
export interface Product {
  /** The weight it belongs to, e.g. `mlp.up`; `head` for the vocabulary. */
  readonly weight: string;
  /** What it computes. */
  readonly pass: "forward" | "d_x" | "d_W";
  /** Which operand is transposed. */
  readonly form: MatmulForm;
  /** Rows of C. */
  readonly m: number;
  /** Columns of C. */
  readonly n: number;
  /** Summed over. */
  readonly k: number;
  /** How often a step computes it. */
  readonly times: number;
}

/** A GPT-2 of the given sizes. */
export function benchPolicy(
  size: { layers: number; width: number; heads: number; context: number; vocabSize: number },
): PolicyConfig {
  return checkConfig({
    ...size,
    family: "gpt2",
    kvHeads: size.heads,
    headDim: size.width / size.heads,
    mlpWidth: 4 * size.width,
    norm: "layernorm",
    normEps: 1e-5,
    activation: "gelu_tanh",
    positions: "learned",
    ropeTheta: 0,
    ropeDims: 0,
    parallelResidual: false,
    qkvBias: true,
    outBias: true,
    mlpBias: true,
    tiedHead: true,
    bosTokenId: null,
    eosTokenId: null,
    padTokenId: null,
  });
}

const tiny = { layers: 2, width: 64, heads: 4, context: 32, vocabSize: 128 };
const small = { layers: 4, width: 128, heads: 4, context: 128, vocabSize: 512 };
const medium = { layers: 6, width: 384, heads: 6, context: 256, vocabSize: 8192 };
const large = { layers: 12, width: 768, heads: 12, context: 1024, vocabSize: 50_257 };

/** For CI. */
export const TINY: Sized = { size: "tiny", config: benchPolicy(tiny), rows: 2, length: 32 };
/** 0.9 million parameters: trains on a laptop without a GPU. */
export const SMALL: Sized = { size: "small", config: benchPolicy(small), rows: 8, length: 128 };
/** 14 million parameters. */
export const MEDIUM: Sized = { size: "medium", config: benchPolicy(medium), rows: 4, length: 256 };
/** GPT-2 small, 124 million parameters, on one sequence. */
export const LARGE: Sized = { size: "large", config: benchPolicy(large), rows: 1, length: 128 };

/** All matrix products of a training step but those inside attention: y = x W^T, d_x = d_y W and d_W = d_y^T x of each weight. */
export function productsOf({ config, rows, length }: Sized): Product[] {
  const tokens = rows * length;
  const perLayer = parameterSpecs(config).flatMap(({ name, shape }) => {
    const inLayer = name.match(/^layers\.0\.(.*)\.weight$/);
    const head = name === (config.tiedHead ? "embed.weight" : "head.weight");
    if (shape.length !== 2 || !inLayer && !head) return [];
    return [{ weight: inLayer?.[1] ?? "head", shape, times: inLayer ? config.layers : 1 }];
  });
  return perLayer.flatMap(({ weight, shape: [out, inner], times }): Product[] => [
    { weight, times, pass: "forward", form: "nt", m: tokens, n: out, k: inner },
    { weight, times, pass: "d_x", form: "nn", m: tokens, n: inner, k: out },
    { weight, times, pass: "d_W", form: "tn", m: out, n: inner, k: tokens },
  ]);
}

/**
 * Operations of a training step by the usual count (Chowdhery et al. 2022, appendix B): 6 per weight of a matrix that
 * multiplies, and 12 layers width length for attention, for each token; the causal half is not taken off.
 */
export function stepFlops(
  { layers, width, mlpWidth, vocabSize }: PolicyConfig,
  tokens: number,
  length: number,
): number {
  const weights = layers * (4 * width * width + 2 * width * mlpWidth) + width * vocabSize;
  return tokens * (6 * weights + 12 * layers * width * length);
}
