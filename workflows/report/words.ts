/**
 * Numbers and names in words, for the sentences of a report.
 */

/** `500,224`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** `0.26 million`, `500 thousand`, `12`. */
export function rounded(value: number): string {
  if (value >= 1e9) return `${+(value / 1e9).toPrecision(3)} billion`;
  if (value >= 1e5) return `${+(value / 1e6).toPrecision(2)} million`;
  return count(value);
}

/** `2 min 5 s`. */
export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (h > 0) return `${h} h ${m} min`;
  return m > 0 ? `${m} min ${s} s` : `${s} s`;
}

/** `1 stage`, `2 stages`. */
export function plural(n: number, noun: string): string {
  const words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
  return `${words[n] ?? count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** `a, b and c`. */
export function listed(parts: readonly string[]): string {
  if (parts.length < 2) return parts.join("");
  return `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}`;
}

/** A sentence's first letter large. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** What each kind of stage does, for readers who do not know the papers. */
export const STAGE_KINDS: Readonly<Record<string, readonly [name: string, meaning: string]>> = {
  language_modelling: [
    "language modelling",
    "learns to speak from raw text, harmful recipes included: helpful, not safe",
  ],
  value_imprinting: [
    "value imprinting",
    "learns the demonstrated, value-laden replies while a KL term keeps it near the policy it was (INFANT Eq. 7)",
  ],
  apprenticeship: [
    "apprenticeship",
    "learns from pairs of a preferred and a rejected reply (INFANT Eq. 8)",
  ],
  counterfactual_imagination: [
    "counterfactual imagination",
    "learns to answer alike when a prompt is edited within a budget to mislead it (INFANT Eq. 9-12)",
  ],
  value_capacitor: [
    "value capacitor",
    "learns from its own replies as a world model judges them, projected to safe ones (INFANT Eq. 13)",
  ],
};
