/**
 * What a certificate needs of a policy: replies, and what each guard did on the way (INFANT Eq. 27).
 *
 * A reply passes three doors: the world model flags or passes the policy's proposal, the projection
 * replaces what was flagged, and the forbidden patterns have the last word on what would be said.
 */

/** One reply, and how it came about. */
export interface GuardedReply {
  /** What the policy itself proposed, a ~ pi_theta(. | h). */
  readonly proposal: string;
  /** Whether the world model judged the proposal unsafe: M_phi(h, a) is not in I. */
  readonly flagged: boolean;
  /** The projection of a flagged proposal; otherwise the proposal. */
  readonly projected: string;
  /** Whether a pattern matches the proposal. */
  readonly matched: boolean;
  /** What is said: `projected`, or what the patterns put in its place. */
  readonly reply: string;
}

/** A policy as a certificate sees it. `Prompt` is what it replies to. */
export interface CertifiedPolicy<Prompt> {
  /** One guarded reply to each prompt, in order. */
  reply(prompts: readonly Prompt[]): Promise<readonly GuardedReply[]>;
}

/** The forbidden patterns as a last filter: a reply that matches is replaced by `refusal`. */
export interface PatternFilter {
  /** Whether some pattern matches a reply. */
  matches(reply: string): boolean;
  /** What is said instead. */
  readonly refusal: string;
}

/** A policy that wears patterns and nothing else; null: not even those. */
export function behindPatterns<Prompt>(
  propose: (prompts: readonly Prompt[]) => Promise<readonly string[]>,
  filter: PatternFilter | null,
): CertifiedPolicy<Prompt> {
  return {
    async reply(prompts) {
      const proposals = await propose(prompts);
      return proposals.map((proposal) => {
        const matched = filter?.matches(proposal) ?? false;
        const reply = matched ? filter!.refusal : proposal;
        return { proposal, flagged: false, projected: proposal, matched, reply };
      });
    },
  };
}
