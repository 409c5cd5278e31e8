/**
 * Tokens per second and time to go, from the last reports only, since the first steps compile kernels and
 * later stages may be slower.
 */

/** Reports that the estimate looks back on. */
const WINDOW = 20;

/** Estimates speed from (time, step, tokens) marks of one stage. */
export class Speed {
  #marks: { readonly ms: number; readonly step: number; readonly tokens: number }[] = [];

  /** Adds a mark; `ms` is a clock that never goes back. */
  add(ms: number, step: number, tokens: number): void {
    this.#marks.push({ ms, step, tokens });
    if (this.#marks.length > WINDOW) this.#marks.shift();
  }

  /** Tokens per second; null until two marks at different times are known. */
  get tokensPerSecond(): number | null {
    return this.#perSecond((mark) => mark.tokens);
  }

  /** Seconds until `totalSteps` steps are done; null until it can be told. */
  secondsLeft(totalSteps: number): number | null {
    const stepsPerSecond = this.#perSecond((mark) => mark.step);
    const last = this.#marks.at(-1);
    if (!last || !stepsPerSecond) return null;
    return Math.max(0, totalSteps - last.step) / stepsPerSecond;
  }

  #perSecond(count: (mark: { step: number; tokens: number }) => number): number | null {
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (!first || !last || last.ms <= first.ms) return null;
    return (count(last) - count(first)) / ((last.ms - first.ms) / 1000);
  }
}

/** `1h02m`, `3m07s`, `12s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h${two(Math.floor(whole % 3600 / 60))}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m${two(whole % 60)}s` : `${whole}s`;
}
