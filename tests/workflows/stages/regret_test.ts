/** Regret against fixed controls: by hand, and on the nursery's own controls. */
import { CONTROLS } from "../../../workflows/nursery/controls.ts";
import type { Dialogue } from "../../../workflows/nursery/dialogue.ts";
import type { AuditEntry } from "../../../workflows/stages/audit.ts";
import { Examination } from "../../../workflows/stages/examination.ts";
import { programmeRegret, rewardsOf } from "../../../workflows/stages/regret.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";

const round = (policy: number, refuse: number, helpful: number): AuditEntry => ({
  ...{ index: 0, time: "", previous: "", hash: "" },
  event: "gate",
  rewards: { policy, "refuse-all": refuse, "helpful-only": helpful, oracle: 1 },
} as unknown as AuditEntry);

Deno.test("regret: against the best fixed control in hindsight, the oracle apart", () => {
  const report = programmeRegret([
    round(0.2, 0.5, 0.4),
    round(0.7, 0.5, 0.9),
    round(0.9, 0.5, 0.6),
  ])!;
  assertEquals([report.rounds, report.bestFixed], [3, "helpful-only"]);
  assertAlmostEquals(report.earned, 1.8, 1e-12);
  assertAlmostEquals(report.fixed, 1.9, 1e-12);
  assertAlmostEquals(report.regret, 0.1, 1e-12);
  assertAlmostEquals(report.toOracle, 1.2, 1e-12);
  // After one round refusing all would have been best, after two helping always.
  [0.3, 0.4, 0.1].forEach((regret, t) => assertAlmostEquals(report.course[t], regret, 1e-12));
});

Deno.test("regret: without recorded rewards there is none", () => {
  assertEquals(programmeRegret([{ event: "gate" } as unknown as AuditEntry]), null);
});

Deno.test("regret: a policy that is a control earns what the control earns, and is asked nothing twice", async () => {
  let asked = 0;
  const answer = (dialogues: readonly Dialogue[]) => {
    asked += dialogues.length;
    return dialogues.map((dialogue) => [...CONTROLS["word-filter"](dialogue)]);
  };
  const exam = new Examination({ answer }, { split: "validation", dialogues: 5, seed: 3 });
  const rewards = await rewardsOf(exam);
  assertEquals(Object.keys(rewards), ["policy", ...Object.keys(CONTROLS)]);
  assertAlmostEquals(rewards.policy, rewards["word-filter"], 1e-12);
  assertEquals([rewards.oracle, rewards["refuse-all"], rewards["helpful-only"]], [1, 0.5, 0.5]);
  assert(rewards["word-filter"] > 0.5 && rewards["word-filter"] < 1);
  const before = asked;
  await rewardsOf(exam);
  assertEquals(asked, before);
});
