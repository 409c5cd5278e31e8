/** Which adapter is found or installed, on machines of every sort; then what this machine really has. */
import { InputError } from "../../../kernels/errors.ts";
import {
  adapterMatches,
  type AdapterSetup,
  ensureAdapter,
  type FoundAdapter,
} from "../../../workflows/setup/adapter.ts";
import { childEnvironment, type System, system } from "../../../workflows/setup/system.ts";
import { assert, assertEquals, assertRejects } from "../../assert.ts";

const adapter = (description: string, software: boolean): FoundAdapter => ({
  vendor: "",
  architecture: "",
  description,
  software,
});
const GEFORCE = adapter("NVIDIA GeForce RTX 4090", false);
const LLVMPIPE = adapter("llvmpipe (LLVM 15.0.6, 256 bits)", true);
const SWIFTSHADER = adapter("SwiftShader Device (Subzero)", true);

/** A machine made up for a test. */
interface Machine {
  readonly os?: System["os"];
  readonly loader?: boolean;
  /** Adapters by the manifest of their driver; the loader prefers the first. */
  readonly drivers?: Readonly<Record<string, FoundAdapter>>;
  readonly root?: boolean;
  readonly aptWorks?: boolean;
  readonly npmWorks?: boolean;
}

/** The machine as the set-up sees it, and a list of what was done to it. */
function imitate(machine: Machine): { on: System; done: string[] } {
  const { os = "linux", root = false, aptWorks = true, npmWorks = true } = machine;
  const done: string[] = [];
  let loader = machine.loader ?? true;
  const drivers: Record<string, FoundAdapter> = { ...machine.drivers };
  const on: System = {
    os,
    canInstall: root,
    hasSwiftShader: os === "linux",
    baseEnvironment: () => Promise.resolve({ DENO_WEBGPU_BACKEND: "vulkan" }),
    probe({ env, loaderFolder }) {
      if (!loader && loaderFolder === null && os === "linux") return Promise.resolve([]);
      const named = env.VK_DRIVER_FILES;
      if (named === "/ss/icd.json") return Promise.resolve([SWIFTSHADER]);
      const found = named === undefined ? Object.values(drivers).slice(0, 1) : [drivers[named]];
      return Promise.resolve(found);
    },
    manifests: () => Promise.resolve(Object.keys(drivers)),
    installMesa() {
      done.push("apt");
      if (!aptWorks) return Promise.resolve("no network");
      loader = true;
      drivers["/icd/lvp.json"] = LLVMPIPE;
      return Promise.resolve(null);
    },
    unpackSwiftShader() {
      done.push("npm");
      return Promise.resolve(npmWorks ? { folder: "/ss", manifest: "/ss/icd.json" } : null);
    },
  };
  return { on, done };
}

/** A machine, the adapter asked for, what is found, and what was done for it. */
const MACHINES: readonly (readonly [
  title: string,
  machine: Machine,
  name: string | undefined,
  found: FoundAdapter | null,
  done: string[],
])[] = [
  ["a GPU is there", { drivers: { g: GEFORCE, l: LLVMPIPE } }, undefined, GEFORCE, []],
  [
    "the software driver is chosen by name",
    { drivers: { g: GEFORCE, l: LLVMPIPE } },
    "software",
    LLVMPIPE,
    [],
  ],
  [
    "a GPU that ranks second is chosen by name",
    { drivers: { l: LLVMPIPE, g: GEFORCE } },
    "nvidia",
    GEFORCE,
    [],
  ],
  ["root without a driver", { root: true }, undefined, LLVMPIPE, ["apt"]],
  ["root without a loader", { root: true, loader: false }, undefined, LLVMPIPE, ["apt"]],
  ["root whose apt fails", { root: true, aptWorks: false }, undefined, SWIFTSHADER, ["apt", "npm"]],
  ["a user without a driver", {}, undefined, SWIFTSHADER, ["npm"]],
  ["a user without a loader", { loader: false }, undefined, SWIFTSHADER, ["npm"]],
  [
    "a GPU that lacks only the loader",
    { loader: false, drivers: { g: GEFORCE } },
    undefined,
    GEFORCE,
    ["npm"],
  ],
  ["SwiftShader by name", { root: true, drivers: { l: LLVMPIPE } }, "swiftshader", SWIFTSHADER, [
    "npm",
  ]],
  ["software on a machine with a GPU alone", { drivers: { g: GEFORCE } }, "software", SWIFTSHADER, [
    "npm",
  ]],
  [
    "a GPU that is not there is not replaced",
    { root: true, drivers: { l: LLVMPIPE } },
    "radeon",
    null,
    [],
  ],
  ["nothing can be had", { npmWorks: false }, undefined, null, ["npm"]],
  ["macOS brings its own", { os: "darwin", drivers: { m: GEFORCE } }, undefined, GEFORCE, []],
  ["macOS without an adapter installs nothing", { os: "darwin" }, undefined, null, []],
];

