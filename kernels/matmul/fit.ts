/**
 * Which shapes make a product, checked before anything reaches the GPU: a wrong one would give wrong numbers there, not an error.
 */
import { InputError } from "../errors.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { MatmulForm, MatmulOptions } from "./options.ts";

/** The sizes of op(A) op(B) or of the window of it that is asked for. @throws {InputError} when the inner sizes differ. */
export function sizes(
  form: MatmulForm,
  a: Tensor,
  b: Tensor,
  batch: number,
  options: MatmulOptions,
): { m: number; n: number; k: number } {
  const aRows = a.rows / batch;
  const bRows = b.rows / batch;
  const m = options.m ?? (form === "tn" ? a.columns : aRows);
  const n = options.n ?? (form === "nt" ? bRows : b.columns);
  const k = options.k ?? (form === "tn" ? aRows : a.columns);
  const inner = form === "nt" ? b.columns : bRows;
  if (k !== inner) {
    throw new InputError(
      `matmul ${form}: ${a.name} [${a.shape}] and ${b.name} [${b.shape}] differ in the inner size: ${k} and ${inner}`,
    );
  }
  return { m, n, k };
}

/**
 * Refuses what would silently read or write beside its window, or another vector than the one meant.
 * @throws {InputError} naming the tensor, what it must be and what it is.
 */
export function checkFit(
  form: MatmulForm,
  a: Tensor,
  b: Tensor,
  out: Tensor,
  { m, n, k }: { m: number; n: number; k: number },
  options: MatmulOptions,
): void {
  const { batch = 1, aColumn = 0, cColumn = 0, bias, residual, columnSums } = options;
  const [aRows, aWindow] = form === "tn" ? [k, m] : [m, k];
  const inWindow = (t: Tensor, start: number, width: number) =>
    start % 4 === 0 && start >= 0 &&
    (start + width === t.columns || (start + width < t.columns && width % 4 === 0));
  const wrong = (tensor: Tensor, expected: string) => {
    const { name, shape } = tensor;
    return new InputError(
      `matmul ${form} [${m}, ${n}]: ${name} must be ${expected}, is [${shape}]`,
    );
  };
  if (a.rows % batch !== 0 || a.rows !== batch * aRows || !inWindow(a, aColumn, aWindow)) {
    throw wrong(a, `[${batch * aRows}, ${aWindow}] or wider by fours (from column ${aColumn})`);
  }
  if (b.rows % batch !== 0 || n > (form === "nt" ? b.rows / batch : b.columns)) {
    throw wrong(b, `${batch} matrices with ${n} ${form === "nt" ? "rows" : "columns"}`);
  }
  if (out.rows < batch * m || !inWindow(out, cColumn, n)) {
    throw wrong(out, `[${batch * m}, ${n}] or wider by fours (from column ${cColumn})`);
  }
  if (bias && bias.columns !== n) throw wrong(bias, `a vector [${n}]`);
  if (residual && (residual.rows !== out.rows || residual.columns !== out.columns)) {
    throw wrong(residual, `[${out.shape}]`);
  }
  if (columnSums && (columnSums.columns !== m || batch > 1)) {
    throw wrong(columnSums, `a vector [${m}], without batch`);
  }
  if (options.activation === "swiglu") {
    throw new InputError("matmul: swiglu joins two columns and cannot be fused, use activation()");
  }
}
