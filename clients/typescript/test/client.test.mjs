// Tests of the client against a server that is a function. Node removes the types from src/index.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, done, Problem } from "../src/index.ts";

const json = (status, body, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });
const problem = (status, code, headers) =>
  json(status, { title: "Title", detail: "Detail.", code, requestId: "r1" }, headers);

/** A client whose server gives these responses in turn, and the requests that the server received. */
function clientOf(responses, options = {}) {
  const requests = [];
  const client = createClient({
    baseUrl: "http://cutty.test",
    fetch: async (request) => {
      requests.push({ request, body: await request.text() });
      return responses.shift();
    },
    ...options,
  });
  return { client, requests };
}

const header = ({ request }, name) => request.headers.get(name);

test("a request has its path, query and body, and no credentials without tokens", async () => {
  const { client, requests } = clientOf([json(200, { files: [] }), json(200, { user: {}, tokens: {} })]);
  const query = { tag: ["a b", "ü&"], limit: 5, q: "x=1" };
  assert.deepEqual(await done(client.GET("/api/files", { params: { query } })), { files: [] });
  await done(client.POST("/api/auth/login", { body: { username: "ada", password: "secret" } }));
  const { searchParams } = new URL(requests[0].request.url);
  assert.deepEqual(searchParams.getAll("tag"), query.tag);
  assert.equal(searchParams.get("q"), "x=1");
  assert.equal(header(requests[0], "authorization"), null);
  assert.equal(header(requests[1], "idempotency-key"), null);
  assert.deepEqual(JSON.parse(requests[1].body), { username: "ada", password: "secret" });
});

test("a refused token is renewed once, and the request is repeated with its body and its key", async () => {
  const refused = [];
  let token = "old";
  const tokens = {
    current: () => token,
    renew: async (old) => {
      refused.push(old);
      token = "new";
    },
  };
  const expired = () => problem(401, "token_expired");
  const { client, requests } = clientOf([expired(), json(200, { file: { id: "1" } }), expired(), expired()], {
    tokens,
  });
  const change = () =>
    done(client.PATCH("/api/files/{id}", { params: { path: { id: "a/b" } }, body: { filename: "b.csv" } }));
  assert.equal((await change()).file.id, "1");
  assert.deepEqual(refused, ["old"]);
  assert.deepEqual(
    requests.map((sent) => header(sent, "authorization")),
    ["Bearer old", "Bearer new"],
  );
  assert.equal(requests[0].body, requests[1].body);
  assert.ok(requests[1].body.includes("b.csv"));
  assert.ok(header(requests[0], "idempotency-key"));
  assert.equal(header(requests[0], "idempotency-key"), header(requests[1], "idempotency-key"));
  assert.equal(new URL(requests[0].request.url).pathname, "/api/files/a%2Fb");
  await assert.rejects(change(), { status: 401, code: "token_expired" });
  assert.equal(requests.length, 4);
});

test("a busy server is asked again if it says when, and at most as often as allowed", async () => {
  const tokens = { current: () => "token" };
  const wait = { "retry-after": "0" };
  const busy = [
    problem(503, "unavailable", wait),
    problem(409, "in_progress", wait),
    json(200, { usage: 1 }),
  ];
  const { client, requests } = clientOf(busy, { tokens });
  assert.deepEqual(await done(client.GET("/api/usage")), { usage: 1 });
  assert.equal(requests.length, 3);

  const final = [
    problem(409, "conflict", wait),
    problem(503, "unavailable"),
    problem(503, "unavailable", wait),
  ];
  const other = clientOf(final, { tokens, retries: 0 });
  for (const code of ["conflict", "unavailable", "unavailable"])
    await assert.rejects(done(other.client.GET("/api/usage")), { code });
  assert.equal(other.requests.length, 3);
});

test("an aborted request does not wait", async () => {
  const abort = new AbortController();
  const { client } = clientOf([problem(503, "unavailable", { "retry-after": "9" })], {
    tokens: { current: () => "token" },
  });
  const request = client.GET("/api/usage", { signal: abort.signal });
  setTimeout(() => abort.abort(), 20);
  await assert.rejects(request, { name: "AbortError" });
});

test("an error is the problem of the API, or names the status if another server wrote it", async () => {
  const { client } = clientOf([
    problem(409, "user_exists", { "retry-after": "7" }),
    new Response("<html>Bad gateway", { status: 502, headers: { "x-request-id": "r2" } }),
  ]);
  const body = { username: "ada", password: "secret" };
  const error = await done(client.POST("/api/auth/register", { body })).catch((error) => error);
  assert.ok(error instanceof Problem);
  const { status, code, title, detail, requestId, retryAfter } = error;
  assert.deepEqual(
    { status, code, title, detail, requestId, retryAfter },
    { status: 409, code: "user_exists", title: "Title", detail: "Detail.", requestId: "r1", retryAfter: 7 },
  );
  await assert.rejects(done(client.GET("/health")), { status: 502, code: "unknown", requestId: "r2" });
});

test("a response without a body has no data", async () => {
  const { client } = clientOf([new Response(null, { status: 204 })]);
  const params = { path: { id: "1" }, header: { "Tus-Resumable": "1.0.0" } };
  assert.equal(await done(client.DELETE("/api/uploads/{id}", { params })), undefined);
});

test("objects are sent as JSON; texts, bytes and forms are sent as they are", async () => {
  const { client, requests } = clientOf([1, 2, 3].map(() => json(201, { file: {} })));
  const headers = { "content-type": "text/csv" };
  const form = new FormData();
  form.set("file", new File(["a,b\n"], "a.csv"));
  for (const [body, options] of [
    ["a,b\n", { headers }],
    [new TextEncoder().encode("a,b\n"), { headers }],
    [form, {}],
  ])
    await done(client.POST("/api/files", { body, ...options }));
  assert.equal(requests[0].body, "a,b\n");
  assert.equal(requests[1].body, "a,b\n");
  assert.equal(header(requests[1], "content-type"), "text/csv");
  assert.match(header(requests[2], "content-type"), /^multipart\/form-data; boundary=/);
  assert.ok(requests[2].body.includes('filename="a.csv"'));
});
