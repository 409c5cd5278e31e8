/**
 * What a verification finds: one check per quantity, gathered per case.
 */

/** One quantity against what it should be. */
export interface Check {
  /** What was compared, e.g. `logits`. */
  readonly quantity: string;
  /** The largest error found. */
  readonly worst: number;
  /** The largest error allowed. */
  readonly limit: number;
  /** Where the largest error was, when the quantity is a group of tensors. */
  readonly where?: string;
}

/** One case: its checks, and what it holds that this build has nothing to compare with. */
export interface CaseResult {
  /** The folder's name, the answer's id or the class of runs. */
  readonly id: string;
  /** Empty when nothing of the case is covered: then it neither passed nor failed. */
  readonly checks: readonly Check[];
  /** Names of quantities that were not compared. */
  readonly notCovered: readonly string[];
}

/** A case in one line: its check that is nearest to its limit, or farthest beyond. */
export interface CaseSummary {
  readonly id: string;
  readonly ok: boolean;
  readonly worst: number;
  readonly limit: number;
}

/** Whether a check holds; an error that is not a number does not. */
export function holds({ worst, limit }: Check): boolean {
  return worst <= limit;
}

/** Error in units of its limit. */
function strain({ worst, limit }: Check): number {
  return worst === 0 ? 0 : worst / limit;
}

/** The case in one line. @throws when it has no check. */
export function summarise({ id, checks }: CaseResult): CaseSummary {
  const worst = checks.reduce((a, b) => strain(b) > strain(a) ? b : a);
  // JSON knows no infinity, and null would compare as below every limit.
  const finite = Math.min(worst.worst, Number.MAX_VALUE);
  return { id, ok: checks.every(holds), worst: finite, limit: worst.limit };
}

/**
 * |got - want| / |want| in the L2 norm over the whole tensor; the absolute norm where `want` is
 * zero, infinite where anything is not finite or the lengths differ.
 */
export function relativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Infinity;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < want.length; i++) {
    difference += (got[i] - want[i]) ** 2;
    size += want[i] ** 2;
  }
  if (!Number.isFinite(difference + size)) return Infinity;
  return Math.sqrt(difference) / (size > 0 ? Math.sqrt(size) : 1);
}

/**
 * The largest relative error of single values; for series whose later values are much smaller than
 * the first.
 */
export function largestRelativeError(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < want.length; i++) worst = Math.max(worst, relativeError([got[i]], [want[i]]));
  return worst;
}

/** How many places of two sequences differ; the longer one's surplus counts as different. */
export function differences(got: ArrayLike<number>, want: ArrayLike<number>): number {
  let count = Math.abs(got.length - want.length);
  for (let i = 0; i < Math.min(got.length, want.length); i++) count += Number(got[i] !== want[i]);
  return count;
}

/** One check for a group of tensors: the worst of them. */
export function groupCheck(
  quantity: string,
  limit: number,
  errors: Iterable<readonly [where: string, error: number]>,
): Check {
  let worst = 0;
  let where: string | undefined;
  for (const [name, error] of errors) {
    if (where === undefined || !(error <= worst)) [worst, where] = [error, name];
  }
  if (where === undefined) throw new Error(`${quantity}: an empty group proves nothing`);
  return { quantity, worst, limit, where };
}
