/**
 * The rules of the house, so that nobody needs to remember them: where shaders live, what may import what, how long a file is.
 *
 * They are read from the text of the tree itself; a rule that has to bend is changed here, in sight.
 */
import { assertEquals } from "./assert.ts";

const ROOT = new URL("../", import.meta.url);
const SKIPPED = /^(\..*|node_modules|runs|coverage|golden)$/;
const MOST_LINES = 400;
const MOST_BINDINGS = 8;

/**
 * Words that the WGSL specification reserves. naga and Tint refuse nearly all of them themselves; this guards
 * the compilers that no test here reaches, like Safari's.
 */
const RESERVED = new Set(
  `NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become binding_array cast
  catch class co_await co_return co_yield coherent column_major common compile compile_fragment concept const_cast
  consteval constexpr constinit crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit
  export extends extern external fallthrough filter final finally friend from fxgroup get goto groupshared highp impl
  implements import inline instanceof interface layout lowp macro macro_rules match mediump meta mod module move mut
  mutable namespace new nil noexcept noinline nointerpolation non_coherent noncoherent noperspective null nullptr of
  operator package packoffset partition pass patch pixelfragment precise precision premerge priv protected pub public
  readonly ref regardless register reinterpret_cast require resource restrict self set shared sizeof smooth snorm
  static static_assert static_cast std subroutine super target template this thread_local throw trait try type typedef
  typeid typename typeof union unless unorm unsafe unsized use using varying virtual volatile wgsl where with writeonly
  yield`.split(/\s+/),
);

/** The floors of the house, from the ground up: a room imports from its own floor and from those below. */
const FLOORS: readonly (readonly string[])[] = [
  ["kernels/errors.ts", "kernels/policy/config.ts"],
  ["kernels/gpu"],
  [
    ..."activation attention dropout embedding matmul norm random reduce residual roof rope sampling softmax"
      .split(" ").map((room) => `kernels/${room}`),
  ],
  ["kernels/losses", "kernels/optimizer", "kernels/fisher", "kernels/policy"],
  ["kernels/mod.ts"],
  ...[
    "deps files.ts first_of.ts hub.ts logging nearest.ts setup theory",
    "data",
    "config model_files nursery run_folder.ts",
    "objective pareto",
    "evaluate",
    "safety stages",
    "report train",
    "bench sweep verify",
    "cli",
  ].map((floor) => floor.split(" ").map((room) => `workflows/${room}`)),
];

/** Text of every TypeScript file, notebook and shader by its path in the repository. */
const files = new Map<string, string>();

function collect(folder: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder || ".", ROOT))) {
    if (SKIPPED.test(name)) continue;
    if (isDirectory) collect(`${folder}${name}/`);
    else if (/\.(ts|wgsl|ipynb)$/.test(name)) {
      files.set(folder + name, Deno.readTextFileSync(new URL(folder + name, ROOT)));
    }
  }
}
collect("");

const paths = [...files.keys()].sort();
const shaders = paths.filter((path) => path.endsWith(".wgsl"));
const sources = paths.filter((path) => /^(kernels|workflows)\/.*\.ts$/.test(path));
const folderOf = (path: string) => path.slice(0, path.lastIndexOf("/"));
const text = (path: string) => files.get(path)!;
const code = (path: string) => text(path).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|\s\/\/ .*$/gm, "");

/** Paths in the repository that a file imports or exports from, by relative specifier. */
function importsOf(path: string): string[] {
  const specifiers = code(path).matchAll(/\b(?:from|import)\s*\(?\s*"(\.\.?\/[^"]+)"/g);
  return [...specifiers].map(([, to]) => new URL(to, `file:///${path}`).pathname.slice(1));
}

/** One cycle of a directed graph as "a -> b -> a", or null. */
function cycleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): string | null {
  const done = new Set<string>();
  const visit = (node: string, trail: readonly string[]): string | null => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node].join(" -> ");
    if (done.has(node)) return null;
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...trail, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return null;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle) return cycle;
  }
  return null;
}

const imports = new Map(sources.map((path) => [path, new Set(importsOf(path))]));

/** The room a file belongs to: its folder under kernels/ or workflows/; contracts are rooms of their own. */
function roomOf(path: string): string {
  return FLOORS[0].includes(path) ? path : path.split("/").slice(0, 2).join("/");
}

