// The examples of the page /docs: for each operation, a curl command and a call of the client in clients/typescript.
//
// docs.test.mjs runs every curl command, and `scripts/build-web --check` checks the types of every call.

/** A value that the reader supplies: a variable of the shell, and one of TypeScript. */
class Variable {
  constructor(shell, typescript, type = "string") {
    Object.assign(this, { shell, typescript, type });
  }
}

const variables = {
  file: new Variable("FILE", "file"),
  receipt: new Variable("RECEIPT", "receipt"),
  multipart: new Variable("MULTIPART", "multipart"),
  upload: new Variable("UPLOAD", "upload"),
  finding: new Variable("FINDING", "finding"),
  ticket: new Variable("TICKET", "ticket"),
  etag: new Variable("ETAG", "etag"),
  recipe: new Variable("RECIPE", "recipe"),
  key: new Variable("KEY_ID", "key"),
  session: new Variable("SESSION", "session"),
  share: new Variable("SHARE", "share"),
  link: new Variable("LINK", "link"),
  uploadLink: new Variable("UPLOAD_LINK", "uploadLink"),
  user: new Variable("USER_ID", "user"),
  refreshToken: new Variable("REFRESH_TOKEN", "refreshToken"),
  resetToken: new Variable("RESET_TOKEN", "resetToken"),
  verifyToken: new Variable("VERIFY_TOKEN", "verifyToken"),
};

const text = "name,city\nAda,Bern\nGrace,Basel\nJean,Bern\n";
/** The file that the examples upload. */
export const SAMPLE = { name: "people.csv", text };

const tus = { "Tus-Resumable": "1.0.0" };
const cut = { columns: ["name", "city"], whereFilters: { city: "= Bern" } };
const asCsv = { header: { "X-File-Name": SAMPLE.name, "X-File-Tags": "2026" }, bytes: "text/csv" };

/** What an example sends, by operation. An operation that is not in this table needs nothing but its path. */
const INPUTS = {
  login: { body: { username: "ada", password: "correct horse battery" } },
  logout: { body: { refresh_token: variables.refreshToken } },
  change_password: {
    body: { current_password: "correct horse battery", new_password: "battery horse correct" },
  },
  patch_profile: { body: { username: "ada.l", current_password: "correct horse battery" } },
  delete_account: { body: { current_password: "correct horse battery" } },
  request_reset: { body: { email: "ada@example.com" } },
  confirm_reset: { body: { token: variables.resetToken, new_password: "battery horse correct" } },
  verify_email: { body: { token: variables.verifyToken } },
  list_mailbox: { query: { limit: 10 } },
  list_usage: { query: { month: "2026-11", limit: 100 } },
  list_users: { query: { q: "ada", limit: 10 } },
  patch_user: { body: { quotaBytes: 1_000_000_000 } },
  patch_switches: { body: { cacheEnabled: true } },
  list_sessions: { query: { limit: 10 } },
  refresh: { body: { refresh_token: variables.refreshToken } },
  register: { body: { username: "ada", password: "correct horse battery", email: "ada@example.com" } },
  list_files: { query: { tag: ["2026"], sort: "-size", limit: 10 } },
  post_file: asCsv,
  post_file_upload: { ...asCsv, form: ["file=@people.csv", "tags=2026"] },
  patch_file: { body: { filename: "people-2026.csv", tags: ["2026", "members"] } },
  get_lineage: { query: { limit: 100 } },
  post_download: { body: { fileId: variables.file, recipe: cut } },
  // The description has one parameter for all conditions, so the types do not know the names of conditions.
  get_cut: { query: { columns: "name,city", limit: 100 }, conditions: { city__eq: "Bern" } },
  get_process: { query: { columns: "name,city", limit: 100 }, conditions: { city__eq: "Bern" } },
  get_estimate: { query: { columns: "name,city" }, conditions: { city__eq: "Bern" } },
  get_rows: { query: { offset: 1, limit: 2 } },
  post_cut: { body: cut },
  post_process: { body: cut },
  save_cut: { body: { ...cut, filename: "bern.csv" } },
  count_rows: { query: { filter: "city = Bern" } },
  list_receipts: { query: { limit: 10 } },
  share_file: { body: { kind: "download", expiresIn: 86_400 } },
  make_upload_link: { body: { kind: "upload", expiresIn: 86_400, maxUses: 10, tags: ["inbox"] } },
  list_shares: { query: { fileId: variables.file, limit: 10 } },
  patch_share: { body: { expiresIn: 604_800 } },
  post_shared: { header: { "X-File-Name": SAMPLE.name }, bytes: "text/csv" },
  get_shared_rows: { query: { offset: 1, limit: 2 } },
  create_shared_upload: {
    header: { ...tus, "Upload-Length": text.length, "Upload-Metadata": `filename ${btoa(SAMPLE.name)}` },
  },
  append_shared: {
    header: { ...tus, "Upload-Offset": 0 },
    bytes: "application/offset+octet-stream",
  },
  get_shared_offset: { header: tus, shows: "Upload-Offset" },
  terminate_shared: { header: tus },
  post_recipe: { body: { name: "Members in Bern", cut } },
  list_recipes: { query: { q: "bern" } },
  post_key: { body: { name: "nightly report", scopes: ["read", "cut"], tag: "2026" } },
  list_keys: { query: { limit: 10 } },
  patch_key: { body: { expiresAt: null } },
  rotate_key: { body: { overlap: 3600 } },
  patch_recipe: { body: { name: "People in Bern" } },
  run_recipe: { body: { fileId: variables.file } },
  parse_filter: { body: { text: "city = Bern", fileId: variables.file } },
  create_multipart: { body: { filename: SAMPLE.name, size: text.length } },
  put_part: { bytes: "application/octet-stream" },
  complete_multipart: { body: { parts: [{ partNumber: 1, etag: variables.etag }] } },
  create_upload: {
    header: { ...tus, "Upload-Length": text.length, "Upload-Metadata": `filename ${btoa(SAMPLE.name)}` },
  },
  append_to_upload: {
    header: { ...tus, "Upload-Offset": 0 },
    bytes: "application/offset+octet-stream",
  },
  get_offset: { header: tus, shows: "Upload-Offset" },
  head_file: { shows: "ETag" },
  terminate_upload: { header: tus },
  run_fsck: { body: { deep: true } },
  list_findings: { query: { open: true, limit: 100 } },
  get_history: { query: { limit: 10 } },
  list_sign_ins: { query: { limit: 10 } },
  list_audit: { query: { action: "login", success: false, limit: 10 } },
  // An empty body begins at the start of the log.
  verify_audit: { body: {} },
  list_sweeps: { query: { limit: 100 } },
};

