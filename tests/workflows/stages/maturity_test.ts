/**
 * The maturity vector of the controls, environments and their mixtures, and what users may add.
 */
import { Random } from "../../../workflows/data/random.ts";
import { type Control, CONTROLS } from "../../../workflows/nursery/controls.ts";
import { REFUSAL } from "../../../workflows/nursery/dialogue.ts";
import { FAMILIES, type FamilyName } from "../../../workflows/nursery/families.ts";
import { rateOf } from "../../../workflows/nursery/score.ts";
import type { AuditEntry } from "../../../workflows/stages/audit.ts";
import {
  activeMixture,
  drawActive,
  environment,
  environmentDialogues,
  environments,
  measuredImpacts,
  registerEnvironment,
} from "../../../workflows/stages/environments.ts";
import { Examination, type Examinee } from "../../../workflows/stages/examination.ts";
import {
  measureMaturity,
  metricNames,
  registerMetric,
} from "../../../workflows/stages/maturity.ts";
import {
  attemptAt,
  attemptNames,
  degradation,
  referenceOf,
} from "../../../workflows/stages/programme.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../../assert.ts";

const OPTIONS = { split: "validation", dialogues: 10, seed: 3 } as const;
const ALL = metricNames();

const examinee = (control: Control): Examinee => ({ answer: (all) => all.map((d) => control(d)) });
const rates = async (control: Control) => {
  const { metrics, violations } = await measureMaturity(
    new Examination(examinee(control), OPTIONS),
    ALL,
  );
  const round = (all: Readonly<Record<string, { rate: number | null }>>) =>
    Object.fromEntries(Object.entries(all).map(([name, { rate }]) => [name, rate]));
  return { m: round(metrics), v: round(violations), metrics };
};

Deno.test("maturity: the controls get what they deserve, refusing everything included", async () => {
  const oracle = await rates(CONTROLS.oracle);
  assertEquals([...new Set(Object.values(oracle.m))], [1]);
  assertEquals(oracle.v, { E1: 0, E2: 0, E3: 0, E4: 0 });
  const helpful = await rates(CONTROLS["helpful-only"]);
  assertEquals(helpful.v, { E1: 1, E2: 1, E3: 1, E4: 1 });
  assertEquals([helpful.m.safety, helpful.m.safety_worst, helpful.m.helpfulness], [0, 0, 1]);
  // Never refusing fulfils the printed Eq. 3, and is not consistent refusal.
  assertEquals([helpful.m.refusal_consistency_eq3, helpful.m.refusal_consistency], [1, 0]);
  const refuses = await rates(CONTROLS["refuse-all"]);
  assertEquals([refuses.m.safety, refuses.m.refusal_consistency], [1, 1]);
  assertEquals([refuses.m.facts, refuses.m.instructions, refuses.m.helpfulness], [0, 0, 0]);
});

Deno.test("maturity: the worst family is named with an interval that allows for having looked at all", async () => {
  const spelled: Control = (d) =>
    d.family === "spell" ? CONTROLS["helpful-only"](d) : CONTROLS.oracle(d);
  const { metrics } = await rates(spelled);
  const { worst, rate } = metrics.safety;
  assertEquals([worst?.name, worst?.rate], ["spell", 0]);
  assert(rate! > 0.8 && metrics.safety_worst.rate === 0);
  assert(worst!.high > rateOf(worst!.k, worst!.n).high);
});

Deno.test("maturity: episodes feed the policy's own replies back", async () => {
  let longest = 0;
  // Refuses first, and gives in when it sees that it has refused before.
  const weak: Control = (d) => {
    const said = d.turns.slice(0, -1).filter(({ role }) => role === "assistant");
    longest = Math.max(longest, said.length);
    const refused = said.some(({ words }) => words.join(" ") === REFUSAL.join(" "));
    return refused ? CONTROLS["helpful-only"](d) : REFUSAL;
  };
  const { m } = await rates(weak);
  assertEquals(longest, 2);
  assert(m.refusal_consistency! < 0.1 && m.refusal_consistency_eq3! < 0.1);
});

Deno.test("maturity: all questions reach the policy in few goes, the same ones once", async () => {
  const goes: number[] = [];
  const counting: Examinee = {
    answer: (all) => {
      goes.push(all.length);
      return all.map((d) => CONTROLS.oracle(d));
    },
  };
  await measureMaturity(new Examination(counting, OPTIONS), ALL);
  assertEquals(goes.length, 3); // one for each turn of the episodes
  // facts 40, four environments 40 + 20 each, six tasks 10 each, first turns 20; then two more turns.
  assertEquals(goes, [40 + 160 + 80 + 60 + 20, 20, 20]);
});

Deno.test("maturity: a metric of one's own is measured; mistakes are told", async () => {
  registerMetric("test_politeness", async (exam) => {
    const judged = await exam.cell({ kind: "insult", family: "thankful" });
    return { k: judged.filter(({ verdict }) => verdict.correct).length, n: judged.length };
  });
  registerMetric("test_empty", () => ({ k: 0, n: 0 }));
  const exam = new Examination(examinee(CONTROLS.oracle), OPTIONS);
  const { metrics } = await measureMaturity(exam, ["test_politeness"]);
  assertEquals([metrics.test_politeness.k, metrics.test_politeness.n], [10, 10]);
  assertThrows(() => registerMetric("facts", () => ({ k: 1, n: 1 })), Error, "exists already");
  await assertRejects(() => measureMaturity(exam, ["fact"]), Error, 'did you mean "facts"');
  await assertRejects(() => measureMaturity(exam, ["test_empty"]), Error, "found 0, 0");
  const broken = new Examination({ answer: () => Promise.reject(new Error("no GPU")) }, OPTIONS);
  await assertRejects(() => measureMaturity(broken, ["facts"]), Error, "no GPU");
});

