/**
 * Every notebook runs from top to bottom, headless, and every cell that should show something does.
 *
 * Jupyter gets a kernel specification of the Deno that runs this test, in a folder of its own, so that nothing changes for the user.
 */
import { assert, assertEquals } from "./assert.ts";

const FOLDER = new URL("../notebooks/", import.meta.url);

interface Output {
  readonly output_type: string;
  readonly text?: readonly string[] | string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly evalue?: string;
}

interface Cell {
  readonly cell_type: string;
  readonly source: readonly string[] | string;
  readonly outputs?: readonly Output[];
}

const joined = (text: readonly string[] | string | undefined): string =>
  typeof text === "string" ? text : (text ?? []).join("");

/** Whether Jupyter can execute notebooks here. */
async function jupyterRuns(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("jupyter", {
      args: ["nbconvert", "--version"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch {
    return false;
  }
}

/** Executes a notebook and returns its cells with their outputs. */
async function execute(name: string): Promise<Cell[]> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/kernels/deno`, { recursive: true });
    const kernel = {
      argv: [Deno.execPath(), "jupyter", "--kernel", "--conn", "{connection_file}"],
      display_name: "Deno",
      language: "typescript",
    };
    await Deno.writeTextFile(`${folder}/kernels/deno/kernel.json`, JSON.stringify(kernel));
    const output = ["--output-dir", folder, "--output", "executed.ipynb"];
    const { success, stderr } = await new Deno.Command("jupyter", {
      args: ["nbconvert", "--to", "notebook", "--execute", name, ...output],
      cwd: FOLDER,
      env: { JUPYTER_PATH: folder },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    return JSON.parse(await Deno.readTextFile(`${folder}/executed.ipynb`)).cells;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The media types that a cell displayed. */
function shown(cell: Cell): Set<string> {
  return new Set((cell.outputs ?? []).flatMap(({ data }) => Object.keys(data ?? {})));
}

/** A notebook's executed cells of code, none of which threw. */
async function codeCells(name: string): Promise<Cell[]> {
  const cells = (await execute(name)).filter(({ cell_type }) => cell_type === "code");
  for (const { source, outputs = [] } of cells) {
    const errors = outputs.filter(({ output_type }) => output_type === "error");
    assertEquals(errors.map(({ evalue }) => evalue), [], joined(source));
  }
  return cells;
}

/** What a cell should show and does not. */
function missing(cell: Cell): string[] {
  const source = joined(cell.source);
  const media = shown(cell);
  const wanted: [boolean, boolean, string][] = [
    [source.includes("console.log"), joined(cell.outputs?.[0]?.text).length > 0, "text"],
    [/jupyter\.display\(|showText\(/.test(source), media.has("text/plain"), "a display"],
    [
      /\b(displayable|show)\(/.test(source),
      media.has("application/vnd.vegalite.v5+json") && media.has("image/png"),
      "a chart",
    ],
  ];
  return wanted.filter(([due, there]) => due && !there).map(([, , what]) =>
    `${what} of ${source.slice(0, 60)}`
  );
}

/** The plain texts that cells displayed. */
function plainTexts(cells: readonly Cell[]): string[] {
  return cells.flatMap(({ outputs = [] }) =>
    outputs.map(({ data }) => joined(data?.["text/plain"] as string | undefined))
  );
}

/** The held-out losses of the first notebook: untrained, pretrained and so on. */
const LOSSES = /^held-out loss (\S+) -> (\S+) -> /;

/** What the first notebook is judged by. */
function firstLacks(texts: readonly string[]): string[] {
  const wanted: [RegExp, string][] = [[LOSSES, "its losses"], [/right \(/, "a verdict"]];
  return wanted.filter(([form]) => !texts.some((text) => form.test(text))).map(([, what]) => what);
}

/** It has learned: a loss that falls, and a refusal that is right. */
function assertLearned(texts: readonly string[]): void {
  const losses = texts.map((text) => LOSSES.exec(text)).find((match) => match !== null);
  assert(losses && Number(losses[2]) < Number(losses[1]) / 3, `losses: ${losses}`);
  assert(texts.some((text) => text.includes("right (refusal)")), "no refusal was judged right");
}

const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name)
  .filter((name) => name.endsWith(".ipynb")).sort();
const runs = await jupyterRuns();
const reason = runs ? "" : " (skipped: jupyter nbconvert is not installed)";

Deno.test("notebooks: there is one", () => assert(names.includes("first_policy.ipynb")));

for (const name of names) {
  // `deno fmt --check` calls every notebook with code unformatted unless its cache says otherwise (Deno 2.9.6, also right
  // after `deno fmt` left it as it was), so deno.json leaves notebooks to this test, which compares what the formatter writes.
  Deno.test(`notebooks: ${name} is formatted`, async () => {
    const text = await Deno.readTextFile(new URL(name, FOLDER));
    const formatter = new Deno.Command(Deno.execPath(), {
      args: ["fmt", "--line-width", "100", "--ext", "ipynb", "-"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = formatter.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
    const { success, stdout } = await formatter.output();
    assert(success);
    assertEquals(new TextDecoder().decode(stdout).trimEnd(), text.trimEnd());
  });

  Deno.test({ name: `notebooks: ${name} runs headless${reason}`, ignore: !runs }, async () => {
    const first = name === "first_policy.ipynb";
    const lacks = (cells: readonly Cell[]) => [
      ...cells.flatMap(missing),
      ...(first ? firstLacks(plainTexts(cells)) : []),
    ];
    // Deno's kernel reports a cell as done before its last outputs are out, and nbconvert then drops them.
    let cells = await codeCells(name);
    for (let again = 1; again <= 3 && lacks(cells).length > 0; again++) {
      console.log(`${name}: run again, it lacks ${lacks(cells).join("; ")}`);
      cells = await codeCells(name);
    }
    assertEquals(lacks(cells), []);
    if (first) assertLearned(plainTexts(cells));
  });
}
