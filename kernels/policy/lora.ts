/**
 * Low-rank adapters (LoRA): y += (alpha / r) B A dropout(x) beside a frozen weight.
 *
 * An adapter may cover only some rows of a weight, because queries, keys and values (and a SwiGLU's gate and up) are one
 * matrix here but separate modules in the files users have.
 */
import { InputError } from "../errors.ts";
import { matmul } from "../matmul/matmul.ts";
import type { Tape } from "../gpu/tape.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { dropout } from "../dropout/dropout.ts";
import { type ParameterSpec, parameterSpecs, type PolicyConfig } from "./config.ts";
import { type Padding, paddingsOf, type StoredSpec, storedSpec } from "./storage.ts";

/** One adapted weight, or some rows of it. */
export interface LoraTarget {
  /** Name of the adapter, unique in its policy; its parameters are `lora.NAME.A` [r, in] and `lora.NAME.B` [rows, r]. */
  readonly name: string;
  /** Internal name of the weight. */
  readonly parameter: string;
  /** First row and number of rows of the weight that it covers. */
  readonly rowStart: number;
  /** Rows of the parameter that are adapted. */
  readonly rowCount: number;
}

/** All adapters of a policy. */
export interface Lora {
  /** Rank of the update. */
  readonly rank: number;
  /** The update is scaled by `alpha / rank`. */
  readonly alpha: number;
  /** Dropout rate of the adapter's input. */
  readonly dropout: number;
  /** alpha / sqrt(r) instead of alpha / r (rsLoRA). */
  readonly rankStabilised?: boolean;
  /** The parameters that have an adapter. */
  readonly targets: readonly LoraTarget[];
}

/** Factor on B A. */
export function loraScale({ rank, alpha, rankStabilised }: Lora): number {
  return alpha / (rankStabilised ? Math.sqrt(rank) : rank);
}

/** The adapters' parameters. @throws {InputError} when a target does not exist or its rows are out of range. */
export function loraSpecs(config: PolicyConfig, lora: Lora | null): StoredSpec[] {
  if (!lora) return [];
  const weights = new Map(parameterSpecs(config).map((spec) => [spec.name, spec]));
  return lora.targets.flatMap((target) => {
    const weight = weights.get(target.parameter);
    if (!weight || weight.shape.length !== 2) {
      throw new InputError(
        `LoRA target ${target.name}: this policy has no weight ${target.parameter}`,
      );
    }
    const [rows, columns] = weight.shape;
    if (target.rowStart < 0 || target.rowCount < 1 || target.rowStart + target.rowCount > rows) {
      throw new InputError(
        `LoRA target ${target.name}: rows are outside ${target.parameter} [${rows}, ${columns}]`,
      );
    }
    const padding = paddingsOf(config, target.parameter);
    const a: ParameterSpec = { name: `lora.${target.name}.A`, shape: [lora.rank, columns] };
    const b: ParameterSpec = { name: `lora.${target.name}.B`, shape: [target.rowCount, lora.rank] };
    return [storedSpec(a, null, padding.columns), storedSpec(b, padding.rows, null)];
  });
}

/** Where a target's rows lie in the stored (padded) weight. */
export function storedRows(
  config: PolicyConfig,
  target: LoraTarget,
): { start: number; count: number } {
  const padding: Padding | null = paddingsOf(config, target.parameter).rows;
  const scale = padding ? padding.stored / padding.size : 1;
  return { start: target.rowStart * scale, count: target.rowCount * scale };
}

/** The parameters of one adapter on the GPU and where its result goes. */
export interface LoraBranch {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly columnStart: number;
  readonly columnCount: number;
  readonly scale: number;
  readonly dropout: number;
}

/**
 * Adds the adapter's result, scale B A dropout(x), to `columnCount` columns of `y` from `columnStart` on, for x [rows, in],
 * A [r, in], B [columnCount, r] and y [rows, out]; in place (`y` was just made by the frozen layer and has no other reader yet).
 */
export function addLora(
  tape: Tape,
  x: Tensor,
  y: Tensor,
  branch: LoraBranch,
  seed: Tensor | null,
  stream: number,
): void {
  const { a, b, columnStart, columnCount, scale } = branch;
  const input = seed && branch.dropout > 0 ? dropout(tape, x, branch.dropout, seed, stream) : x;
  const u = matmul(tape, "nt", input, a, { name: `${a.name}.u` });
  matmul(tape, "nt", u, b, {
    out: y,
    cColumn: columnStart,
    n: columnCount,
    accumulate: true,
    alpha: scale,
  });
  y.needsGrad = true;
  tape.onBackward(() => {
    const d_y = y.grad!;
    const window = { aColumn: columnStart, alpha: scale };
    const d_u = matmul(tape, "nn", d_y, b, { ...window, k: columnCount, name: `d_${a.name}.u` });
    if (b.needsGrad) {
      matmul(tape, "tn", d_y, u, { ...window, m: columnCount, out: b.grad!, accumulate: true });
    }
    if (a.needsGrad) matmul(tape, "tn", d_u, input, { out: a.grad!, accumulate: true });
    if (x.needsGrad) {
      input.grad = matmul(tape, "nn", d_u, a, { residual: input.grad, name: `d_${x.name}` });
    }
  });
}