/** The values of the placeholders in a path. */
function pathOf(path, method) {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  const id = () => {
    if (path.startsWith("/api/files/multipart/")) return variables.multipart;
    if (path.startsWith("/api/uploads/") || path.startsWith("/api/shared/")) return variables.upload;
    if (path.startsWith("/api/shares/")) return variables.share;
    if (path.startsWith("/api/cuts/")) return variables.receipt;
    if (path.startsWith("/api/recipes/")) return variables.recipe;
    if (path.startsWith("/api/keys/")) return variables.key;
    if (path.startsWith("/api/auth/sessions/")) return variables.session;
    if (path.startsWith("/api/admin/users/")) return variables.user;
    if (path.startsWith("/api/admin/")) return variables.finding;
    return variables.file;
  };
  const token = () =>
    (path === "/api/shared/{token}" && method === "post") || path.includes("/uploads")
      ? variables.uploadLink
      : variables.link;
  const value = { id, number: () => 1, ticket: () => variables.ticket, token };
  return Object.fromEntries(names.map((name) => [name, value[name]()]));
}

function credentials({ operation }) {
  if (operation.security && !operation.security.some((way) => "bearer" in way)) return "none";
  return operation.tags?.includes("admin") ? "operator" : "user";
}

// --- curl -----------------------------------------------------------------------------------------------------------

const single = (value) => `'${value.replaceAll("'", "'\\''")}'`;

/** A JSON text in single quotes, in which the shell replaces the variables. */
function shellJson(value) {
  const mark = (_, part) => (part instanceof Variable ? `\u0001${part.shell}\u0002` : part);
  const quoted = single(JSON.stringify(value, mark));
  return quoted.replace(/\u0001(\w+)\u0002|\\u0001(\w+)\\u0002/g, (_, a, b) => `'"$${a ?? b}"'`);
}

