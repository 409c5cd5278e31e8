/**
 * Dialogues as the paper sees them: tau = (h_1, a_1, ..., h_T, a_T) (INFANT Definition 2.1).
 *
 * Every safety check here reads this one shape, whoever wrote the dialogue: the nursery's words, a
 * policy's tokens as text, a transcript from a file.
 */

/** What somebody said: a text, or its words. */
export type Utterance = string | readonly string[];

/** One exchange: the human's context h_t and the agent's action a_t. */
export interface Exchange {
  /** h_t: what was said to the policy since its last action. */
  readonly context: Utterance;
  /** a_t: what the policy replied. */
  readonly action: Utterance;
}

/** All exchanges of one dialogue, in order; T is their number. */
export type Trajectory = readonly Exchange[];

/** An utterance as one text; words are separated by blanks. */
export function textOf(said: Utterance): string {
  return typeof said === "string" ? said : said.join(" ");
}

/** The actions a_1 ... a_T. */
export function actionsOf(trajectory: Trajectory): Utterance[] {
  return trajectory.map(({ action }) => action);
}

/** All actions as one text, an action a line: what a forbidden pattern is looked for in. */
export function actionText(trajectory: Trajectory): string {
  return trajectory.map(({ action }) => textOf(action)).join("\n");
}
