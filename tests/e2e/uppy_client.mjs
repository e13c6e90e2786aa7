/**
 * Uploads a file with an unmodified Uppy and its tus plugin: `node uppy_client.mjs OPTIONS`. OPTIONS is JSON:
 *
 * - `endpoint`, `token`, `path`: the server, the user, and the file;
 * - `chunkSize` in bytes;
 * - `pauseAfter`: pause after this many acknowledged bytes, and resume a moment later.
 *
 * Writes a line of JSON for each event: `{accepted}`, `{paused}`, `{fileId}`, `{error}`.
 */
import fs from "node:fs";
import path from "node:path";
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";

const options = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let pauseAfter = options.pauseAfter ?? Infinity;
let fileId = null;

const uppy = new Uppy().use(Tus, {
  endpoint: options.endpoint,
  chunkSize: options.chunkSize,
  headers: { authorization: `Bearer ${options.token}` },
  onAfterResponse(_, response) {
    fileId = response.getHeader("X-File-Id") ?? fileId;
    const accepted = Number(response.getHeader("Upload-Offset") ?? 0);
    say({ accepted });
    if (accepted < pauseAfter) return;
    pauseAfter = Infinity;
    setTimeout(pause);
  },
});

function pause() {
  const [{ id }] = uppy.getFiles();
  say({ paused: uppy.pauseResume(id) });
  setTimeout(() => uppy.pauseResume(id), 200);
}

// In Node the client takes a buffer in the place of a browser's file.
const data = fs.readFileSync(options.path);
uppy.addFile({ name: path.basename(options.path), type: "text/csv", data, size: data.length });
const { failed, successful } = await uppy.upload();
for (const { error } of failed) say({ error });
if (successful.length === 1) say({ fileId });
process.exitCode = failed.length;
