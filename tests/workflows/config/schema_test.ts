/** The published JSON Schema is the one that the code checks by, and says what each key does. */
import { schemaText } from "../../../workflows/cli/schema.ts";
import { assert, assertEquals } from "../../assert.ts";

Deno.test("train.schema.json is up to date (deno task schema writes it)", async () => {
  const file = new URL("../../../workflows/config/train.schema.json", import.meta.url);
  assertEquals(await Deno.readTextFile(file), schemaText());
});

interface Node {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
}

Deno.test("every key has a description for editors", () => {
  let keys = 0;
  const visit = (node: Node, path: string) => {
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      keys++;
      const described = child.description ?? child.anyOf?.[0].description;
      assert(described, `${path}.${key} has no description`);
      visit(child, `${path}.${key}`);
    }
    if (node.items) visit(node.items, `${path}[]`);
    for (const one of [...node.anyOf ?? [], ...node.oneOf ?? []]) visit(one, path);
  };
  visit(JSON.parse(schemaText()), "");
  assert(keys > 80, `only ${keys} keys were visited`);
});