const rooms = new Map<string, Set<string>>();
for (const [path, targets] of imports) {
  const room = roomOf(path);
  if (!rooms.has(room)) rooms.set(room, new Set());
  for (const target of targets) if (roomOf(target) !== room) rooms.get(room)!.add(roomOf(target));
}

Deno.test("house: the tree was found", () => {
  assertEquals([shaders.length > 20, sources.length > 50], [true, true]);
});

Deno.test("house: every shader lies in kernels/ beside a host file that imports it", () => {
  const lost = shaders.filter((path) => {
    const folder = folderOf(path);
    return !path.startsWith("kernels/") ||
      !sources.some((host) => folderOf(host) === folder && imports.get(host)!.has(path));
  });
  assertEquals(lost, []);
});

Deno.test("house: every shader opens with at least two lines that say what it computes", () => {
  const silent = shaders.filter((path) => !/^\/\/ +\S.*\n\/\/ +\S/.test(text(path)));
  assertEquals(silent, []);
});

Deno.test("house: no shader declares more storage buffers than WebGPU promises", () => {
  const greedy = shaders.filter((path) =>
    // What a tensor held before is the tensor itself, or a texture: see kernels/gpu/reading.ts.
    [...code(path).matchAll(/var<storage,\s*\w+>\s+(?!\w+_before\b)/g)].length > MOST_BINDINGS
  );
  assertEquals(greedy, []);
});

Deno.test("house: no shader uses a word that WGSL reserves", () => {
  const words = (path: string) => code(path).match(/\b[A-Za-z_]\w*/g) ?? [];
  const reserved = shaders.flatMap((path) =>
    words(path).filter((word) => RESERVED.has(word)).map((word) => `${path}: ${word}`)
  );
  assertEquals(reserved, []);
});

Deno.test("house: no WGSL outside kernels/ and its tests", () => {
  const strays = paths.filter((path) =>
    !/^(tests\/)?kernels\//.test(path) && /@compute\s+@workgroup_size|@group\(\d/.test(code(path))
  );
  assertEquals(strays.filter((path) => path !== "tests/house_test.ts"), []);
});

Deno.test("house: kernels/ knows neither Deno nor workflows/", () => {
  const kernels = sources.filter((path) => path.startsWith("kernels/"));
  assertEquals(kernels.filter((path) => /\bDeno\s*[.[]|"Deno"/.test(code(path))), []);
  const upward = kernels.filter((path) =>
    [...imports.get(path)!].some((to) => !to.startsWith("kernels/"))
  );
  assertEquals(upward, []);
});

Deno.test(`house: no file is longer than ${MOST_LINES} lines`, () => {
  const long = paths.filter((path) => /\.(ts|wgsl)$/.test(path))
    .filter((path) => text(path).trimEnd().split("\n").length > MOST_LINES);
  assertEquals(long, []);
});

Deno.test("house: no file imports itself in a circle", () => {
  assertEquals(cycleIn(imports), null);
});

Deno.test("house: no room imports itself in a circle", () => {
  assertEquals(cycleIn(rooms), null);
});

Deno.test("house: every room has its floor", () => {
  const placed = FLOORS.flat();
  assertEquals([...rooms.keys()].filter((room) => !placed.includes(room)), []);
});

Deno.test("house: arrows go down only", () => {
  const floorOf = (room: string) => FLOORS.findIndex((floor) => floor.includes(room));
  const upward: string[] = [];
  for (const [room, targets] of rooms) {
    for (const target of targets) {
      if (floorOf(target) > floorOf(room)) upward.push(`${room} -> ${target}`);
    }
  }
  assertEquals(upward, []);
});

Deno.test("house: every room of kernels/ with a kernel has a test that imports from it", () => {
  const tests = paths.filter((path) => path.startsWith("tests/kernels/"));
  const tested = new Set(tests.flatMap(importsOf).map(folderOf));
  const kernels = shaders.filter((path) => text(path).includes("@compute"));
  const untested = [...new Set(kernels.map(folderOf))].filter((room) => !tested.has(room));
  assertEquals(untested, []);
});

Deno.test("house: the search for circles finds one", () => {
  const graph = new Map([["a", new Set(["b"])], ["b", new Set(["c", "d"])], ["d", new Set(["b"])]]);
  assertEquals(cycleIn(graph), "b -> d -> b");
  assertEquals(cycleIn(new Map([["a", new Set(["b", "c"])], ["b", new Set(["c"])]])), null);
});
