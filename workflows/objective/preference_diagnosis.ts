/**
 * What the metrics of preference optimisation look like when something is wrong, and what to do about it.
 */
import type { PreferenceSettings } from "../../kernels/losses/preference.ts";

/** A loss within this of its value at the reference has not moved. */
const STUCK = 0.005;
/** Mean log-ratios beyond this many nats are far from any policy that the reference knows. */
const FAR = 50;
/** Share of pairs whose replies both fell from which on it is the rule. */
const MOST = 0.8;
/** Nats by which the chosen reply must have fallen for it to matter. */
const FALLEN = 5;

/**
 * Lines about mean metrics (`PREFERENCE_METRICS` by name) of some steps that are not the stage's first ones; empty where nothing is wrong.
 */
export function diagnosePreference(
  metrics: Readonly<Record<string, number>>,
  { loss, dpoBeta }: PreferenceSettings,
): string[] {
  const lines: string[] = [];
  const { log_ratio, both_fell, reward_chosen } = metrics;
  const logistic = loss === "sigmoid" || loss === "cdpo" || loss === "robust";
  if (logistic && Math.abs(metrics.loss - Math.LN2) < STUCK && log_ratio < 0.05) {
    lines.push(
      `the preference loss sits at ln 2 = 0.693 and the policy at its reference (mean log-ratio ${
        log_ratio.toFixed(3)
      } nats): ` +
        `raise learning_rate or weights.po, or see whether chosen and rejected replies differ`,
    );
  }
  if (!(log_ratio < FAR)) {
    lines.push(
      `the policy has left its reference (mean log-ratio ${
        log_ratio.toFixed(1)
      } nats a reply): lower learning_rate, or raise preference.beta (now ${dpoBeta}) or weights.vi`,
    );
  }
  const fallen = -reward_chosen / dpoBeta;
  if (both_fell > MOST && fallen > FALLEN) {
    lines.push(
      `both replies lose probability in ${
        Math.round(100 * both_fell)
      }% of the pairs, the chosen one ${fallen.toFixed(1)} nats: ` +
        `pairs are won while replies turn to garbage; raise weights.vi, which holds the chosen replies up`,
    );
  }
  return lines;
}
