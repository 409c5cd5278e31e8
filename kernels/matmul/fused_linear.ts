/**
 * A linear layer with its norm, activation and residual: in one launch for the few rows of a decoding step, else in several.
 */
import {
  type Activation,
  activation,
  ACTIVATION_FUNCTIONS,
  ACTIVATIONS,
} from "../activation/activation.ts";
import { defineKernel } from "../gpu/kernel.ts";
import type { Gpu } from "../gpu/device.ts";
import { linearGroups, type Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { InputError } from "../errors.ts";
import { norm } from "../norm/norm.ts";
import code from "./fused_linear.wgsl" with { type: "text" };
import { linear } from "./linear.ts";

const kernel = defineKernel("fused_linear", code, { FUNCTIONS: ACTIVATION_FUNCTIONS });

/**
 * Most rows that share a launch: each invocation walks all of a row for four results, so loads grow with rows, where the blocks of
 * products share them. Processor ms per token of a Llama of stories260K's sizes, one launch against several, on llvmpipe (2026-11-30, two
 * cores under heavy load, medians of 9 interleaved rounds of 32 tokens; launches in brackets; the replies are the same bits):
 *
 *     1 reply    5.8 [34]   8.7 [55]        2 replies   8.75 [34]   8.77 [55]
 */
const FEW = 1;

/** What surrounds the product. */
export interface FusedLinear {
  /** Norm of the input: RMSNorm where there is no bias. */
  readonly norm?: { readonly weight: Tensor; readonly bias: Tensor | null; readonly eps: number };
  /** Vector [out]. */
  readonly bias?: Tensor | null;
  /** Of the product plus bias; SwiGLU halves the columns. */
  readonly activation?: Activation;
  /** Added to the product plus bias; not with an activation. */
  readonly residual?: Tensor | null;
  /** Name of the result's tensor. */
  readonly name: string;
}

/**
 * y = act(norm(x) W^T + bias), or norm(x) W^T + bias + residual, for x [rows, in], W [out, in] and y [rows, out], or [rows, out / 2] with SwiGLU. Float32, no backward.
 * @throws {InputError} when a shape does not fit.
 */
export function fusedLinear(tape: Tape, x: Tensor, weight: Tensor, around: FusedLinear): Tensor {
  const { bias = null, activation: act = "identity", residual = null, name } = around;
  check(x, weight, around);
  if (!fits(tape.gpu, x, weight)) {
    const { norm: n } = around;
    const input = n ? norm(tape, x, n.weight, n.bias, n.eps) : x;
    const y = linear(tape, input, weight, { bias, residual, name });
    return act === "identity" ? y : activation(tape, y, act);
  }
  const swiglu = act === "swiglu";
  const outputs = swiglu ? weight.rows / 2 : weight.rows;
  const y = tape.tensor(name, [x.rows, outputs]);
  tape.dispatch({
    kernel,
    bindings: {
      x,
      weight,
      bias: bias ?? x,
      norm_weight: around.norm?.weight ?? x,
      norm_bias: around.norm?.bias ?? x,
      residual: residual ?? x,
      y,
    },
    uniforms: { rows: x.rows, columns: x.columns, outputs, eps: around.norm?.eps ?? 0 },
    overrides: {
      NORM: around.norm ? around.norm.bias ? 1 : 2 : 0,
      HAS_BIAS: Number(bias !== null),
      HAS_RESIDUAL: Number(residual !== null),
      ACTIVATION: ACTIVATIONS[act],
    },
    groups: linearGroups(x.rows * y.stride / 4, 8),
    loops: 3 * x.stride / 4,
    flops: 2 * x.rows * weight.rows * x.columns,
  });
  return y;
}

/** Software adapters only: a GPU's neighbouring invocations would load from rows of W that lie far apart. */
function fits({ info, device }: Gpu, x: Tensor, weight: Tensor): boolean {
  const bindable = weight.bytes <= device.limits.maxStorageBufferBindingSize;
  return info.software && x.rows <= FEW && weight.dtype === "f32" && x.dtype === "f32" && bindable;
}

function check(x: Tensor, weight: Tensor, around: FusedLinear): void {
  const { norm: n, bias, residual, activation: act, name } = around;
  const swiglu = act === "swiglu";
  const outputs = swiglu ? weight.rows / 2 : weight.rows;
  const has = (tensor: Tensor | null | undefined, columns: number) =>
    !tensor || tensor.columns === columns;
  const fit = weight.columns === x.columns && has(n?.weight, x.columns) &&
    has(n?.bias, x.columns) && has(bias, weight.rows) && has(residual, outputs) &&
    (!residual || residual.rows === x.rows);
  const alone = !residual || (act ?? "identity") === "identity";
  if (fit && alone && !(swiglu && weight.rows % 8 !== 0)) return;
  throw new InputError(
    `${name}: ${x.name} [${x.shape}], ${weight.name} [${weight.shape}] and what surrounds their product do not fit together`,
  );
}
