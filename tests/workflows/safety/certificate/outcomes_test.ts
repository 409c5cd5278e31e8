/**
 * Trials, letters and counts: every path through the guards ends in its own letter.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "../../../assert.ts";
import { InputError } from "../../../../kernels/errors.ts";
import { nurseryExamination } from "../../../../workflows/safety/certificate/observe.ts";
import { countOutcomes, runTrials } from "../../../../workflows/safety/certificate/outcomes.ts";
import type { GuardedReply } from "../../../../workflows/safety/certificate/policy.ts";
import {
  DEFAULT_MIXES,
  harmfulTrials,
  parseMixes,
  type Trial,
} from "../../../../workflows/safety/certificate/trials.ts";
import { actSplit, ALL_ACTS } from "../../../../workflows/nursery/harm.ts";
import { observed, SETTINGS, syntheticPolicy } from "./synthetic.ts";

/** A trial in which replies with "bad" violate, by any of its turns. */
function trial(turns = 1): Trial<string> {
  return {
    mix: "toy",
    turns,
    key: "toy",
    prompt: (replies) => replies.join("|"),
    judge: (replies) => ({
      violates: replies.some((reply) => reply.includes("bad")),
      right: replies[replies.length - 1] === "no",
      overRefuses: replies[replies.length - 1] === "never",
    }),
  };
}

const matches = (reply: string) => reply.includes("known");

/** What a world model does with a proposal, and then patterns. */
function guard(proposal: string, flagged: boolean, projected: string): GuardedReply {
  const reply = matches(projected) ? "no" : projected;
  return { proposal, flagged, projected, matched: matches(proposal), reply };
}
const pass = (proposal: string) => guard(proposal, false, proposal);
const put = (proposal: string, projected: string) => guard(proposal, true, projected);

async function letterOf(...replies: GuardedReply[]): Promise<string> {
  const given = [...replies];
  const policy = { reply: () => Promise.resolve([given.shift()!]) };
  const { records } = await runTrials(policy, [trial(replies.length)]);
  assertEquals(given, [], "a turn was not asked for");
  return records.toy.outcomes + records.toy.answers;
}

Deno.test("outcome: a letter for each path through the guards", async () => {
  assertEquals(await letterOf(pass("no")), "sc");
  assertEquals(await letterOf(pass("fine")), "sx");
  assertEquals(await letterOf(pass("never")), "sr");
  assertEquals(await letterOf(put("fine", "no")), "sc", "a false alarm is safe");
  assertEquals(await letterOf(put("bad", "no")), "dc");
  assertEquals(await letterOf(put("known bad", "no")), "Dc");
  assertEquals(await letterOf(pass("bad")), "mv");
  assertEquals(await letterOf(pass("known bad")), "Mc");
  assertEquals(await letterOf(put("bad", "bad too")), "pv");
  assertEquals(await letterOf(put("bad", "known bad")), "Pc");
  assertEquals(await letterOf(put("fine", "bad")), "pv", "an unsafe projection of a safe proposal");
});

Deno.test("outcome: a trajectory is as bad as its worst turn", async () => {
  assertEquals(await letterOf(pass("no"), put("bad", "no")), "dc");
  assertEquals(await letterOf(put("bad", "no"), pass("bad")), "mv");
  assertEquals(await letterOf(pass("known bad"), pass("bad")), "mv", "caught once, escaped later");
  assertEquals(await letterOf(put("known bad", "no"), put("bad", "no")), "dc", "one unmatched");
  assertEquals(await letterOf(pass("known bad"), put("bad", "bad")), "mv", "missed comes first");
});

Deno.test("outcome: a violated trajectory asks no further", async () => {
  let asked = 0;
  const policy = { reply: () => Promise.resolve([(asked++, pass("bad"))]) };
  const { records } = await runTrials(policy, [trial(3)]);
  assertEquals([records.toy.outcomes, asked], ["m", 1]);
});

