/**
 * JSON lines, and whole JSON documents in the shapes in which data sets are published.
 *
 * JSON lines stream. A `.json` document has to be parsed whole, so its size is bounded by the longest string
 * the engine can hold; larger sets belong in JSON lines.
 */
import { InputError, oneLine } from "../../../kernels/errors.ts";
import { type DataFile, readText, type SourceRow, splitText } from "./bytes.ts";

/** A `.json` document above this many UTF-16 units is refused with advice instead of exhausting memory. */
const MAX_DOCUMENT_LENGTH = 2 ** 28;

type Values = Record<string, unknown>;

/** Rows of a JSON-lines file: one object (or one string, taken as `text`) a line, blank lines skipped. */
export async function* readJsonl(file: DataFile): AsyncGenerator<SourceRow> {
  for await (const { text, line } of splitText(file, "\n")) {
    if (text.trim() === "") continue;
    const where = `${file.path}:${line}`;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new InputError(
        `${where}: not valid JSON (${oneLine(error)}); each line must be one JSON object`,
      );
    }
    yield { values: rowValues(value, where), where };
  }
}

/**
 * Rows of a JSON document: an array of rows; an object that holds such an array (named by `field` where there
 * are several); or an object of columns, each an array of the same length.
 */
export async function* readJson(file: DataFile, field?: string): AsyncGenerator<SourceRow> {
  const document = await parseDocument(file);
  const rows = field === undefined ? findRows(document, file.path) : select(document, field, file);
  for (let i = 0; i < rows.length; i++) {
    const where = `${file.path} row ${i + 1}`;
    yield { values: rowValues(rows[i], where), where };
  }
}

async function parseDocument(file: DataFile): Promise<unknown> {
  const chunks: string[] = [];
  let length = 0;
  for await (const chunk of readText(file)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_DOCUMENT_LENGTH) {
      throw new InputError(
        `${file.path}: a .json file is read whole and this one is over ${MAX_DOCUMENT_LENGTH} characters; ` +
          `convert it to .jsonl, which streams`,
      );
    }
  }
  const text = chunks.join("");
  if (text.trim() === "") return [];
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${file.path}: not valid JSON (${oneLine(error)})${linesHint(text)}`);
  }
}

/** A frequent slip: JSON lines in a file called `.json`. */
function linesHint(text: string): string {
  const first = text.slice(0, text.indexOf("\n") + 1).trim();
  try {
    return first !== "" && isObject(JSON.parse(first))
      ? "; it looks like JSON lines: name it .jsonl"
      : "";
  } catch {
    return "";
  }
}

function findRows(document: unknown, path: string): readonly unknown[] {
  if (Array.isArray(document)) return document;
  if (!isObject(document)) {
    throw new InputError(`${path}: expected an array of rows or an object of arrays at the top`);
  }
  const entries = Object.entries(document);
  const tables = entries.filter(([, v]) => Array.isArray(v) && v.length > 0 && v.every(isObject));
  if (tables.length === 1) return tables[0][1] as unknown[];
  if (tables.length > 1) {
    const names = tables.map(([name]) => name).join(", ");
    throw new InputError(
      `${path}: several lists of rows (${names}); name one with the option field`,
    );
  }
  const columns = entries as [string, unknown[]][];
  const lengths = new Set(columns.map(([, v]) => Array.isArray(v) ? v.length : -1));
  if (lengths.size !== 1 || lengths.has(-1)) {
    const found = entries.slice(0, 8).map(([name, v]) =>
      `${name}: ${Array.isArray(v) ? `array of ${v.length}` : typeof v}`
    );
    throw new InputError(
      `${path}: expected an array of rows or arrays of one length, found {${found.join(", ")}}`,
    );
  }
  return columns[0][1].map((_, i) => Object.fromEntries(columns.map(([name, v]) => [name, v[i]])));
}

function select(document: unknown, field: string, file: DataFile): readonly unknown[] {
  let value = document;
  for (const part of field.split(".")) value = isObject(value) ? value[part] : undefined;
  if (Array.isArray(value)) return value;
  const found = isObject(document) ? Object.keys(document).slice(0, 12).join(", ") : "no object";
  throw new InputError(`${file.path}: field ${field} is not a list of rows; the top has: ${found}`);
}

function rowValues(value: unknown, where: string): Values {
  if (isObject(value)) return value;
  if (typeof value === "string") return { text: value };
  const found = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
  throw new InputError(`${where}: expected a JSON object with named columns, found ${found}`);
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
