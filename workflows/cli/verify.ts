/**
 * `deno task verify`: checks this build on this adapter against numbers that others computed, and
 * against itself.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDevice } from "../setup/open.ts";
import { readAnswers, verifyAnswer } from "../verify/answers.ts";
import { goldenFolders, verifyGolden } from "../verify/golden.ts";
import { verifyInvariants } from "../verify/invariants.ts";
import { caseLines, closingLines, HEADING, report } from "../verify/report.ts";
import type { CaseResult } from "../verify/result.ts";
import { type Command, defineCommand, main } from "./command.ts";

const OPTIONS = {
  golden: { type: "string", value: "DIR", help: "folder of golden cases, or one case" },
  answers: { type: "string", value: "FILE", help: "JSON file of known answers" },
  invariants: { type: "boolean", help: "training runs that must give the same policy" },
} as const;

/** The project's own copies. */
const OWN = fileURLToPath(new URL("../../tests/golden", import.meta.url));

/** The command. */
export function verifyCommand(): Command<typeof OPTIONS> {
  return defineCommand({
    name: "verify",
    summary:
      "Checks this build on this adapter; without arguments against the project's own cases.",
    options: OPTIONS,
    notes: [
      "",
      "Errors are |got - want| / |want| of a whole tensor.",
      "The exit code is 1 when a case fails, or when nothing could be checked.",
      "",
      "  deno task verify",
      "  deno task verify --golden my-cases",
      "  deno task verify --invariants --json",
    ],
    async run({ values, note }) {
      const all = !values.golden && !values.answers && !values.invariants;
      const golden = values.golden ?? (all ? OWN : null);
      const own = all ? ["answers.json", "theory.json"].map((name) => join(OWN, name)) : [];
      const answers = values.answers === undefined ? own : [values.answers];
      // Bad paths are told before a device is opened.
      const folders = golden === null ? [] : await goldenFolders(golden);
      const known = (await Promise.all(answers.map(readAnswers))).flat();

      const print = values.json ? note : (line: string) => console.log(line);
      const results: CaseResult[] = [];
      const add = (result: CaseResult) => {
        results.push(result);
        caseLines(result).forEach(print);
      };
      print(HEADING);
      for (const answer of known) add(await verifyAnswer(answer));
      if (folders.length > 0 || all || values.invariants) {
        const { adapter, matmul } = values;
        const matmulEverywhere = matmul !== undefined; // no other one hides its mistakes
        const gpu = await openDevice({ adapter, matmul, matmulEverywhere }, note);
        for (const folder of folders) add(await verifyGolden(gpu, folder));
        if (all || values.invariants) await verifyInvariants(gpu, add);
        gpu.close();
      }
      const json = report(results);
      closingLines(results, json).forEach(print);
      return { ok: json.failed === 0 && json.passed > 0, json };
    },
  });
}

if (import.meta.main) await main(verifyCommand());
