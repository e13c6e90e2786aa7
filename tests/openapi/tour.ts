// The tour of README.md with the types that openapi-typescript has generated. Usage: node tour.js URL USERNAME.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

const [url, username] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl: url });

/** Returns the body of a response without an error. */
function done<T>(result: { data?: T; error?: components["schemas"]["Problem"]; response: Response }): T {
  if (result.data === undefined) throw new Error(`${result.response.status}: ${result.error?.detail}`);
  return result.data;
}

function equal(actual: unknown, wanted: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(wanted)) {
    throw new Error(`${JSON.stringify(actual)} is not ${JSON.stringify(wanted)}`);
  }
}

const password = "correct horse battery";
done(await api.POST("/api/auth/register", { body: { username, password } }));
const { tokens } = done(await api.POST("/api/auth/login", { body: { username, password } }));
api.use({
  onRequest({ request }) {
    request.headers.set("authorization", `Bearer ${tokens.access_token}`);
    return request;
  },
});

const csv = "carrier,dep_delay\nUA,2\nAA,75\nB6,90\n";
const { file } = done(
  await api.POST("/api/files", {
    params: { header: { "X-File-Name": "flights.csv" } },
    headers: { "content-type": "text/csv" },
    body: csv,
    bodySerializer: (body) => body,
  }),
);
equal(file.filename, "flights.csv");

const path = { id: file.id };
const cut = await api.GET("/api/files/{id}/cut", {
  params: { path, query: { columns: "carrier", format: "csv", limit: 1 } },
  parseAs: "text",
});
equal(done(cut), "carrier\nUA\n");
const late = done(
  await api.POST("/api/files/{id}/save", {
    params: { path },
    body: { whereFilters: { dep_delay: "> 60" }, filename: "late.csv" },
  }),
).file;
const download = await api.GET("/api/files/{id}", { params: { path: { id: late.id } }, parseAs: "text" });
equal(done(download), "carrier,dep_delay\nAA,75\nB6,90\n");
equal(done(await api.GET("/api/files", { params: { query: { sort: "-size", limit: 10 } } })).total, 2);
done(await api.DELETE("/api/files/{id}", { params: { path: { id: late.id }, query: { permanent: true } } }));
const gone = await api.GET("/api/files/{id}", { params: { path: { id: late.id } }, parseAs: "text" });
equal(gone.error !== undefined && gone.response.status, 404);
