// Renders the API description as HTML, for the page /docs. build.mjs calls it.

import { readFile, writeFile } from "node:fs/promises";
import { SAMPLE, curl, examplesModule, typescript } from "./examples.mjs";

const METHODS = ["get", "head", "post", "put", "patch", "delete", "options"];
/** The groups of operations, in order, with their titles. */
const TITLES = {
  auth: "Accounts",
  files: "Files",
  cuts: "Cuts",
  uploads: "Large uploads",
  about: "About",
  health: "Health",
  admin: "Operators",
};

const CLIENTS = `import { createClient, done } from "@cutty/client";

const guest = createClient({ baseUrl });
const cutty = createClient({ baseUrl, tokens: { current: () => accessToken } });
const operator = createClient({ baseUrl, tokens: { current: () => operatorToken } });`;

export const escaped = (text) =>
  String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Text of a description: paragraphs, and words between backticks as code. */
function prose(text = "") {
  const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim() !== "");
  const inline = (paragraph) => escaped(paragraph).replace(/`([^`]+)`/g, "<code>$1</code>");
  return paragraphs
    .map((paragraph) => {
      const pairs = /^(.*: )(\d{3} \w+(?:, \d{3} \w+)+)\.$/s.exec(paragraph.trim());
      return pairs
        ? `<p>${inline(pairs[1].trim())}</p>${errorTable(pairs[2])}`
        : `<p>${inline(paragraph)}</p>`;
    })
    .join("\n");
}

/** A table of the codes of each status, from a text such as `400 bad_request, 400 bad_filter, 404 not_found`. */
function errorTable(text) {
  const codes = new Map();
  for (const pair of text.split(", ")) {
    const [status, code] = pair.split(" ");
    codes.set(status, [...(codes.get(status) ?? []), code]);
  }
  const rows = [...codes].map(([status, names]) => [
    `<code>${escaped(status)}</code>`,
    names.map((name) => `<code>${escaped(name)}</code>`).join(", "),
  ]);
  return table(["Status", "Codes"], rows);
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
<pre tabindex="0"><code>${escaped(curl(entry))}</code></pre>
<pre tabindex="0"><code>${escaped(typescript(entry))}</code></pre>
</section>`;
}

/** Renders the whole reference: a navigation, the operations by tag, and the schemas. */
export function renderReference(description) {
  const groups = new Map(Object.keys(TITLES).map((tag) => [tag, []]));
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
  return `<nav aria-label="Operations"><details><summary>Operations</summary><ul>${links.join("\n")}<li><a href="#schemas">Schemas</a></li></ul></details></nav>
<main id="reference" tabindex="-1"><h1>${escaped(description.info.title)} API</h1>
${prose(description.info.description)}
<h2 id="examples">Examples</h2>
<p>Every operation has an example for curl and one for the client in <code>clients/typescript</code>. The examples for
curl use <code>$B</code> for the address of the server, <code>$TOKEN</code> for an access token, and names such as
<code>$FILE</code> for ids. They upload this file, <code>${SAMPLE.name}</code>, whose content is <code>csv</code> in
TypeScript:</p>
<pre tabindex="0"><code>${escaped(SAMPLE.text)}</code></pre>
<p>The examples for TypeScript use three clients:</p>
<pre tabindex="0"><code>${escaped(CLIENTS)}</code></pre>
${operations.join("\n")}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>${schemas.join("\n")}</section></main>`;
}

// `node web/reference.mjs FILE` writes the examples for TypeScript as a module, so that their types can be checked.
if (process.argv[1] === import.meta.filename) {
  const description = JSON.parse(await readFile("clients/openapi.json", "utf8"));
  const client = "../../clients/typescript/src/index";
  await writeFile(process.argv[2], examplesModule(operationsOf(description), client));
}
