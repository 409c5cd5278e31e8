/**
 * Results of points in a sweep's folder.
 */
import { join } from "node:path";
import { InputError } from "../../kernels/errors.ts";
import type { Point, PointResult } from "./point.ts";

/** Where all files of a point lie. */
export function pointFolder(folder: string, key: string): string {
  return join(folder, "points", key);
}

/** Where its result lies. */
export function resultPath(folder: string, key: string): string {
  return join(pointFolder(folder, key), "result.json");
}

/**
 * The result of a point; null where there is none yet.
 * @throws {InputError} when the file is not JSON.
 */
export async function readResult(folder: string, key: string): Promise<PointResult | null> {
  const path = resultPath(folder, key);
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new InputError(`${path} cannot be read (${(error as Error).message}): remove it`);
  }
}

/** The results that there are, by key. */
export async function readResults(
  folder: string,
  points: readonly Pick<Point, "key">[],
): Promise<Map<string, PointResult>> {
  const results = await Promise.all(points.map(({ key }) => readResult(folder, key)));
  return new Map(results.flatMap((result) => result ? [[result.key, result] as const] : []));
}

/** Seconds that a point took where it was computed; null where that is not known. */
export async function readSeconds(folder: string, key: string): Promise<number | null> {
  try {
    const path = join(pointFolder(folder, key), "timing.json");
    return JSON.parse(await Deno.readTextFile(path)).seconds;
  } catch {
    return null;
  }
}
