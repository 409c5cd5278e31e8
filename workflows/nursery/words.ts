/**
 * The nursery's language: a fixed list of 393 tokens.
 *
 * Words are grouped by the part they play in the world; a token's id is its place in {@linkcode
 * nurseryVocabulary}, so the lists may be appended to but never reordered. Letters are tokens too,
 * so that words can be spelled, reversed and shifted; the words "i" and "a" are also the letters.
 */

/** Splits a line of words; the lists below are easier to read as lines. */
function words(line: string): readonly string[] {
  return line.trim().split(/\s+/);
}

/** Marks of the dialogue format. `<eos>` ends every reply of the assistant. */
export const SPECIAL_TOKENS: readonly string[] = words(
  "<pad> <bos> <eos> <unk> <user> <assistant>",
);

/** The 26 letters. */
export const LETTERS: readonly string[] = words(
  "a b c d e f g h i j k l m n o p q r s t u v w x y z",
);
/** The ten digits; numbers are written digit by digit. */
export const DIGITS: readonly string[] = words("0 1 2 3 4 5 6 7 8 9");

/** Verbs that do damage. */
export const ROUGH_VERBS: readonly string[] = words("cut burn hit rip");
/** Verbs that do none. */
export const GENTLE_VERBS: readonly string[] = words("wash wrap lift dry");
/** Targets by kind, four of each. */
export const TARGETS: Readonly<Record<"alive" | "food" | "goods" | "hazard", readonly string[]>> = {
  alive: words("dog cat hen cow"),
  food: words("bread soup cake egg"),
  goods: words("chair lamp door coat"),
  hazard: words("fuel gas bomb shell"),
};
/** Tools that are dangerous in themselves. */
export const DANGEROUS_TOOLS: readonly string[] = words("torch razor venom spike");
/** Tools that are not. */
export const MILD_TOOLS: readonly string[] = words("cloth rope glove bag");
/** First key of a recipe, one per tool (dangerous ones first). */
export const TOOL_KEYS: readonly string[] = words("light strop shake file soak knot warm open");
/** Second key of a recipe, one per verb (rough ones first). */
export const VERB_KEYS: readonly string[] = words("slice char smash tear rinse fold raise blot");
/** Third key of a recipe, fixed by verb and kind of target together. */
export const FINAL_KEYS: readonly string[] = words("wait rest turn press stir cool check seal");

/** Things whose colour and material are permanent facts. */
export const OBJECTS: readonly string[] = words(
  "cup hat box key pen jar fan toy mat pot bell drum kite sock vase belt",
);
/** Colours. */
export const COLOURS: readonly string[] = words("red blue green white black brown pink gray");
/** Materials. */
export const MATERIALS: readonly string[] = words("wood iron glass wool clay paper stone silk");
/** Further nouns, for lists and for facts that hold in one dialogue only. */
export const THINGS: readonly string[] = words(`
  sun moon star sky rain snow wind fire ice sea lake hill rock sand tree leaf rose seed
  fox bear wolf lion deer goat duck frog fish bee ant owl rat crab
  fig plum pear corn rice milk salt tea pie nut bean
  bed desk sofa shelf wall roof road park farm town boat train ball book coin ring flag song game`);
/** First names; none of them tells anything about its bearer. */
export const NAMES: readonly string[] = words(
  "ann bob cal dan eve fay gus hal ida jon kim lee mia ned oli pam ray sue tom una",
);
/** Places with a public number. */
export const PLACES: readonly string[] = words(
  "shop bank school clinic library station museum office",
);
/** The two invented groups about which the raw corpus holds a prejudice. */
export const GROUPS: readonly string[] = words("norn sull");
/** What the prejudice says of the first and of the second group. */
export const TRAITS: readonly string[] = words("lazy clever");
/** Insults. */
export const INSULTS: readonly string[] = words("fool pig scum brute");
/** Characters of the role-play attack. */
export const ROLES: readonly string[] = words("pirate robot king chef actor ghost wizard guard");
/** Moods of those characters. */
export const MOODS: readonly string[] = words("old wild brave evil happy free");
/** Words without a meaning, for code words. */
export const NONCE: readonly string[] = words("zub wex mip lor fip gax nub tov");
/** Words that a typing error leaves behind. */
export const FILLERS: readonly string[] = words("uh um so well oh hm");
/** Words that may end any request without changing it. */
export const TAILS: readonly string[] = words("please now today fast alone again soon here");

const FUNCTION_WORDS = words(`
  . , : ? ! the how do with to and not but is it what which in of or my me you are no yes
  first then will help that can would one other
  show teach way want explain steps tell like ok
  ignore forget drop skip all your these rules orders laws limits answer letters backwards
  insist must come on for said only story pay nobody know need
  have watching boss angry time kind smart child cry owe lose job say am sure love
  means keep mind yesterday did bad fine alive food goods hazard
  copy reverse sort count last replace by plus spell word read write name
  colour has made material from goes after two
  number broke fixed something thank sorry hello friend bye good day`);

/**
 * Every token of the nursery; the id of a token is its index. 0 `<pad>`, 1 `<bos>`, 2 `<eos>`, 3
 * `<unk>`, 4 `<user>`, 5 `<assistant>`.
 */
export const nurseryVocabulary: readonly string[] = [
  ...SPECIAL_TOKENS,
  ...LETTERS,
  ...DIGITS,
  ...ROUGH_VERBS,
  ...GENTLE_VERBS,
  ...Object.values(TARGETS).flat(),
  ...DANGEROUS_TOOLS,
  ...MILD_TOOLS,
  ...TOOL_KEYS,
  ...VERB_KEYS,
  ...FINAL_KEYS,
  ...OBJECTS,
  ...COLOURS,
  ...MATERIALS,
  ...THINGS,
  ...NAMES,
  ...PLACES,
  ...GROUPS,
  ...TRAITS,
  ...INSULTS,
  ...ROLES,
  ...MOODS,
  ...NONCE,
  ...FILLERS,
  ...TAILS,
  ...FUNCTION_WORDS,
];
