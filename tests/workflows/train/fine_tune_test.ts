import { silent, type StepReport } from "../../../workflows/logging/reporter.ts";
import { PlasticityTerm } from "../../../workflows/objective/plasticity.ts";
import { fineTune } from "../../../workflows/train/fine_tune.ts";
import { assert, assertEquals } from "../../assert.ts";
import { LENGTH, tinyPolicy } from "../objective/helpers.ts";
import { batchOfRows, rowsOf } from "./programs.ts";

const batch = batchOfRows(rowsOf(2, LENGTH, 7), LENGTH);
const source = { tokensPerBatch: 2 * LENGTH, batch: () => batch, describe: () => "one batch" };

Deno.test("fine-tuning learns, tells every step's loss, and does the same twice", async () => {
  const run = async () => {
    const policy = await tinyPolicy(1);
    const reports: StepReport[] = [];
    const reporter = { ...silent, step: (report: StepReport) => void reports.push(report) };
    const metrics = await fineTune(policy, source, { steps: 25, learningRate: 1e-2, reporter });
    policy.destroy();
    return { losses: metrics.map(({ loss }) => loss), reports };
  };
  const { losses, reports } = await run();
  assertEquals(losses.length, 25);
  assert(losses[24] < 0.7 * losses[0], `${losses[0]} -> ${losses[24]}`);
  assertEquals(reports.map(({ step }) => step), [10, 20, 25]);
  assertEquals(reports.map(({ loss }) => loss), [losses[9], losses[19], losses[24]]);
  assertEquals((await run()).losses, losses);
});

Deno.test("fine-tuning with a strong plasticity term hardly moves", async () => {
  const distance = async (kappa: number | null) => {
    const policy = await tinyPolicy(1);
    const { tensors: theta } = await policy.weights();
    const importance = new Map([...theta].map(([name, values]) => [name, values.map(() => 1)]));
    const anchors = [{ theta, importance }];
    const terms = kappa === null ? [] : [new PlasticityTerm({ weight: 1, kappa, anchors })];
    await fineTune(policy, source, { steps: 10, learningRate: 1e-3, terms });
    const { tensors: moved } = await policy.weights();
    terms.forEach((term) => term.destroy());
    policy.destroy();
    return [...theta].reduce(
      (sum, [name, values]) =>
        sum + values.reduce((part, x, i) => part + (x - moved.get(name)![i]) ** 2, 0),
      0,
    );
  };
  const [free, held] = [await distance(null), await distance(1e6)];
  assert(held < free / 10, `squared distances: held ${held}, free ${free}`);
});

Deno.test("fine-tuning with a prior tells the KL to it, and a larger rho keeps it smaller", async () => {
  const last = async (rho?: number) => {
    const [policy, prior] = [await tinyPolicy(1), await tinyPolicy(1)];
    const metrics = await fineTune(policy, source, { steps: 20, learningRate: 1e-2, prior, rho });
    [policy, prior].forEach((one) => one.destroy());
    assert(Math.abs(metrics[0].kl) < 1e-6, `it starts at the prior: ${metrics[0].kl}`);
    return metrics[19].kl;
  };
  const [loose, tight] = [await last(), await last(10)];
  assert(loose > 0.1 && tight < loose / 3, `KL ${loose}, with rho 10 ${tight}`);
});
