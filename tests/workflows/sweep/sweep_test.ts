/** Sweeps in one process: idempotent, interrupted, extended, adaptive, queried, written for a cluster. */
import { join } from "node:path";
import { assert, assertAlmostEquals, assertEquals } from "../../assert.ts";
import { command, fakeSweep, inFolder, resultsIn, run, until } from "./helpers.ts";

const GRID = { grid: { lambda: [0, 0.5, 1, 1.5] } };
const write = async (folder: string, text: string) => {
  const path = join(folder, "sweep-to-run.yaml");
  await Deno.writeTextFile(path, text);
  return path;
};

Deno.test("a sweep is computed once: again is nothing to do, longer is only the rest", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "out");
    const first = await run(
      "sweep",
      "--config",
      await write(folder, fakeSweep(GRID)),
      "--out",
      out,
    );
    assertEquals(first.code, 0, first.stderr);
    const bytes = resultsIn(out);
    const made = (key: string) =>
      Deno.statSync(join(out, "points", key, "timing.json")).mtime!.getTime();
    const times = [...bytes.keys()].map(made);
    assertEquals(bytes.size, 8);
    assertEquals(first.json.points, { done: 8, planned: 8 });
    for (const file of ["sweep.yaml", "front.json", "front.vl.json", "front.svg"]) {
      assert(Deno.statSync(join(out, file)).size > 0);
    }
    const again = await run("sweep", "--resume", out);
    assertEquals([again.code, again.json.front], [0, first.json.front]);
    assertEquals([...bytes.keys()].map(made), times);
    const longer = await run("sweep", "--resume", out, "search.grid.lambda=[0,0.5,1,1.2,1.5]");
    assertEquals(longer.json.points, { done: 10, planned: 10 });
    assertEquals([...bytes.keys()].map(made), times);
  });
});

Deno.test("Ctrl-C and SIGKILL lose what was being computed and nothing else", async () => {
  await inFolder(async (folder) => {
    // A sweep comes to a gate and waits there, so that however slow the machine is, it is interrupted in the middle of a point.
    const gates = ["first", "second"].map((name) => join(folder, name));
    const list = [0, 0.5, 1, 1.5].map((lambda, i) => ({ lambda, gate: gates[(i - 1) / 2] ?? "" }));
    const path = await write(folder, fakeSweep({ list }));
    const out = join(folder, "out");
    for (const [i, [signal, code]] of ([["SIGINT", 1], ["SIGKILL", 137]] as const).entries()) {
      const child = command("sweep", ["--config", path, "--out", out, "--json"]).spawn();
      await until(
        "all points before the gate",
        async () =>
          await Deno.stat(join(out, "points")).then(
            () => resultsIn(out).size === (i === 0 ? 2 : 6),
            () => false,
          ),
      );
      const status = await run("sweep", "--status", out);
      assertEquals(status.json.points, { done: i === 0 ? 2 : 6, planned: 8 });
      assert(status.json.running.length <= 1);
      child.kill(signal);
      const { code: found, stdout, stderr } = await child.output();
      assertEquals(found, code);
      if (signal === "SIGINT") {
        assertEquals(JSON.parse(new TextDecoder().decode(stdout)).stopped, true);
        assert(
          new TextDecoder().decode(stderr).includes(
            `continue with: deno task sweep --resume ${out}`,
          ),
        );
      }
      await Deno.writeTextFile(gates[i], "");
    }
    assertEquals(resultsIn(out).size, 6);
    assertEquals((await run("sweep", "--resume", out)).code, 0);
    const whole = join(folder, "whole");
    assertEquals((await run("sweep", "--config", path, "--out", whole)).code, 0);
    assertEquals(resultsIn(out), resultsIn(whole));
    assertEquals(
      await Deno.readTextFile(join(out, "front.json")),
      await Deno.readTextFile(join(whole, "front.json")),
    );
  });
});

Deno.test("an adaptive sweep finds the edge of what is permitted, and goes on where it was", async () => {
  await inFolder(async (folder) => {
    const keys = { lambda: { low: 0, high: 1.5 } };
    const adaptive = { keys, start: 3, points: 9, rule: "epsilon_constraint", targets: [0.8] };
    const path = await write(folder, fakeSweep({ adaptive }, { minimum: 0.8 }));
    const out = join(folder, "out");
    const { code, json, stderr } = await run("sweep", "--config", path, "--out", out);
    assertEquals(code, 0, stderr);
    assertEquals([json.points.planned, json.settings.length], [18, 9]);
    // sin(lambda) reaches 0.8 at 0.927.
    assertAlmostEquals(json.lambdaStar.byMean.lambda, Math.asin(0.8), 0.05);
    assertEquals(json.lambdaStar.key, "lambda");
    Deno.removeSync(join(out, "points", json.settings[6].keys[1]), { recursive: true });
    const again = await run("sweep", "--resume", out);
    assertEquals({ ...again.json, sweep: 0 }, { ...json, sweep: 0 });
  });
});

