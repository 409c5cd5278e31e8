/**
 * The report and the live view in headless Chromium: nothing complains, nothing is fetched, nothing runs over, text can be read.
 *
 * INFANT_PICTURES=DIR keeps the pictures, to be looked at.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { LiveView } from "../../../workflows/report/live/server.ts";
import { writeReport } from "../../../workflows/report/report.ts";
import { findChromium } from "../../browser/chromium.ts";
import { Browser, type Look } from "../../browser/devtools.ts";
import { assert, assertEquals } from "../../assert.ts";
import { writeRichRun, writeSweep } from "./fixture.ts";

const chromium = findChromium();
const reason = chromium ? "" : " (skipped: no chromium or google-chrome on PATH)";
const pictures = Deno.env.get("INFANT_PICTURES");

const LOOKS: readonly Look[] = [
  { scheme: "light", width: 1200 },
  { scheme: "dark", width: 1200 },
  { scheme: "light", width: 390 },
  { scheme: "light", width: 800, media: "print" },
];

/**
 * The lowest contrast of the page's text with what it lies on, and how far the page runs over its window. Charts are SVG: their text
 * has a fill. Backgrounds here are opaque or none.
 */
const MEASURE = `(() => {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number)
      .map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = { contrast: 99, text: "" };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walk.nextNode();) {
    const element = node.parentElement;
    if (node.data.trim() === "" || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const [a, b] = [luminance(ink), luminance(behind(element))].sort((x, y) => x - y);
    const contrast = (b + 0.05) / (a + 0.05);
    if (contrast < worst.contrast) worst = { contrast, text: node.data.trim().slice(0, 60) };
  }
  return { worst, over: document.documentElement.scrollWidth - innerWidth };
})()`;

Deno.test({
  name: `report in Chromium${reason}`,
  ignore: chromium === null,
  fn: async (t) => {
    const folder = await Deno.makeTempDir({ prefix: "infant-report-" });
    try {
      const [rich, sweep] = [join(folder, "rich"), join(folder, "sweep")];
      await writeRichRun(rich);
      await writeSweep(sweep);
      const [one, all] = [join(folder, "one.html"), join(folder, "all.html")];
      await writeReport({ runs: [rich], sweep: null, out: one });
      await writeReport({ runs: [rich, rich], sweep, out: all });
      await using browser = await Browser.start(chromium!);
      for (const path of [one, all]) {
        for (const look of LOOKS) {
          const { scheme, width, media = "screen" } = look;
          await t.step(
            `${path === one ? "one run" : "all"}, ${scheme}, ${width}, ${media}`,
            () => seen(browser, path, look),
          );
        }
      }
      await t.step(
        "keyboard: the first stop skips to the content, points can be reached",
        () => keyboard(browser, all),
      );
      await t.step("paper: it prints", async () => {
        await browser.look({ scheme: "light", width: 1200 });
        await browser.open(pathToFileURL(one).href);
        const pdf = await browser.pdf();
        assertEquals(new TextDecoder().decode(pdf.subarray(0, 5)), "%PDF-");
        await keep("report.pdf", pdf);
      });
      await t.step(
        "live: new parts come in, and what is open stays open",
        () => live(browser, folder, rich),
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

async function seen(browser: Browser, path: string, look: Look): Promise<void> {
  await browser.look(look);
  const url = pathToFileURL(path).href;
  await browser.open(url);
  assertEquals(browser.complaints, []);
  assertEquals(browser.requests.filter((one) => one !== url && one !== "data:,"), []);
  const { worst, over } = await browser.evaluate(MEASURE);
  assert(worst.contrast >= 4.5, `contrast ${worst.contrast} of "${worst.text}"`);
  assertEquals(over, 0);
  const { scheme, width, media = "screen" } = look;
  const name = path.replace(/.*[\\/]|\.html$/g, "");
  await keep(`${name}-${scheme}-${width}-${media}.png`, await browser.picture());
}

async function keyboard(browser: Browser, path: string): Promise<void> {
  await browser.look({ scheme: "light", width: 1200 });
  await browser.open(pathToFileURL(path).href);
  const stops = await browser.evaluate(`[...document.querySelectorAll(
    "a[href], summary, [tabindex='0']")].filter((e) => e.checkVisibility())
    .map((e) => e.getAttribute("href") ?? e.tagName)`);
  assertEquals(stops[0], "#content");
  assertEquals(stops.filter((stop: string) => stop.startsWith("#point-")).length, 5);
  const marked = await browser.evaluate(`(() => {
    location.hash = "point-2";
    return document.querySelector("tr:target")?.id;
  })()`);
  assertEquals(marked, "point-2");
}

async function live(browser: Browser, folder: string, rich: string): Promise<void> {
  const run = join(folder, "growing");
  await Deno.mkdir(run);
  const rows = (await Deno.readTextFile(join(rich, "metrics.jsonl"))).split("\n");
  const write = (count: number) =>
    Deno.writeTextFile(join(run, "metrics.jsonl"), rows.slice(0, count).join("\n") + "\n");
  await write(10);
  await using view = new LiveView({ folder: run, port: 0, pause: 50 });
  await browser.look({ scheme: "dark", width: 1200 });
  await browser.open(view.url);
  await browser.evaluate(`document.getElementById("loss-data").open = true`);
  await write(80);
  const state = await until<{ banner: string; open: boolean; sections: string[] }>(
    browser,
    `({
    banner: document.getElementById("live").innerText,
    open: document.getElementById("loss-data").open,
    sections: [...document.querySelectorAll("main > section")].map(({ id }) => id),
  })`,
    ({ banner }) => banner.includes("imprint"),
  );
  assertEquals(state.open, true);
  assertEquals(state.sections, ["stages", "losses", "origin"]);
  await Deno.copyFile(join(rich, "scores.json"), join(run, "scores.json"));
  const grown = await until<string[]>(
    browser,
    `[...document.querySelectorAll("main > section")].map(({ id }) => id)`,
    (sections) => sections.includes("exam"),
  );
  assertEquals(grown, ["stages", "losses", "exam", "origin"]);
  await keep("live-dark.png", await browser.picture());
  await view.finish();
  await until<string>(
    browser,
    `document.getElementById("live").innerText`,
    (text) => /ended/.test(text),
  );
  assertEquals(browser.complaints, []);
}

/** Asks the page until it answers as wanted; a test that waits forever is stopped by its runner. */
async function until<T>(
  browser: Browser,
  ask: string,
  wanted: (answer: T) => boolean,
): Promise<T> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await browser.evaluate(ask);
    if (wanted(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`the page does not come to ${wanted}`);
}

async function keep(name: string, bytes: Uint8Array): Promise<void> {
  if (!pictures) return;
  await Deno.mkdir(pictures, { recursive: true });
  await Deno.writeFile(join(pictures, name), bytes);
}