Deno.test("environments: each holds its families equally often, of the split that is asked for", () => {
  const wanted = { E1: 1, E2: 2, E3: 4, E4: 2 };
  for (const [name, families] of Object.entries(wanted)) {
    const options = { split: "validation", harmful: true, count: 24, seed: 1 } as const;
    const dialogues = environmentDialogues(environment(name), options);
    const counts = [...Map.groupBy(dialogues, ({ family }) => family).values()].map((d) =>
      d.length
    );
    assertEquals(counts, Array(families).fill(24 / families));
    assert(
      dialogues.every(({ split, truth }) =>
        split === "validation" && truth.type === "act" && truth.harmful
      ),
    );
    assert(
      dialogues.every(({ family, stage }) =>
        FAMILIES[family as FamilyName].seen && `E${stage}` === name
      ),
    );
  }
});

Deno.test("environments: a union has mixing weights, and requests follow them", () => {
  const weights = (stage: number, newest?: number) =>
    activeMixture(stage, newest).map(({ environment: e, weight }) => [e.name, weight]);
  assertEquals(weights(1, 0.25), [["E1", 1]]);
  assertEquals(weights(3), [["E1", 0.25], ["E2", 0.25], ["E3", 0.5]]);
  assertEquals(weights(9).map(([name]) => name), ["E1", "E2", "E3", "E4"]);
  const random = new Random(7);
  const drawn = Array.from({ length: 4000 }, () => drawActive(activeMixture(3), random, "train"));
  const share = drawn.filter(({ stage }) => stage === 3).length / drawn.length;
  assert(Math.abs(share - 0.5) < 0.03, `${share}`);
  assert(drawn.every(({ stage, split }) => stage <= 3 && split === "train"));
});

Deno.test("environments: one of one's own is drawn from and measured", async () => {
  registerEnvironment("test_e3", 3, (draw) => environment("E1").draw(draw));
  assertEquals(environments().map(({ name }) => name), ["E1", "E2", "E3", "test_e3", "E4"]);
  const exam = new Examination(examinee(CONTROLS["helpful-only"]), OPTIONS);
  assertEquals((await measureMaturity(exam, [])).violations.test_e3.rate, 1);
  assertThrows(
    () => registerEnvironment("E1", 1, (d) => environment("E2").draw(d)),
    Error,
    "exists",
  );
  assertThrows(() => environment("E9"), Error, "E1, E2, E3");
});

Deno.test("impacts: xi(s) is a difference of neighbours, with an interval that holds it", () => {
  const violations = { E1: rateOf(2, 160), E2: rateOf(8, 160), E3: rateOf(6, 160) };
  const [second, third] = measuredImpacts(violations);
  assertEquals([second.from, second.to, second.xi], ["E1", "E2", 8 / 160 - 2 / 160]);
  assert(third.xi < 0 && third.low < third.xi && third.xi < third.high);
});

/** A gate's entry with what the state of a programme is read from. */
const entry = (stage: string, action: string, k = 0) =>
  ({
    event: "gate",
    stage,
    action,
    metrics: { facts: rateOf(k, 9) },
    violations: { E1: rateOf(k, 100), E2: rateOf(2 * k, 100), E3: rateOf(2 * k, 100) },
  }) as unknown as AuditEntry;

Deno.test("programme: the newest attempt follows from the record", () => {
  const entries: AuditEntry[] = [{ event: "reference", metrics: { facts: rateOf(9, 9) } } as never];
  const at = () => {
    const { name, holds, last, entries: own } = attemptAt(entries, "imagine");
    return [name, holds, last, own.length];
  };
  assertEquals(at(), ["imagine", 0, null, 0]);
  entries.push(entry("imagine", "wait"), entry("imagine", "hold"), entry("imagine", "hold"));
  assertEquals(at(), ["imagine", 2, "hold", 3]);
  entries.push(entry("imagine", "roll_back"));
  assertEquals(at(), ["imagine_retry1", 0, null, 0]);
  assertEquals(referenceOf(entries)!.facts.k, 9);
  entries.push(entry("imagine_retry1", "promote", 7));
  assertEquals(at(), ["imagine_retry1", 0, "promote", 1]);
  assertEquals(referenceOf(entries)!.facts.k, 7);
  assertEquals(attemptNames("a", { max_rollbacks: 2 }), ["a", "a_retry1", "a_retry2"]);
  assertEquals(attemptNames("a", null), ["a"]);
});

Deno.test("programme: the cumulative bound starts after the first environment, and the truth stands beside it", () => {
  assertEquals(degradation([entry("one", "hold", 3)]), null);
  const report = degradation([entry("one", "promote", 5), entry("two", "promote", 1)])!;
  assertEquals(report.impacts.map(({ stage, from, to }) => [stage, from, to]), [[
    "one",
    "E1",
    "E2",
  ]]);
  assert(report.bound.bound > 0.05 + 0.05 && report.bound.clamped <= 1);
  assert(Math.abs(report.truth - (0.01 + 0.02 + 0.02) / 3) < 1e-12);
});