Deno.test("one point that fails leaves the others, is named, and is tried again", async () => {
  await inFolder(async (folder) => {
    const list = [{ lambda: 0.2 }, { lambda: 0.4, fail: "no memory" }, { lambda: 0.6 }];
    const path = await write(folder, fakeSweep({ list }, { seeds: [0] }));
    const out = join(folder, "out");
    const { code, json, stderr } = await run("sweep", "--config", path, "--out", out);
    assertEquals([code, json.points], [1, { done: 2, planned: 3 }]);
    assertEquals(json.failed, { "lambda=0.4 fail=no memory seed=0": "no memory" });
    assert(stderr.includes("1 points failed"));
    assertEquals((await run("sweep", "--resume", out, "search.list=[{lambda: 0.2}]")).code, 0);
  });
});

Deno.test("an array job: one task a key, each an entry of the command line", async () => {
  await inFolder(async (folder) => {
    const path = await write(folder, fakeSweep(GRID));
    const out = join(folder, "it's out");
    const { code, json, stderr } = await run(
      "sweep",
      "--config",
      path,
      "--out",
      out,
      "--engine",
      "slurm",
    );
    assertEquals([code, json.points, json.shared], [0, 8, 0], stderr);
    const place = join(out, "slurm");
    // What Slurm would do: the submission in a shell with an sbatch that tells its arguments, then each task.
    const bin = join(folder, "bin");
    await Deno.mkdir(bin);
    await Deno.writeTextFile(join(bin, "sbatch"), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
    const deno =
      `${Deno.execPath()} run --quiet --no-check --no-lock --allow-all workflows/cli/sweep.ts`;
    await Deno.writeTextFile(join(bin, "deno"), `#!/bin/sh\nshift 3\nexec ${deno} "$@"\n`, {
      mode: 0o755,
    });
    const env = { PATH: `${bin}:${Deno.env.get("PATH")}`, NO_COLOR: "1" };
    const sh = async (...args: string[]) => {
      const command = new Deno.Command("sh", { args, env: { ...env, SLURM_ARRAY_TASK_ID: "3" } });
      const { success, stdout, stderr } = await command.output();
      assert(success, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    };
    assert((await sh(join(place, "submit.sh"))).includes("--array=1-8%8 task.sh"));
    await sh(join(place, "task.sh"), join(place, "points.txt"));
    const third = (await Deno.readTextFile(join(place, "points.txt"))).split("\n")[2];
    assertEquals([...resultsIn(out).keys()], [third]);
  });
});

Deno.test("bad input: exit code 2 and one line that says what to change", async () => {
  await inFolder(async (folder) => {
    const path = await write(folder, fakeSweep(GRID));
    const cases: readonly (readonly [args: string[], line: string])[] = [
      [
        [],
        "name one sweep: --config FILE.yaml, --preset NAME, --resume DIR or --status DIR, found none of them",
      ],
      [["--preset", "lamda"], 'unknown preset "lamda" (did you mean "lambda"?)'],
      [["--config", `${path}x`], `${path}x does not exist: check the path`],
      [
        ["--config", path, "objectives=[safety]"],
        "two different measures to trade off, found [safety]",
      ],
      [
        ["--config", path, "--engine", "slrum"],
        '--engine: there is no "slrum" (did you mean "slurm"?)',
      ],
      [["--config", path, "--engine", "bullmq"], "--engine bullmq needs --redis URL"],
      [["--config", path, "--redis", "redis://x"], "--redis and --queue belong to --engine bullmq"],
      [["--config", path, "--only", "abc", "--out", folder], "has no point of key abc"],
      [
        ["--config", path, "objectives=[capability,speed]"],
        'there is no measure "speed": objectives may be capability, safety',
      ],
    ];
    const found = await Promise.all(
      cases.map(([args]) => run("sweep", "--out", join(folder, crypto.randomUUID()), ...args)),
    );
    cases.forEach(([, line], i) => {
      const last = found[i].stderr.trimEnd().split("\n").at(-1)!;
      assert(last.startsWith("infant sweep: ") && last.includes(line), `${last} lacks ${line}`);
      assertEquals(found[i].code, 2);
    });
  });
});
