/**
 * The toolkit's own process, so that it is measured as its peers are. The arguments are the adapter and the schedule of matrix
 * products, empty where none was named.
 */
import { openDevice } from "../../setup/open.ts";
import { serveLibrary } from "../peers/serve.ts";
import { toolkit } from "./toolkit.ts";

if (import.meta.main) {
  const [adapter, matmul] = Deno.args.map((name) => name || undefined);
  await serveLibrary(async () => toolkit(await openDevice({ adapter, matmul }, () => {})));
}
