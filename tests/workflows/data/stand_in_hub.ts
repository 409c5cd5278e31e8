/**
 * A stand-in for the hub: one repository, `org/set`, as data set and as model, with the routes the client package asks for.
 */

/** The commit that every revision means. */
export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

/** Serves `files` on a free port of this machine and keeps the paths that were asked for. */
export function startHub(
  files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>,
): { readonly url: string; readonly requests: readonly string[]; stop(): Promise<void> } {
  const requests: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    requests.push(pathname);
    // Data sets have a prefix in the addresses of files, models have none.
    const path = pathname.replace(/^\/api\/(datasets|models)\//, "/api/").replace(
      "/datasets/",
      "/",
    );
    if (path.startsWith("/api/org/set/revision/")) {
      return Response.json({ _id: "1", id: "org/set", sha: COMMIT, lastModified: "2024-01-01" });
    }
    if (path.startsWith(`/api/org/set/tree/${COMMIT}`)) {
      const entries = Object.entries(files);
      return Response.json(
        entries.map(([path, { length }]) => ({ type: "file", path, size: length, oid: "0" })),
      );
    }
    const prefix = `/org/set/resolve/${COMMIT}/`;
    const bytes = path.startsWith(prefix) && files[path.slice(prefix.length)];
    if (!bytes) return Response.json({ error: "Repository not found" }, { status: 404 });
    const range = /bytes=(\d+)-(\d*)/.exec(request.headers.get("range") ?? "");
    const [from, to] = range
      ? [Number(range[1]), range[2] === "" ? bytes.length - 1 : Number(range[2])]
      : [0, bytes.length - 1];
    return new Response(bytes.slice(from, to + 1), {
      status: range ? 206 : 200,
      headers: { "content-range": `bytes ${from}-${to}/${bytes.length}`, etag: '"e"' },
    });
  });
  return { url: `http://127.0.0.1:${server.addr.port}`, requests, stop: () => server.shutdown() };
}
