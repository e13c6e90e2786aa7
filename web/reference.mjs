// Renders the API description as HTML, for the page /docs. build.mjs calls it.

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"];
const TITLES = {
  auth: "Accounts",
  files: "Files",
  cuts: "Cuts",
  uploads: "Large uploads",
  admin: "Operators",
};

export const escaped = (text) =>
  String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Text of a description: paragraphs, and words between backticks as code. */
function prose(text = "") {
  const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== "");
  const inline = (paragraph) => escaped(paragraph).replace(/`([^`]+)`/g, "<code>$1</code>");
  return paragraphs.map((paragraph) => `<p>${inline(paragraph)}</p>`).join("\n");
}

/** The operations of a description, in the order of its tags and paths. */
export function operationsOf(description) {
  const found = [];
  for (const [path, item] of Object.entries(description.paths))
    for (const method of METHODS)
      if (item[method])
        found.push({
          path,
          method,
          operation: item[method],
          id: `${method}${path}`.replace(/[^a-z0-9]+/gi, "-"),
        });
  return found;
}

const nameOf = (reference) => reference.split("/").pop();

/** The type of a value in words, such as `array of string` or `integer, 1 to 1000`. */
function typeOf(schema = {}) {
  if (schema.$ref)
    return `<a href="#schema-${escaped(nameOf(schema.$ref))}">${escaped(nameOf(schema.$ref))}</a>`;
  const one = schema.oneOf ?? schema.anyOf;
  if (one) return one.map(typeOf).join(" or ");
  if (schema.enum)
    return schema.enum.map((value) => `<code>${escaped(JSON.stringify(value))}</code>`).join(" or ");
  if (schema.const !== undefined) return `<code>${escaped(JSON.stringify(schema.const))}</code>`;
  const types = [schema.type ?? "any"]
    .flat()
    .map((type) => (type === "array" ? `array of ${typeOf(schema.items)}` : type));
  const bounds = [];
  const [from, to] = [
    schema.minimum ?? schema.minLength ?? schema.minItems,
    schema.maximum ?? schema.maxLength ?? schema.maxItems,
  ];
  const unit = schema.minLength !== undefined || schema.maxLength !== undefined ? " characters" : "";
  if (from !== undefined && to !== undefined) bounds.push(`${from} to ${to}${unit}`);
  else if (to !== undefined) bounds.push(`at most ${to}${unit}`);
  else if (from) bounds.push(`at least ${from}${unit}`);
  if (schema.format) bounds.push(escaped(schema.format));
  if (schema.default !== undefined) bounds.push(`default ${escaped(JSON.stringify(schema.default))}`);
  return [types.join(" or "), ...bounds].join(", ");
}

function table(head, rows) {
  if (rows.length === 0) return "";
  const cells = (tag, row) => row.map((cell) => `<${tag}>${cell}</${tag}>`).join("");
  const header = head.map((cell) => `<th scope="col">${cell}</th>`).join("");
  return `<div class="wide" tabindex="0"><table><thead><tr>${header}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells("td", row)}</tr>`).join("\n")}</tbody></table></div>`;
}

function membersOf(schema) {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, member]) => [
    `<code>${escaped(name)}</code>${required.has(name) ? "" : " <small>optional</small>"}`,
    typeOf(member),
    prose(member.description),
  ]);
}

/** A value that fits a schema. */
function sample(schema = {}, schemas = {}, depth = 0) {
  if (schema.$ref) return depth > 3 ? {} : sample(schemas[nameOf(schema.$ref)], schemas, depth + 1);
  if (schema.example !== undefined) return schema.example;
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const one = schema.oneOf ?? schema.anyOf;
  if (one) return sample(one[0], schemas, depth + 1);
  const type = [schema.type].flat()[0];
  if (type === "integer" || type === "number") return schema.minimum ?? 1;
  if (type === "boolean") return true;
  if (type === "array") return depth > 3 ? [] : [sample(schema.items, schemas, depth + 1)];
  if (schema.properties) {
    const required = schema.required ?? Object.keys(schema.properties).slice(0, 2);
    return Object.fromEntries(
      required.map((name) => [name, sample(schema.properties[name], schemas, depth + 1)]),
    );
  }
  return type === "object" ? {} : schema.format === "date-time" ? "2026-12-31T00:00:00Z" : "text";
}

const needsToken = (description, operation) =>
  (operation.security ?? description.security ?? []).some((way) => "bearer" in way || "bearerAuth" in way);

