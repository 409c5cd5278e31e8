/**
 * Sweeps that come with the toolkit, as YAML texts to start from.
 */
import ablations from "./presets/ablations.yaml" with { type: "text" };
import lambda from "./presets/lambda.yaml" with { type: "text" };
import seeds from "./presets/seeds.yaml" with { type: "text" };

/** YAML text of each sweep by name. */
export const SWEEPS: Readonly<Record<string, string>> = { lambda, seeds, ablations };
