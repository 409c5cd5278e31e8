/**
 * The configuration's keys about data files, as the readers take them.
 */
import type { DataSource, FileData, HubData } from "../config/config.ts";
import type { DatasetOptions } from "../data/dataset.ts";
import type { FormatOptions } from "../data/formats/normalise.ts";
import type { TaskRow } from "../data/formats/rows.ts";
import { rowKey, sideOf } from "../data/order/split.ts";

/** Share of a data file that is held out, by a hash of each row. */
export const HELD_OUT = 0.1;

/** Whether a held-out row is for gates; the others are for what is reported. A number that decides is never one that is reported. */
export function decides(row: TaskRow): boolean {
  return sideOf(rowKey(row), { validation: 0.5, seed: 1 }) === "validation";
}

/** Keys of the configuration that say how files are found and read. */
export function datasetOptions(data: FileData | HubData): DatasetOptions {
  const { file_type, separator } = data;
  return {
    ...(file_type !== "auto" && { fileType: file_type }),
    ...(separator !== null && { separator }),
    ...("hub" in data &&
      { revision: data.revision, split: data.split, subset: data.subset ?? undefined }),
  };
}

/** Keys of the configuration that say what a row means. */
export function formatOptions(
  { format, columns, preference, on_empty }: DataSource,
): FormatOptions {
  return {
    ...(format !== "auto" && { format }),
    ...(Object.keys(columns).length > 0 && { columns }),
    ...(preference !== null && { preference }),
    onEmpty: on_empty,
  };
}