function curl(description, { path, method, operation }) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => `$${name.toUpperCase()}`);
  const parts = [`curl -s "$B${filled}"`];
  if (method === "head") parts[0] = `curl -sI "$B${filled}"`;
  else if (method !== "get" && !(method === "post" && operation.requestBody))
    parts.push(`-X ${method.toUpperCase()}`);
  if (needsToken(description, operation)) parts.push(`-H "authorization: Bearer $TOKEN"`);
  const content = operation.requestBody?.content ?? {};
  if (content["application/json"]) {
    const body = JSON.stringify(sample(content["application/json"].schema, description.components.schemas));
    parts.push(`-H 'content-type: application/json'`, `-d '${body.replaceAll("'", "'\\''")}'`);
  } else if (Object.keys(content).length > 0) {
    parts.push(`-H 'content-type: ${Object.keys(content)[0]}'`, "--data-binary @list.csv");
  }
  return parts.join(" \\\n  ");
}

function typescript(description, { path, method, operation }) {
  const params = {};
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  if (names.length > 0)
    params.path = Object.fromEntries(names.map((name) => [name, name === "number" ? 1 : `<${name}>`]));
  const options = {};
  if (names.length > 0) options.params = params;
  const json = operation.requestBody?.content?.["application/json"];
  if (json) options.body = sample(json.schema, description.components.schemas);
  const second = Object.keys(options).length > 0 ? `, ${JSON.stringify(options)}` : "";
  return `await done(cutty.${method.toUpperCase()}(${JSON.stringify(path)}${second}));`;
}

function renderOperation(description, entry) {
  const { path, method, operation, id } = entry;
  const parameters = (operation.parameters ?? []).map((parameter) => [
    `<code>${escaped(parameter.name)}</code>${parameter.required ? "" : " <small>optional</small>"}`,
    escaped(parameter.in),
    typeOf(parameter.schema),
    prose(parameter.description),
  ]);
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(([type, { schema }]) => [
    `<code>${escaped(type)}</code>`,
    typeOf(schema),
  ]);
  const responses = Object.entries(operation.responses).map(([status, response]) => [
    `<code>${escaped(status)}</code>`,
    prose(response.description),
    Object.entries(response.content ?? {})
      .map(([type, { schema }]) => `<code>${escaped(type)}</code> ${schema ? typeOf(schema) : ""}`)
      .join("<br />"),
    Object.keys(response.headers ?? {})
      .map((name) => `<code>${escaped(name)}</code>`)
      .join(" "),
  ]);
  const text = [operation.summary, operation.description].filter(Boolean).join("\n\n");
  return `<section class="operation" id="${id}" aria-labelledby="${id}-title">
<h3 id="${id}-title"><span class="method">${method.toUpperCase()}</span> <code>${escaped(path)}</code></h3>
${prose(text)}
${parameters.length > 0 ? `<h4>Parameters</h4>${table(["Name", "In", "Type", "Meaning"], parameters)}` : ""}
${bodies.length > 0 ? `<h4>Body</h4>${table(["Media type", "Schema"], bodies)}` : ""}
<h4>Responses</h4>
${table(["Status", "Meaning", "Body", "Headers"], responses)}
<h4>Examples</h4>
<pre tabindex="0"><code>${escaped(curl(description, entry))}</code></pre>
<pre tabindex="0"><code>${escaped(typescript(description, entry))}</code></pre>
</section>`;
}

/** Renders the whole reference: a navigation, the operations by tag, and the schemas. */
export function renderReference(description) {
  const groups = new Map();
  for (const entry of operationsOf(description)) {
    const tag = entry.operation.tags?.[0] ?? "other";
    groups.set(tag, [...(groups.get(tag) ?? []), entry]);
  }
  const title = (tag) => escaped(TITLES[tag] ?? tag[0].toUpperCase() + tag.slice(1));
  const links = [...groups].map(
    ([tag, entries]) =>
      `<li><a href="#tag-${escaped(tag)}">${title(tag)}</a><ul>${entries
        .map(
          ({ id, method, path }) =>
            `<li><a href="#${id}"><span class="method">${method.toUpperCase()}</span> ${escaped(path)}</a></li>`,
        )
        .join("\n")}</ul></li>`,
  );
  const operations = [...groups].map(
    ([
      tag,
      entries,
    ]) => `<section aria-labelledby="tag-${escaped(tag)}"><h2 id="tag-${escaped(tag)}">${title(tag)}</h2>
${entries.map((entry) => renderOperation(description, entry)).join("\n")}</section>`,
  );
  const schemas = Object.entries(description.components.schemas).map(
    ([name, schema]) => `<section class="schema"><h3 id="schema-${escaped(name)}">${escaped(name)}</h3>
${prose(schema.description)}${schema.properties ? table(["Member", "Type", "Meaning"], membersOf(schema)) : `<p>${typeOf(schema)}</p>`}</section>`,
  );
  return `<nav aria-label="Operations"><ul>${links.join("\n")}<li><a href="#schemas">Schemas</a></li></ul></nav>
<main id="reference"><h1>${escaped(description.info.title)} API</h1>
${prose(description.info.description)}
<p>The examples use <code>$B</code> for the address of the server, <code>$TOKEN</code> for an access token, and the
client of <code>clients/typescript</code>.</p>
${operations.join("\n")}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>${schemas.join("\n")}</section></main>`;
}
