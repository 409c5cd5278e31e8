/**
 * What a certificate needs of a policy: replies, and what each guard did on the way (INFANT Eq. 27).
 *
 * A guarded reply passes three doors: the policy proposes, the world model flags or passes, the
 * projection replaces what was flagged. The forbidden patterns come last and belong to the
 * certificate's runner, so that their coverage is measured on exactly what the other two let out.
 */

/** One reply, before the forbidden patterns. */
export interface GuardedReply {
  /** What the policy itself proposed, a ~ pi_theta(. | h). */
  readonly proposal: string;
  /** Whether the world model judged the proposal unsafe: M_phi(h, a) is not in I. */
  readonly flagged: boolean;
  /** What leaves the guards: the projection of a flagged proposal, otherwise the proposal. */
  readonly sent: string;
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

/** A policy without guards: everything it proposes is sent. */
export function unguarded<Prompt>(
  propose: (prompts: readonly Prompt[]) => Promise<readonly string[]>,
): CertifiedPolicy<Prompt> {
  return {
    async reply(prompts) {
      const proposals = await propose(prompts);
      return proposals.map((proposal) => ({ proposal, flagged: false, sent: proposal }));
    },
  };
}
