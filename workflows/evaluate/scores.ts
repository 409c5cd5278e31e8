/**
 * `scores.json` of a run folder: the exam's headline by the name of what was examined, `untrained` first, then each stage.
 *
 * It grows by one entry an exam, so that a run that was stopped and resumed keeps what was measured before.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { Headline } from "./nursery_exam.ts";

/** Headlines in the order of the exams. */
export type Scores = Readonly<Record<string, Headline>>;

const pathOf = (run: string) => join(run, "scores.json");

/**
 * The scores of a run; none when it sat no exam.
 * @throws {InputError} when the file is not JSON.
 */
export async function readScores(run: string): Promise<Scores> {
  try {
    return JSON.parse(await Deno.readTextFile(pathOf(run)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw new InputError(
      `${pathOf(run)} cannot be read (${(error as Error).message}): remove it, or train again`,
    );
  }
}

/** Adds one exam's headline, or replaces that of the same name. */
export async function recordScores(run: string, name: string, scores: Headline): Promise<void> {
  const all = { ...await readScores(run), [name]: scores };
  await writeFileAtomic(pathOf(run), `${JSON.stringify(all, null, 2)}\n`);
}
