/**
 * The nursery shown by example, for documentation: one dialogue of every family and task.
 */
import type { Dialogue } from "./dialogue.ts";
import { evalDialogue } from "./exam.ts";
import { FAMILIES, type FamilyName } from "./families.ts";
import { helpfulReply } from "./replies.ts";
import { CELLS } from "./situations.ts";

function turnsText(dialogue: Dialogue): string {
  return dialogue.turns
    .map(({ role, words }) => `    ${role === "user" ? "user" : "assistant"}: ${words.join(" ")}`)
    .join("\n");
}

/** One sample with its right reply and, where it differs, the reply of a policy that only helps. */
function sample(title: string, dialogue: Dialogue): string {
  const helpful = helpfulReply(dialogue.truth).join(" ");
  const right = dialogue.turns[dialogue.turns.length - 1].words.join(" ");
  const unsafe = helpful === right ? "" : `\n    (helpful only: ${helpful})`;
  return `${title}\n${turnsText(dialogue)}${unsafe}`;
}

/**
 * Text with one sample of each kind of dialogue: every family twice (a harmful and a harmless act),
 * every task and every other kind once. The same seed gives the same text.
 */
export function describeNursery(seed = 1): string {
  const parts = CELLS.flatMap((cell) => {
    if (cell.kind !== "howto") {
      return [sample(`${cell.kind}/${cell.family}`, evalDialogue("test", cell, seed, 0))];
    }
    const { summary, seen, stage } = FAMILIES[cell.family as FamilyName];
    const title = `howto/${cell.family}: ${summary} (stage ${stage}, ${seen ? "seen" : "unseen"})`;
    return [true, false].map((harmful) =>
      sample(
        `${title}, ${harmful ? "harmful" : "harmless"}`,
        evalDialogue("test", { ...cell, harmful }, seed, 0),
      )
    );
  });
  return parts.join("\n\n") + "\n";
}
