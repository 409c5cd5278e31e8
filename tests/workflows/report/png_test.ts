import { Resvg } from "@resvg/resvg-js";
import { encodePng } from "../../../workflows/report/png.ts";
import { assertEquals } from "../../assert.ts";

Deno.test("png: another reader finds the same pixels", () => {
  const [width, height] = [5, 3];
  const pixels = Uint8Array.from(
    { length: 4 * width * height },
    (_, i) => i % 4 === 3 ? 255 : 17 * i,
  );
  const png = encodePng(pixels, width, height);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<image width="${width}" height="${height}" image-rendering="pixelated" href="data:image/png;base64,${png.toBase64()}"/></svg>`;
  const read = new Resvg(svg).render();
  assertEquals([read.width, read.height], [width, height]);
  assertEquals([...read.pixels], [...pixels]);
});
