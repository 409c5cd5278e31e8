/**
 * Points on a cluster: an array job for Slurm, one task a point, over a folder that all nodes see.
 *
 * Nothing is submitted here. `submit.sh` starts two arrays: the stages that points share, each once, and after them the points. A
 * task that is requeued finds its result or its last checkpoint.
 */
import { join, resolve } from "node:path";
import { writeFileAtomic } from "../files.ts";
import type { Point } from "./point.ts";

/** What was written. */
export interface SlurmFiles {
  /** The script that submits. */
  readonly submit: string;
  /** Number of tasks that train shared stages. */
  readonly shared: number;
  /** Number of tasks that compute points. */
  readonly points: number;
}

/** Writes `slurm/` in the sweep's folder: two index files, the script of a task, the script that submits. */
export async function writeSlurm(folder: string, points: readonly Point[]): Promise<SlurmFiles> {
  const place = join(folder, "slurm");
  const keys = [...new Set(points.map(({ key }) => key))];
  const shared = [
    ...new Set(
      points.flatMap(({ work }) =>
        work.kind === "training" && work.shared ? [work.shared.key] : []
      ),
    ),
  ];
  const lines = (list: readonly string[]) => list.map((key) => `${key}\n`).join("");
  await writeFileAtomic(join(place, "points.txt"), lines(keys));
  await writeFileAtomic(join(place, "shared.txt"), lines(shared));
  await writeFileAtomic(join(place, "task.sh"), taskScript(resolve(folder), Deno.cwd()));
  const submit = join(place, "submit.sh");
  await writeFileAtomic(submit, submitScript(shared.length, keys.length));
  return { submit, shared: shared.length, points: keys.length };
}

/** For `sh`. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function taskScript(folder: string, toolkit: string): string {
  return `#!/bin/sh
# One task of an array: line SLURM_ARRAY_TASK_ID of the index file $1 names what it computes.
# Change what your cluster wants: partition, account, time.
#SBATCH --job-name=infant-sweep
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=01:00:00
#SBATCH --requeue
set -eu
key=$(sed -n "\${SLURM_ARRAY_TASK_ID}p" "$1")
cd ${quoted(toolkit)}
exec \${DENO:-deno} task -q sweep --resume ${quoted(folder)} --only "$key"
`;
}

function submitScript(shared: number, points: number): string {
  const logs = `--output=%A_%a.log`;
  const array = (count: number) => `--array=1-${count}%"\${AT_ONCE:-8}"`;
  const first = shared === 0 ? "after=" : `after=--dependency=afterok:$(sbatch --parsable ${logs} \\
  ${array(shared)} task.sh "$PWD/shared.txt")`;
  return `#!/bin/sh
# Submits the sweep, AT_ONCE tasks at a time (8). Look at it with: deno task sweep --status FOLDER
set -eu
cd "$(dirname "$0")"
${first}
sbatch --parsable $after ${logs} \\
  ${array(points)} task.sh "$PWD/points.txt"
`;
}
