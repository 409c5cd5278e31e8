/**
 * Configurations that come with the toolkit, as YAML texts, so that they read as an example to start from.
 */
import hh from "./presets/hh.yaml" with { type: "text" };
import hhImprint from "./presets/hh-imprint.yaml" with { type: "text" };
import nurseryFull from "./presets/nursery-full.yaml" with { type: "text" };
import nurseryImprint from "./presets/nursery-imprint.yaml" with { type: "text" };
import nursery from "./presets/nursery.yaml" with { type: "text" };
import stories from "./presets/stories.yaml" with { type: "text" };

/** The preset of `deno task train` without arguments. */
export const DEFAULT_PRESET = "nursery";

/** YAML text of each preset by name. */
export const PRESETS: Readonly<Record<string, string>> = {
  nursery,
  "nursery-full": nurseryFull,
  "nursery-imprint": nurseryImprint,
  stories,
  "hh-imprint": hhImprint,
  hh,
};
