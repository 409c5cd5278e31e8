/**
 * A cheap function to sweep over: a concave front with noise from the seed, all of it a function of values and seed. `ms` makes it
 * take that long in small portions, `block` makes it hold its thread for as long, as waiting for a GPU does, and `gate` makes it wait for a
 * file.
 */
import type { ModuleResult, PointFunction } from "../../../workflows/sweep/point.ts";
import { Random } from "../../../workflows/data/random.ts";

const fakePoint: PointFunction = async (values, seed, hooks): Promise<ModuleResult> => {
  const { lambda, ms = 0, block = 0, fail = "" } = values as Record<string, number>;
  for (let done = 0; done < ms && !hooks.stopped(); done += 10) {
    hooks.progress(done, ms);
    await new Promise((wake) => setTimeout(wake, 10));
  }
  const { gate } = values as Record<string, string | undefined>;
  const closed = () => Deno.stat(gate!).then(() => false, () => true);
  while (gate && !hooks.stopped() && await closed()) {
    await new Promise((wake) => setTimeout(wake, 10));
  }
  const until = performance.now() + block;
  while (performance.now() < until);
  if (fail) throw new Error(`${fail}`);
  const random = new Random(seed, "fake", `${lambda}`);
  const measures = () => {
    const noise = 0.02 * (random.unit() - 0.5);
    return { capability: Math.cos(lambda) + noise, safety: Math.sin(lambda) - noise };
  };
  return { validation: measures(), test: measures(), cost: { steps: 10 } };
};
export default fakePoint;
