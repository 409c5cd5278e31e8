/**
 * Colours and shapes of charts, and the two surfaces that they are seen on.
 *
 * The first five colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/); their orange and sky blue are too pale for a
 * white page, so a violet and a brown stand in their place. Every colour has a contrast of at least 3 to 1 with both surfaces
 * (WCAG 2.2, 1.4.11), and any two can be told apart with each kind of colour blindness; the tests measure both. Series differ in
 * shape as well.
 */

/** Colours of series in order; the first, a grey, is for what others are compared with. */
export const PALETTE: readonly string[] = [
  "#767676",
  "#D55E00",
  "#0072B2",
  "#009E73",
  "#CC79A7",
  "#A04DF5",
  "#964B2D",
];

/** Shapes of series, in the same order. */
export const SHAPES: readonly string[] = [
  "circle",
  "square",
  "triangle-up",
  "diamond",
  "cross",
  "triangle-down",
  "triangle-right",
];

/** What a chart lies on, and what is written on it. */
export interface Surface {
  /** Of the page. */
  readonly background: string;
  /** Of text. */
  readonly ink: string;
  /** Of axes and ticks. */
  readonly line: string;
  /** Of grid lines. */
  readonly grid: string;
  /** Of areas behind marks. */
  readonly shade: string;
}

/** A light page. */
export const LIGHT: Surface = {
  background: "#ffffff",
  ink: "#1f2328",
  line: "#8c959f",
  grid: "#e7eaee",
  shade: "#f1f3f5",
};

/** A dark page. */
export const DARK: Surface = {
  background: "#0d1117",
  ink: "#e6edf3",
  line: "#6e7681",
  grid: "#262c36",
  shade: "#161b22",
};

/** What a gate does, as a colour and a shape. */
export const ACTION_MARKS: Readonly<Record<string, { colour: string; shape: string }>> = {
  promote: { colour: PALETTE[3], shape: "triangle-up" },
  hold: { colour: PALETTE[2], shape: "square" },
  "roll back": { colour: PALETTE[1], shape: "triangle-down" },
  stop: { colour: PALETTE[5], shape: "cross" },
  wait: { colour: PALETTE[0], shape: "circle" },
  measured: { colour: PALETTE[0], shape: "diamond" },
};

/** `count` values, from the beginning again when there are not enough. */
export function cycled<T>(values: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => values[i % values.length]);
}
