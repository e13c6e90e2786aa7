/**
 * Uploads, downloads and cuts a file with one unmodified client: `node stock_clients.mjs CLIENT OPTIONS`. OPTIONS is
 * JSON, with the members that `stock_clients.py` describes.
 *
 * The script ends with an error if a result is wrong.
 */
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import { Readable } from "node:stream";
import axios from "axios";
import Papa from "papaparse";
import * as undici from "undici";

const [client, text] = process.argv.slice(2);
const options = JSON.parse(text);
const { base, token, path, name, encodedName, kept } = options;
const bytes = fs.readFileSync(path);
const headers = { Authorization: `Bearer ${token}` };
const named = { ...headers, "X-File-Name": encodeURIComponent(name) };
const filesUrl = `${base}/api/files`;
const fileUrl = `${filesUrl}/${options.file}`;
const cutUrl = `${fileUrl}/cut?${options.cut}`;
const save = {
  selectedColumns: ["id", "customer"],
  whereFilters: { amount: "> 990" },
  filename: "größer.csv",
};

assert.equal(named["X-File-Name"], encodedName);

const sha256 = (data) => crypto.createHash("sha256").update(data).digest("hex");

function expectUploaded(status, { file }) {
  assert.equal(status, 201);
  assert.equal(file.checksum, options.sha256);
  assert.equal(file.filename, name);
}

function expectSaved(status, { file }) {
  assert.equal(status, 201);
  assert.equal(file.filename, "größer.csv");
  assert.equal(file.rowCount, kept.length);
}

function expectFile(data) {
  assert.equal(sha256(data), options.sha256);
}

function expectCut(csv) {
  const [header, ...rows] = csv.trimEnd().split("\n");
  assert.equal(header, "id,customer");
  assert.deepEqual(
    rows.map((row) => row.split(",")[0]),
    kept,
  );
}

async function collect(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The form that a page sends when its user has chosen the file. */
function form(FormData) {
  const form = new FormData();
  form.append("tags", "a,b");
  form.append("file", new File([bytes], name, { type: "text/csv" }));
  return form;
}

const clients = {
  async axios() {
    const http = axios.create({ headers });
    let answer = await http.post(filesUrl, form(FormData));
    expectUploaded(answer.status, answer.data);
    // axios makes a form from an object, and sends a stream in chunks without a length.
    answer = await http.postForm(filesUrl, { file: fs.createReadStream(path), tags: "a,b" });
    expectUploaded(answer.status, answer.data);
    answer = await http.post(filesUrl, fs.createReadStream(path), { headers: named });
    expectUploaded(answer.status, answer.data);
    answer = await http.post(filesUrl, bytes, { headers: { ...named, "Content-Type": "text/csv" } });
    expectUploaded(answer.status, answer.data);

    answer = await http.get(fileUrl, { responseType: "stream" });
    assert.match(answer.headers["content-disposition"], new RegExp(`filename\\*=UTF-8''${encodedName}`));
    expectFile(await collect(answer.data));
    answer = await http.get(fileUrl, { responseType: "arraybuffer" });
    expectFile(answer.data);
    answer = await http.get(cutUrl);
    expectCut(answer.data);
    answer = await http.get(`${fileUrl}/cut`, {
      params: { columns: "id,customer", amount__gt: 990, format: "json" },
    });
    assert.deepEqual(
      answer.data.map((row) => row.id),
      kept,
    );
    answer = await http.post(`${fileUrl}/save`, save);
    expectSaved(answer.status, answer.data);
  },

  async undici() {
    let answer = await undici.fetch(filesUrl, { method: "POST", headers, body: form(undici.FormData) });
    expectUploaded(answer.status, await answer.json());
    const stream = { method: "POST", headers: named, duplex: "half" };
    answer = await undici.fetch(filesUrl, { ...stream, body: Readable.toWeb(fs.createReadStream(path)) });
    expectUploaded(answer.status, await answer.json());
    let { statusCode, body } = await undici.request(filesUrl, {
      method: "POST",
      headers: named,
      body: fs.createReadStream(path),
    });
    expectUploaded(statusCode, await body.json());
    ({ statusCode, body } = await undici.request(filesUrl, {
      method: "POST",
      headers,
      body: form(undici.FormData),
    }));
    expectUploaded(statusCode, await body.json());

    answer = await undici.fetch(fileUrl, { headers });
    expectFile(await answer.bytes());
    ({ body } = await undici.request(fileUrl, { headers }));
    expectFile(await collect(body));
    answer = await undici.fetch(cutUrl, { headers });
    assert.equal(answer.headers.get("content-encoding"), "gzip");
    expectCut(await answer.text());
    ({ statusCode, body } = await undici.request(`${fileUrl}/save`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(save),
    }));
    expectSaved(statusCode, await body.json());
  },

  async papaparse() {
    const rows = async (url, config) => {
      const answer = await fetch(url, { headers });
      assert.equal(answer.status, 200);
      const parsed = [];
      const parser = Papa.parse(Papa.NODE_STREAM_INPUT, { header: true, ...config });
      for await (const row of Readable.fromWeb(answer.body).pipe(parser)) parsed.push(row);
      return parsed;
    };
    const all = await rows(fileUrl, { dynamicTyping: true });
    assert.equal(all.length, options.rows);
    assert.deepEqual(
      all.filter((row) => row.amount > 990).map((row) => String(row.id)),
      kept,
    );
    assert.deepEqual(
      (await rows(cutUrl)).map((row) => row.id),
      kept,
    );

    // Row by row, with a pause after each chunk of the response.
    const answer = await fetch(cutUrl, { headers });
    const seen = [];
    await new Promise((resolve, reject) => {
      Papa.parse(Readable.fromWeb(answer.body), {
        header: true,
        skipEmptyLines: true,
        step({ data, errors }, parser) {
          assert.deepEqual(errors, []);
          seen.push(data.id);
          if (seen.length % 200 === 0) {
            parser.pause();
            setTimeout(() => parser.resume(), 5);
          }
        },
        complete: resolve,
        error: reject,
      });
    });
    assert.deepEqual(seen, kept);

    // A page uploads what Papa Parse has written.
    const body = Papa.unparse(all.slice(0, 1000));
    const stored = await fetch(filesUrl, { method: "POST", headers: named, body });
    assert.equal(stored.status, 201);
    const { file } = await stored.json();
    assert.deepEqual([file.rowCount, file.checksum], [1000, sha256(body)]);
  },
};

await clients[client]();
