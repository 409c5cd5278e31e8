/**
 * The toolkit's own process, so that it is measured as its peers are. The argument is the adapter, if one was named.
 */
import { openGpu } from "../../../kernels/gpu/device.ts";
import { serveLibrary } from "../peers/serve.ts";
import { toolkit } from "./toolkit.ts";

if (import.meta.main) {
  await serveLibrary(async () => toolkit(await openGpu({ adapter: Deno.args[0] })));
}