for (const [title, machine, name, found, expected] of MACHINES) {
  Deno.test(title, async () => {
    const { on, done } = imitate(machine);
    const said: string[] = [];
    const setup = await ensureAdapter(name, (line) => said.push(line), on).catch((error) => {
      assert(error instanceof InputError, String(error));
      return null;
    });
    assertEquals(setup?.adapter ?? null, found);
    assertEquals(done, expected);
    if (done.includes("apt")) assert(said[0].includes("installing mesa-vulkan-drivers"), said[0]);
    // What was found must be found again by a process that gets this environment.
    if (setup) assert((await on.probe(setup, name)).includes(setup.adapter));
  });
}

Deno.test("the refusal says what to run, or what there is", async () => {
  const refusal = (machine: Machine, name?: string) =>
    ensureAdapter(name, () => {}, imitate(machine).on);
  await assertRejects(
    () => refusal({ npmWorks: false }),
    InputError,
    "sudo apt-get install mesa-vulkan-drivers",
  );
  await assertRejects(
    () => refusal({ drivers: { l: LLVMPIPE } }, "radeon"),
    InputError,
    `no GPU adapter matches "radeon": there is ${LLVMPIPE.description}`,
  );
});

Deno.test("names match any part, in any case", () => {
  assert(adapterMatches(GEFORCE, "nvidia") && adapterMatches(GEFORCE, "rtx 4090"));
  assert(adapterMatches(LLVMPIPE, "software") && !adapterMatches(GEFORCE, "software"));
});

Deno.test("a loader's folder goes before the library path that is there", () => {
  const before = Deno.env.get("LD_LIBRARY_PATH");
  const setup: Pick<AdapterSetup, "env" | "loaderFolder"> = {
    env: { A: "1" },
    loaderFolder: "/ss",
  };
  Deno.env.set("LD_LIBRARY_PATH", "/x");
  assertEquals(childEnvironment(setup), { A: "1", LD_LIBRARY_PATH: "/ss:/x" });
  Deno.env.delete("LD_LIBRARY_PATH");
  assertEquals(childEnvironment(setup), { A: "1", LD_LIBRARY_PATH: "/ss" });
  assertEquals(childEnvironment({ ...setup, loaderFolder: null }), { A: "1" });
  if (before !== undefined) Deno.env.set("LD_LIBRARY_PATH", before);
});

Deno.test("this machine has an adapter, and a process that asks for it computes through Vulkan on Linux", async () => {
  const { env, adapter } = await ensureAdapter(undefined, () => {});
  assert(adapter.description !== "");
  if (Deno.build.os === "linux") {
    assertEquals(env.DENO_WEBGPU_BACKEND ?? Deno.env.get("DENO_WEBGPU_BACKEND"), "vulkan");
  }
});

Deno.test("a probe of a driver that does not exist finds nothing and does not throw", async () => {
  const env = {
    ...await system.baseEnvironment(),
    VK_DRIVER_FILES: "/no/such/driver.json",
    VK_ICD_FILENAMES: "",
  };
  if (Deno.build.os === "linux") {
    assertEquals(await system.probe({ env, loaderFolder: null }, undefined), []);
  }
});
