/**
 * `node main.mjs SECONDS CLIENTS`, called by `scripts/load`: sends requests to the release build with 1, 2, 4 and 8 times
 * as many clients, and prints the throughput and the latency as a table. Exits with 1 if a request fails, or if twice the
 * clients get less done than nine tenths of what the first clients got done.
 */
import autocannon from "autocannon";

import { Server } from "../../web/test/server.mjs";

const seconds = Number(process.argv[2]);
const clients = Number(process.argv[3]);
const FACTORS = [1, 2, 4, 8];
/** The file that is downloaded and cut: about 1 MB. */
const ROWS = 20_000;
/** The file that is uploaded: about 100 KB. */
const UPLOADED_ROWS = 2_000;
/** A request that takes longer than this has failed. */
const TIMEOUT_SECONDS = 30;

const csv = (rows) =>
  "id,city,amount,note\n" +
  Array.from(
    { length: rows },
    (_, n) => `${n},${n % 10 ? "Bern" : "Basel"},${n * 7},a note with some text\n`,
  ).join("");

const server = await Server.create();
let failed = false;
try {
  const call = async (path, options) => {
    const response = await fetch(server.url + path, options);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const session = await call("/api/auth/register", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username: "load", password: "correct horse battery" }),
  });
  const headers = { Authorization: `Bearer ${session.tokens.access_token}` };
  const upload = {
    method: "POST",
    path: "/api/files",
    headers: { ...headers, "Content-Type": "text/csv", "X-File-Name": "load.csv" },
    body: csv(UPLOADED_ROWS),
  };
  const { file } = await call("/api/files", { ...upload, body: csv(ROWS) });
  const get = (path) => ({ method: "GET", path, headers });
  const list = get("/api/files?limit=50");
  const download = get(`/api/files/${file.id}`);
  const cut = get(`/api/files/${file.id}/cut?city__eq=Basel`);
  const kinds = {
    list: [list],
    download: [download],
    cut: [cut],
    mixed: [...Array(6).fill(list), ...Array(2).fill(download), cut, upload],
    // The last, because it adds files to the list.
    upload: [upload],
  };
  console.log("| requests | clients | per second | p50 | p99 | failed |\n|---|---|---|---|---|---|");
  for (const [kind, requests] of Object.entries(kinds)) {
    const done = [];
    for (const factor of FACTORS) {
      const result = await autocannon({
        url: server.url,
        connections: clients * factor,
        duration: seconds,
        timeout: TIMEOUT_SECONDS,
        requests,
      });
      const bad = result.errors + result.timeouts + result.non2xx;
      done.push(result["2xx"] / result.duration);
      if (bad > 0) failed = true;
      const { p50, p99 } = result.latency;
      console.log(
        `| ${kind} | ${clients * factor} | ${done.at(-1).toFixed(1)} | ${p50} ms | ${p99} ms | ${bad} |`,
      );
    }
    if (done[1] < 0.9 * done[0]) {
      console.log(`${kind}: twice the clients get only ${(done[1] / done[0]).toFixed(2)} times as much done`);
      failed = true;
    }
  }
} finally {
  await server.remove();
}
process.exitCode = failed ? 1 : 0;
