import {
  eventTimes,
  readEnvironments,
  readSessions,
  recordEnvironment,
} from "../../../workflows/logging/environment.ts";
import { RunLog } from "../../../workflows/logging/run_log.ts";
import { assertEquals } from "../../assert.ts";

Deno.test("environment: sessions run from the first to the last event of each file", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const start of [1000, 5000]) {
      let time = start;
      using log = await RunLog.open({
        folder,
        stages: [{ name: "a", steps: 3 }],
        wallTime: () => time++,
      });
      for (let step = 1; step <= 3; step++) log.step({ step, loss: 1, tokens: step });
    }
    // An event for the version, then one a row.
    assertEquals(await readSessions(folder), [{ from: 1000, to: 1003 }, { from: 5000, to: 5003 }]);
    await recordEnvironment(folder, "one");
    await recordEnvironment(folder, "one");
    await recordEnvironment(folder, "two");
    assertEquals((await readEnvironments(folder)).map(({ adapter }) => adapter), ["one", "two"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("environment: a file that was cut off counts as far as it goes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    let time = 10;
    {
      using log = await RunLog.open({
        folder,
        stages: [{ name: "a", steps: 2 }],
        wallTime: () => time++,
      });
      log.step({ step: 1, loss: 1, tokens: 1 });
      log.step({ step: 2, loss: 1, tokens: 2 });
    }
    for await (const { name } of Deno.readDir(folder)) {
      if (!name.startsWith("events")) continue;
      const bytes = await Deno.readFile(`${folder}/${name}`);
      assertEquals(eventTimes(bytes), { from: 10, to: 12 });
      assertEquals(eventTimes(bytes.subarray(0, bytes.length - 1)), { from: 10, to: 11 });
      assertEquals(eventTimes(bytes.subarray(0, 10)), null);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
