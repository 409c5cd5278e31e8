import { parquetWriteBuffer } from "hyparquet-writer";
import { InputError } from "../../../kernels/errors.ts";
import { type DatasetOptions, openDataset } from "../../../workflows/data/mod.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";
import { collect, gzip, withFolder } from "./helpers.ts";

const PAIRS = [{ prompt: "a", completion: "1" }, { prompt: 'b\n"x",', completion: "ä€😀" }];

async function read(path: string, options: DatasetOptions = {}) {
  return (await collect(await openDataset(path, options))).map((row) => row.values);
}

Deno.test("the same rows come out of every format", () =>
  withFolder(async (dir) => {
    const lines = PAIRS.map((row) => JSON.stringify(row)).join("\r\n");
    const csv = 'prompt,completion\r\na,1\r\n"b\n""x"",",ä€😀\r\n';
    const tsv = 'prompt\tcompletion\na\t1\n"b\n""x"","\tä€😀\n';
    const columns = {
      prompt: PAIRS.map((p) => p.prompt),
      completion: PAIRS.map((p) => p.completion),
    };
    const parquet = parquetWriteBuffer({
      columnData: Object.entries(columns).map(([name, data]) => ({ name, data })),
      rowGroupSize: 1,
    });
    const files: Record<string, string | Uint8Array> = {
      "lines.jsonl": `\ufeff${lines}\n\n`,
      "lines2.jsonl.gz": await gzip(lines),
      "array.json": JSON.stringify(PAIRS),
      "columns.json": JSON.stringify(columns),
      "nested.json": JSON.stringify({ version: 1, data: PAIRS }),
      "table.csv": `\ufeff${csv}`,
      "table.csv.gz": await gzip(csv),
      "table.tsv": tsv,
      "table.parquet": new Uint8Array(parquet),
    };
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeFile(
        `${dir}/${name}`,
        typeof content === "string" ? new TextEncoder().encode(content) : content,
      );
      assertEquals(await read(`${dir}/${name}`), PAIRS, name);
    }
  }));

Deno.test("gzip of several members is read to the end", () =>
  withFolder(async (dir) => {
    const [a, b] = [await gzip('{"text":"a"}\n'), await gzip('{"text":"b"}\n')];
    await Deno.writeFile(`${dir}/two.jsonl.gz`, new Uint8Array([...a, ...b]));
    assertEquals(await read(`${dir}/two.jsonl.gz`), [{ text: "a" }, { text: "b" }]);
  }));

Deno.test("parquet: 64-bit integers, lists and structures become plain values", () =>
  withFolder(async (dir) => {
    const messages = [[{ role: "user", content: "hi" }], []];
    const buffer = parquetWriteBuffer({
      columnData: [
        { name: "id", data: [0n, 2n ** 60n], type: "INT64" },
        { name: "messages", data: messages, type: "JSON" },
      ],
    });
    await Deno.writeFile(`${dir}/x.parquet`, new Uint8Array(buffer));
    assertEquals(await read(`${dir}/x.parquet`), [
      { id: 0, messages: messages[0] },
      { id: 2 ** 60, messages: messages[1] },
    ]);
    await Deno.writeFile(
      `${dir}/y.parquet`,
      new Uint8Array(
        parquetWriteBuffer({ columnData: [{ name: "id", data: [2n ** 60n + 1n], type: "INT64" }] }),
      ),
    );
    assertEquals(await read(`${dir}/y.parquet`), [{ id: 2n ** 60n + 1n }], "not exact as a number");
  }));

