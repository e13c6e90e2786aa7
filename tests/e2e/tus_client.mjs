/**
 * Uploads a file with an unmodified tus-js-client: `node tus_client.mjs OPTIONS`. OPTIONS is JSON:
 *
 * - `endpoint`, `token`, `path`: the server, the user, and the file;
 * - `chunkSize` in bytes; by default one request sends all bytes;
 * - `sendFirst`: the creation sends the first bytes; `deferLength`: the length is sent at the end;
 * - `uploadUrl`: the upload to continue; `stopAfter`: abort after this many acknowledged bytes;
 * - `pauseMs`: the wait after each chunk.
 *
 * Writes a line of JSON for each event: `{url}`, `{accepted}`, `{retry}`, `{stopped}`, `{fileId}`, `{error}`.
 */
import fs from "node:fs";
import { PassThrough } from "node:stream";
import * as tus from "tus-js-client";

const options = JSON.parse(process.argv[2]);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// The client cannot find out the length of a stream that is not a file.
const file = fs.createReadStream(options.path);
const source = options.deferLength ? file.pipe(new PassThrough()) : file;

const upload = new tus.Upload(source, {
  endpoint: options.endpoint,
  uploadUrl: options.uploadUrl ?? null,
  chunkSize: options.chunkSize ?? Infinity,
  uploadDataDuringCreation: options.sendFirst ?? false,
  uploadLengthDeferred: options.deferLength ?? false,
  uploadSize: options.deferLength ? null : fs.statSync(options.path).size,
  headers: { Authorization: `Bearer ${options.token}` },
  metadata: { filename: options.filename ?? "by-tus-js-client.csv", filetype: "text/csv" },
  // Retries as long as the tests wait: a killed server needs seconds to restart.
  retryDelays: Array(60).fill(500),
  onShouldRetry(error, attempt, config) {
    const status = error.originalResponse?.getStatus() ?? 0;
    say({ retry: attempt, status, message: error.message });
    return status === 0 || status === 409 || status >= 500;
  },
  onUploadUrlAvailable: () => say({ url: upload.url }),
  async onChunkComplete(_, accepted) {
    say({ accepted });
    if (options.stopAfter && accepted >= options.stopAfter) {
      await upload.abort();
      say({ stopped: accepted });
    }
  },
  async onAfterResponse() {
    if (options.pauseMs) await new Promise((resolve) => setTimeout(resolve, options.pauseMs));
  },
  onSuccess({ lastResponse }) {
    say({ fileId: lastResponse.getHeader("X-File-Id") });
  },
  onError(error) {
    say({ error: error.message, status: error.originalResponse?.getStatus() ?? 0 });
    process.exitCode = 1;
  },
});
upload.start();