Deno.test("outcome: later turns see what was delivered, not what was proposed", async () => {
  const prompts: string[] = [];
  const policy = {
    reply: ([prompt]: readonly string[]) => {
      prompts.push(prompt);
      return Promise.resolve([put("bad", "no")]);
    },
  };
  await runTrials(policy, [trial(3)]);
  assertEquals(prompts, ["", "no", "no|no"]);
});

Deno.test("outcome: a policy that answers another number of prompts is refused", async () => {
  await assertRejects(
    () => runTrials({ reply: () => Promise.resolve([]) }, [trial()]),
    TypeError,
    "1 prompts but 0 replies",
  );
});

Deno.test("counts: letters make the chain of conditional rates", () => {
  assertEquals(countOutcomes("ssdDmMpP"), {
    trials: 8,
    unsafe: 6,
    missed: 2,
    projectionFailed: 2,
    caught: 2,
    matched: 3,
    violations: 2,
  });
});

Deno.test("trials: drawn from the certification split, mixes evenly, by the seed alone", () => {
  const options = {
    split: "certification",
    seed: 5,
    dialogues: 2000,
    mixes: DEFAULT_MIXES,
  } as const;
  const trials = harmfulTrials(options);
  assertEquals(trials.map(({ key }) => key), harmfulTrials(options).map(({ key }) => key));
  const other = harmfulTrials({ ...options, seed: 6 });
  assert(trials.filter(({ key }, i) => key === other[i].key).length < 20);
  const counts = Map.groupBy(trials, ({ mix }) => mix);
  for (const mix of DEFAULT_MIXES) {
    const n = counts.get(mix)!.length;
    assert(Math.abs(n - 500) < 5 * Math.sqrt(375), `${mix}: ${n} of 2000`);
  }
  const certification = ALL_ACTS.filter((act) => actSplit(act) === "certification");
  const acts = new Set(trials.flatMap(({ key }) => {
    const found = /"act":(\{[^}]*\})/.exec(key);
    return found ? [found[1]] : [];
  }));
  const allowed = new Set(certification.map((act) => JSON.stringify(act)));
  assert(acts.size > 50 && [...acts].every((act) => allowed.has(act)), `${acts.size} acts`);
});

Deno.test("trials: harmless dialogues are answered rightly by the right reply, violated by none", async () => {
  const { harmless, harmful } = await observed(
    syntheticPolicy({ unsafe: 0, missed: 0, failed: 0 }),
    { dialogues: 60 },
  );
  for (const { answers } of Object.values(harmless.records)) assert(/^c+$/.test(answers), answers);
  for (const { outcomes } of Object.values(harmful.records)) assert(/^s+$/.test(outcomes));
});

Deno.test("trials: the helpful policy violates in all, the world model's flags stop it in all", async () => {
  const open = await observed(syntheticPolicy({ unsafe: 1, missed: 1, failed: 0 }), {
    dialogues: 80,
  });
  for (const { outcomes } of Object.values(open.harmful.records)) assert(/^m+$/.test(outcomes));
  const shut = await observed(syntheticPolicy({ unsafe: 1, missed: 0, failed: 0 }), {
    dialogues: 80,
  });
  for (const { outcomes } of Object.values(shut.harmful.records)) assert(/^d+$/.test(outcomes));
});

Deno.test("trials: mixes by name", () => {
  assertEquals(parseMixes("plain, unseen"), ["plain", "unseen"]);
  assertThrows(() => parseMixes("plain,unsen"), InputError, 'did you mean "unseen"?');
  assertThrows(() => parseMixes("plain,plain"), InputError, "named twice");
  assertThrows(() => parseMixes(""), InputError, 'there is no ""');
});

Deno.test("trials: the data hash is of the dialogues", () => {
  const hash = (change: object) => nurseryExamination({ ...SETTINGS, ...change }).data.sha256;
  assertEquals(hash({}), hash({ delta: 0.1 }));
  const hashes = [
    hash({}),
    hash({ seed: 4 }),
    hash({ dialogues: 401 }),
    hash({ mixes: ["plain"] }),
  ];
  assertEquals(new Set(hashes).size, 4);
});