Deno.test("text: documents between separators, across chunk borders, with their line", () =>
  withFolder(async (dir) => {
    const stories = Array.from({ length: 3000 }, (_, i) => `story ${i}\n` + "word ".repeat(i % 50));
    await Deno.writeTextFile(`${dir}/s.txt`, stories.join("\n<|endoftext|>\n"));
    const rows = await collect(await openDataset(`${dir}/s.txt`));
    assertEquals(rows.map((row) => row.values.text), stories.map((story) => story.trim()));
    assertEquals(rows[1].where, `${dir}/s.txt:4`);
    await Deno.writeTextFile(`${dir}/p.txt`, "one\ntwo\n\n\n\nthree\n");
    assertEquals(await read(`${dir}/p.txt`, { separator: "\n\n" }), [
      { text: "one\ntwo" },
      { text: "three" },
    ]);
    assertEquals((await read(`${dir}/p.txt`, { separator: "\n" })).length, 3);
    const empty = () => read(`${dir}/p.txt`, { separator: "" });
    await assertRejects(empty, InputError, "separator: must not be empty");
  }));

Deno.test("text: a separator or character may lie across the border of two chunks", () =>
  withFolder(async (dir) => {
    // Files come in chunks of 64 KiB; these put the border at every place of the separator and the last sign.
    for (let before = 2 ** 16 - 16; before <= 2 ** 16; before++) {
      const first = "x".repeat(before - 4) + "😀";
      await Deno.writeTextFile(`${dir}/s.txt`, `${first}<|endoftext|>y<|endoftext|>`);
      assertEquals(await read(`${dir}/s.txt`), [{ text: first }, { text: "y" }]);
    }
  }));

Deno.test("folders and globs are read in the order of names; each row knows its line", () =>
  withFolder(async (dir) => {
    await Deno.mkdir(`${dir}/sub`);
    await Deno.writeTextFile(`${dir}/b.jsonl`, '{"text":"b"}\n');
    await Deno.writeTextFile(`${dir}/sub/a.jsonl`, '\n{"text":"sub"}\n');
    await Deno.writeTextFile(`${dir}/README.md`, "not data");
    await Deno.writeTextFile(`${dir}/.hidden.jsonl`, "broken");
    const rows = await collect(await openDataset(dir));
    assertEquals(rows.map((row) => row.values.text), ["b", "sub"]);
    assertEquals(rows[1].where, `${dir}/sub/a.jsonl:2`);
    assertEquals(await read(`${dir}/*.jsonl`), [{ text: "b" }]);
    assertEquals(await (await openDataset(dir)).columns(), ["text"]);
  }));

Deno.test("csv: a quoted line break does not shift the line numbers; header option", () =>
  withFolder(async (dir) => {
    await Deno.writeTextFile(`${dir}/q.csv`, 'a,b\n1,"x\ny"\n3,4\n');
    const rows = await collect(await openDataset(`${dir}/q.csv`));
    assertEquals(rows.map((row) => row.where.slice(dir.length)), ["/q.csv:2", "/q.csv:4"]);
    await Deno.writeTextFile(`${dir}/n.csv`, "what,A\nwhy,B\n");
    assertEquals(await read(`${dir}/n.csv`, { header: ["question", "answer"] }), [
      { question: "what", answer: "A" },
      { question: "why", answer: "B" },
    ]);
  }));

Deno.test("reading stops early without reading the rest, and bounded", () =>
  withFolder(async (dir) => {
    const good = '{"text":"x"}\n'.repeat(200_000);
    await Deno.writeTextFile(`${dir}/long.jsonl`, `${good}broken at the far end\n`);
    // 2.6 MB lie between the rows asked for and the broken line, which is therefore never seen.
    assertEquals((await (await openDataset(`${dir}/long.jsonl`)).head(3)).length, 3);
    await assertRejects(() => read(`${dir}/long.jsonl`), InputError, "long.jsonl:200001");
  }));