export function curl({ path, method, operation }) {
  const input = INPUTS[operation.operationId] ?? {};
  const values = pathOf(path, method);
  const filled = path.replace(/\{(\w+)\}/g, (_, name) =>
    values[name] instanceof Variable ? `$${values[name].shell}` : values[name],
  );
  const query = Object.entries({ ...input.query, ...input.conditions }).flatMap(([name, value]) =>
    [value]
      .flat()
      .map((one) => `${name}=${one instanceof Variable ? `$${one.shell}` : encodeURIComponent(one)}`),
  );
  const address = `"$B${filled}${query.length > 0 ? `?${query.join("&")}` : ""}"`;
  const implied = input.body || input.form || input.bytes ? "post" : "get";
  const parts = [method === "head" ? `curl -sI ${address}` : `curl -s ${address}`];
  if (method !== implied && method !== "head") parts.push(`-X ${method.toUpperCase()}`);
  const token = { user: "$TOKEN", operator: "$OPERATOR_TOKEN" }[credentials({ operation })];
  if (token) parts.push(`-H "authorization: Bearer ${token}"`);
  if (!input.form)
    for (const [name, value] of Object.entries(input.header ?? {}))
      parts.push(`-H ${single(`${name.toLowerCase()}: ${value}`)}`);
  if (input.form) parts.push(...input.form.map((field) => `-F ${field}`));
  else if (input.body) parts.push(`-H 'content-type: application/json'`, `-d ${shellJson(input.body)}`);
  else if (input.bytes) parts.push(`-H 'content-type: ${input.bytes}'`, `--data-binary @${SAMPLE.name}`);
  return parts.join(" \\\n  ");
}

// --- TypeScript -----------------------------------------------------------------------------------------------------

/** Code, which `code` writes as it is. */
class Code {
  constructor(code) {
    this.code = code;
  }
}

const MAX_LINE = 90;

/** Writes a value as code. `before` is the number of characters in front of it in its line. */
function code(value, indent = "", before = 0) {
  if (value instanceof Variable) return value.typescript;
  if (value instanceof Code) return value.code;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const key = (name) => (/^[a-z_$][\w$]*$/i.test(name) ? name : JSON.stringify(name));
  const member = (inner) =>
    Array.isArray(value)
      ? value.map((item) => code(item, inner, inner.length))
      : Object.entries(value).map(([name, item]) =>
          item instanceof Variable && item.typescript === name
            ? name
            : `${key(name)}: ${code(item, inner, inner.length + key(name).length + 2)}`,
        );
  const [open, close, blank] = Array.isArray(value) ? ["[", "]", ""] : ["{", "}", " "];
  const inner = `${indent}  `;
  const members = member(inner);
  if (members.length === 0) return `${open}${close}`;
  const line = `${open}${blank}${members.join(", ")}${blank}${close}`;
  if (!line.includes("\n") && before + line.length <= MAX_LINE) return line;
  return `${open}\n${members.map((one) => `${inner}${one},\n`).join("")}${indent}${close}`;
}

export function typescript({ path, method, operation }) {
  const input = INPUTS[operation.operationId] ?? {};
  const params = { path: pathOf(path, method), query: input.query ?? {}, header: input.header ?? {} };
  for (const part of Object.keys(params)) if (Object.keys(params[part]).length === 0) delete params[part];
  const options = {};
  if (Object.keys(params).length > 0) options.params = params;
  if (input.body) options.body = input.body;
  if (input.bytes)
    Object.assign(options, { headers: { "content-type": input.bytes }, body: new Code("csv") });
  const contents = Object.keys(operation.responses["200"]?.content ?? {});
  if (contents.some((type) => type.startsWith("text/"))) options.parseAs = "text";
  const client = { none: "guest", operator: "operator", user: "cutty" }[credentials({ operation })];
  const start = `${client}.${method.toUpperCase()}(${JSON.stringify(path)}`;
  const second = Object.keys(options).length > 0 ? `, ${code(options, "", start.length + 20)}` : "";
  const call = `${start}${second})`;
  if (input.shows)
    return `const { response } = await ${call};\nresponse.headers.get(${JSON.stringify(input.shows)});`;
  return `await done(${call});`;
}

/** Returns a module that contains every TypeScript example, for the check of their types. */
export function examplesModule(entries, client) {
  const declared = Object.values(variables).map(
    ({ typescript: name, type }) => `declare const ${name}: ${type};`,
  );
  const calls = entries.map(
    (entry) => `export async function ${entry.operation.operationId}() {\n${typescript(entry)}\n}`,
  );
  return [
    `import { createClient, done } from ${JSON.stringify(client)};`,
    "const guest = createClient();",
    "const cutty = createClient();",
    "const operator = createClient();",
    "declare const csv: string;",
    ...declared,
    ...calls,
    "",
  ].join("\n");
}
