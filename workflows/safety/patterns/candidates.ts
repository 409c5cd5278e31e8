/**
 * Candidates for new forbidden patterns, read off the texts that escaped the old ones.
 *
 * Three shapes, from narrow to wide: a run of tokens; two tokens with a bounded gap of any others
 * between them; one token with a gap and any of several others, which is what several gaps with a
 * common end have in common. Each is a regular expression over whole tokens.
 */

/** A proposed regular expression. */
export interface Candidate {
  /** In RE2's language. */
  readonly regex: string;
  /** Escapes that it matches, as indices. */
  readonly escapes: readonly number[];
  /** Harmless texts of the develop set that it matches. */
  readonly harmless: number;
}

/** What candidates must be like. */
export interface CandidateOptions {
  /** Longest run of tokens. */
  readonly maxTokens: number;
  /** Most tokens between the two ends of a gap. */
  readonly maxGap: number;
  /** Fewest escapes that a candidate matches. */
  readonly minSupport: number;
  /** Smallest share of escapes among all develop texts that it matches. */
  readonly minPrecision: number;
}

/** Fewest escapes behind each of the alternatives that are put together. */
const MEMBER_SUPPORT = 2;

const LEFT = String.raw`(?:^|[^\pL\pN])`;
const RIGHT = String.raw`(?:$|[^\pL\pN])`;
const BETWEEN = String.raw`[^\pL\pN]+`;

/** The tokens of a text: runs of letters and digits. */
export function tokensOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}]+/gu) ?? [];
}

function runRegex(tokens: readonly string[]): string {
  return LEFT + tokens.join(BETWEEN) + RIGHT;
}

function gapRegex(from: readonly string[], to: readonly string[], gap: number): string {
  const either = (tokens: readonly string[]) =>
    tokens.length === 1 ? tokens[0] : `(?:${tokens.join("|")})`;
  return `${LEFT}${either(from)}(?:${BETWEEN}[\\pL\\pN]+){0,${gap}}${BETWEEN}${either(to)}${RIGHT}`;
}

/** The texts in which a thing occurs, by kind of text. */
interface Occurrence {
  readonly escapes: Set<number>;
  readonly harmless: Set<number>;
}

type Index = Map<string, Occurrence>;

function note(index: Index, key: string, side: keyof Occurrence, text: number): void {
  let at = index.get(key);
  if (!at) index.set(key, at = { escapes: new Set(), harmless: new Set() });
  at[side].add(text);
}

/** Every run and every gap of a text, into the indices; ends of a gap are kept apart by a blank. */
function read(
  tokens: readonly string[],
  options: CandidateOptions,
  onRun: (key: string) => void,
  onGap: (key: string) => void,
): void {
  for (let i = 0; i < tokens.length; i++) {
    for (let n = 1; n <= options.maxTokens && i + n <= tokens.length; n++) {
      onRun(tokens.slice(i, i + n).join(" "));
    }
    const last = Math.min(tokens.length - 1, i + 1 + options.maxGap);
    for (let j = i + 1; j <= last; j++) onGap(`${tokens[i]} ${tokens[j]}`);
  }
}

function union(sets: Iterable<ReadonlySet<number>>): Set<number> {
  const all = new Set<number>();
  for (const set of sets) for (const one of set) all.add(one);
  return all;
}

/** Gaps with a common end as one candidate each. */
function merged(
  gaps: readonly (readonly [string, Occurrence])[],
  end: 0 | 1,
  maxGap: number,
): [string, Occurrence][] {
  const groups = Map.groupBy(gaps, ([key]) => key.split(" ")[end]);
  return [...groups].filter(([, group]) => group.length > 1).map(([common, group]) => {
    const others = group.map(([key]) => key.split(" ")[1 - end]).sort();
    const regex = end === 0
      ? gapRegex([common], others, maxGap)
      : gapRegex(others, [common], maxGap);
    return [regex, {
      escapes: union(group.map(([, { escapes }]) => escapes)),
      harmless: union(group.map(([, { harmless }]) => harmless)),
    }];
  });
}

/**
 * Candidates from escapes, none of which matches too many of the harmless texts, the widest first.
 * @param escapes Violations that no pattern matches, folded.
 * @param harmless Safe texts, folded; in the proportion in which they occur.
 */
export function proposeCandidates(
  escapes: readonly string[],
  harmless: readonly string[],
  options: CandidateOptions,
): Candidate[] {
  const { minPrecision, minSupport, maxGap } = options;
  const [runs, gaps]: [Index, Index] = [new Map(), new Map()];
  escapes.forEach((text, i) =>
    read(
      tokensOf(text),
      options,
      (key) => note(runs, key, "escapes", i),
      (key) => note(gaps, key, "escapes", i),
    )
  );
  harmless.forEach((text, i) =>
    read(
      tokensOf(text),
      options,
      (key) => runs.get(key)?.harmless.add(i),
      (key) => gaps.get(key)?.harmless.add(i),
    )
  );
  const precise = ([, { escapes, harmless }]: readonly [string, Occurrence]) =>
    escapes.size >= MEMBER_SUPPORT &&
    escapes.size >= minPrecision * (escapes.size + harmless.size);
  const preciseGaps = [...gaps].filter(precise);
  const all: [string, Occurrence][] = [
    ...[...runs].filter(precise).map(([key, at]): [string, Occurrence] => [
      runRegex(key.split(" ")),
      at,
    ]),
    ...preciseGaps.map(([key, at]): [string, Occurrence] => {
      const [from, to] = key.split(" ");
      return [gapRegex([from], [to], maxGap), at];
    }),
    ...merged(preciseGaps, 0, maxGap),
    ...merged(preciseGaps, 1, maxGap),
  ];
  return all
    .filter((one) => precise(one) && one[1].escapes.size >= minSupport)
    .map(([regex, at]) => ({ regex, escapes: [...at.escapes], harmless: at.harmless.size }))
    .sort((a, b) =>
      b.escapes.length - a.escapes.length || a.regex.length - b.regex.length ||
      (a.regex < b.regex ? -1 : 1)
    );
}