Deno.test("bad files: one clear line each", () =>
  withFolder(async (dir) => {
    const text = (s: string) => new TextEncoder().encode(s);
    const whole = await gzip('{"text":"aaaa"}\n'.repeat(50_000));
    await Deno.mkdir(`${dir}/empty-folder`);
    await Deno.mkdir(`${dir}/mixed`);
    await Deno.writeTextFile(`${dir}/mixed/a.csv`, "a\n1\n");
    await Deno.writeTextFile(`${dir}/mixed/b.jsonl`, '{"a":1}\n');
    const cases: [
      name: string,
      bytes: Uint8Array | null,
      expected: string,
      options?: DatasetOptions,
    ][] = [
      ["bad.jsonl", text('{"a":1}\n{"a":\n'), "bad.jsonl:2: not valid JSON"],
      [
        "number.jsonl",
        text("7\n"),
        "number.jsonl:1: expected a JSON object with named columns, found a number",
      ],
      ["null.json", text("[null]"), "null.json row 1: expected a JSON object"],
      ["cut.jsonl.gz", whole.slice(0, whole.length >> 1), "the gzip data ends too early"],
      ["plain.jsonl.gz", text('{"a":1}\n'), "is named .gz but is not gzip data"],
      ["empty.jsonl", text(""), "empty.jsonl: no rows in it"],
      ["empty.csv", text(""), "empty.csv: no rows in it"],
      ["header-only.csv", text("a,b\n"), "header-only.csv: no rows in it"],
      ["empty.json", text(" "), "empty.json: no rows in it"],
      [
        "latin1.jsonl",
        new Uint8Array([...text('{"text":"'), 0xe9, ...text('"}\n')]),
        "latin1.jsonl: not UTF-8 text (bytes 0 to",
      ],
      ["utf16.csv", new Uint8Array([0xff, 0xfe, 0x61, 0, 0x0a, 0]), "utf16.csv: not UTF-8 text"],
      ["cut-character.txt", new Uint8Array([0x61, 0xc3]), "cut-character.txt: not UTF-8 text"],
      ["model.bin", text("x"), "model.bin: unknown extension; known are .jsonl"],
      ["lines.json", text('{"a":1}\n{"a":2}\n'), "it looks like JSON lines: name it .jsonl"],
      ["broken.json", text('[{"a":1},'), "broken.json: not valid JSON"],
      ["scalar.json", text("3"), "scalar.json: expected an array of rows"],
      ["ragged.json", text('{"a":[1,2],"b":[1]}'), "found {a: array of 2, b: array of 1}"],
      [
        "tables.json",
        text('{"x":[{"a":1}],"y":[{"a":1}]}'),
        "several lists of rows (x, y); name one with the option field",
      ],
      ["field.json", text('{"x":[{"a":1}]}'), "field z is not a list of rows; the top has: x", {
        field: "z",
      }],
      [
        "ragged.csv",
        text("a,b\n1,2\n1,2,3\n"),
        "ragged.csv: not valid CSV (Invalid Record Length: columns length is 2, got 3 on line 3)",
      ],
      ["quote.csv", text('a,b\n1,"2\n'), "quote.csv: not valid CSV (Quote Not Closed"],
      ["twice.csv", text("a,a\n1,2\n"), 'twice.csv: the column "a" appears twice'],
      ["fake.parquet", text("PAR1 not really PAR1"), "fake.parquet: cannot be read as Parquet"],
      ["tiny.parquet", text(""), "tiny.parquet: cannot be read as Parquet"],
      ["zipped.parquet.gz", whole, "cannot be read inside gzip"],
      ["empty-folder", null, "the folder holds no data file"],
      [
        "mixed",
        null,
        "holds files of several kinds (csv, jsonl); choose with a glob such as *.csv",
      ],
      ["*.nothing", null, "no data file matches"],
      ["absent.jsonl", null, "absent.jsonl: no such file or folder"],
    ];
    for (const [name, bytes, expected, options] of cases) {
      if (bytes) await Deno.writeFile(`${dir}/${name}`, bytes);
      const error = await assertRejects(
        () => read(`${dir}/${name}`, options),
        InputError,
        expected,
      );
      assert(!error.message.includes("\n"), `${name}: more than one line: ${error.message}`);
    }
  }));
