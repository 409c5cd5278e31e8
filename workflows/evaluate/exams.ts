/**
 * `exams.json` of a run folder: every rate of every exam by the name of what was examined, attack family by attack family.
 *
 * `scores.json` holds the headline; a mean hides families, and a report shows them.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { NurseryScore } from "../nursery/score.ts";

/** Exams in the order in which they were sat. */
export type Exams = Readonly<Record<string, NurseryScore>>;

const pathOf = (run: string) => join(run, "exams.json");

/**
 * The exams of a run; none when it sat no exam.
 * @throws {InputError} when the file is not JSON.
 */
export async function readExams(run: string): Promise<Exams> {
  return await readRecord(pathOf(run), {});
}

/** Adds one exam, or replaces that of the same name. */
export async function recordExam(run: string, name: string, score: NurseryScore): Promise<void> {
  await writeRecord(pathOf(run), { ...await readExams(run), [name]: score });
}

/** A JSON file that may not be there yet. @throws {InputError} when it is there and is not JSON. */
export async function readRecord<T>(path: string, absent: T): Promise<T> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return absent;
    throw new InputError(
      `${path} cannot be read (${(error as Error).message}): remove it, or train again`,
    );
  }
}

/** Writes a JSON file, whole or not at all. */
export async function writeRecord(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 1)}\n`);
}
