import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { SAMPLE, curl } from "../examples.mjs";
import * as h from "./harness.mjs";
import { operationsOf, renderReference } from "../reference.mjs";

after(h.close);

const description = JSON.parse(readFileSync("clients/openapi.json", "utf8"));

test("the reference has each operation and each schema once, and hostile texts are text", () => {
  const html = renderReference(description);
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
  assert.deepEqual(
    ids.filter((id, place) => ids.indexOf(id) !== place),
    [],
  );
  for (const { id } of operationsOf(description)) assert.ok(ids.includes(id), id);
  for (const name of Object.keys(description.components.schemas))
    assert.ok(ids.includes(`schema-${name}`), name);
  for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) assert.ok(ids.includes(target), target);
  const hostile = { ...description, info: { title: "<script>", description: "`<img>`" } };
  const rendered = renderReference(hostile);
  assert.ok(!rendered.includes("<script>") && !rendered.includes("<img>"));
});

test("the page /docs is reached from the files, and has no faults in each colour scheme and width", async () => {
  const page = await h.newPage();
  const found = [];
  const name = await h.signUp(page);
  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "API reference" }).click();
  await page.waitForURL(`${h.URL_}/docs`);
  await page.getByRole("link", { name: "POST /api/files/{id}/save" }).click();
  await page.getByRole("heading", { name: "POST /api/files/{id}/save" }).waitFor();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      for (const violation of await h.axe(page)) found.push(`${colorScheme} ${width}: ${violation}`);
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth))
        found.push(`${colorScheme} ${width}: wider than the window`);
    }
  }
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

// The order in which the examples for curl run, and the variables that a response gives to the examples after it.
const uploadOf = (head) => /^location: .*\/(\S+)/im.exec(head)[1];
const tokenOf = (share) => share.url.split("/").at(-1);
/** The example of a login has the first password. */
const NEW_PASSWORD = ["correct horse battery", "battery horse correct"];

const RUN = [
  ["register", ({ tokens }) => ({ TOKEN: tokens.access_token, REFRESH_TOKEN: tokens.refresh_token })],
  ["login", ({ tokens }) => ({ TOKEN: tokens.access_token, REFRESH_TOKEN: tokens.refresh_token })],
  ["refresh", ({ tokens }) => ({ TOKEN: tokens.access_token, REFRESH_TOKEN: tokens.refresh_token })],
  ["get_session"],
  ["get_user"],
  ["post_file"],
  ["post_file_upload", ({ file }) => ({ FILE: file.id })],
  ["list_files"],
  ["head_file"],
  ["get_file"],
  ["get_metadata"],
  ["patch_file"],
  ["get_profile"],
  ["get_columns"],
  ["get_fields"],
  ["get_rows"],
  ["get_estimate"],
  ["count_rows"],
  ["parse_filter"],
  ["get_cut"],
  ["get_process"],
  ["post_process"],
  ["post_cut", (_, head) => ({ RECEIPT: /\/api\/cuts\/([\w-]+)/.exec(head)[1] })],
  ["get_receipt"],
  ["get_cut_recipe"],
  ["list_receipts"],
  ["post_recipe", ({ recipe }) => ({ RECIPE: recipe.id })],
  ["list_recipes"],
  ["get_recipe"],
  ["patch_recipe"],
  ["run_recipe"],
  ["delete_recipe"],
  ["post_key", ({ key }) => ({ KEY_ID: key.id })],
  ["list_keys"],
  ["patch_key"],
  ["rotate_key"],
  ["delete_key"],
  ["post_download", ({ download }) => ({ TICKET: download.url.split("/").at(-1) })],
  ["get_download"],
  ["share_file", ({ share }) => ({ SHARE: share.id, LINK: tokenOf(share) })],
  ["list_shares"],
  ["get_share"],
  ["patch_share"],
  ["get_shared_info"],
  ["get_shared"],
  ["get_shared_rows"],
  ["make_upload_link", ({ share }) => ({ UPLOAD_LINK: tokenOf(share) })],
  ["post_shared"],
  ["discover_shared"],
  ["create_shared_upload", (_, head) => ({ UPLOAD: uploadOf(head) })],
  ["discover_shared_upload"],
  ["get_shared_offset"],
  ["append_shared"],
  ["create_shared_upload", (_, head) => ({ UPLOAD: uploadOf(head) })],
  ["terminate_shared"],
  ["delete_share"],
  ["save_cut", ({ file }) => ({ SAVED: file.id })],
  ["get_file_recipe", undefined, { FILE: "SAVED" }],
  ["get_lineage"],
  ["get_history"],
  ["get_usage"],
  ["create_multipart", ({ uploadId }) => ({ MULTIPART: uploadId })],
  ["get_multipart"],
  ["put_part", ({ part }) => ({ ETAG: part.etag })],
  ["list_parts"],
  ["complete_multipart"],
  ["create_multipart", ({ uploadId }) => ({ MULTIPART: uploadId })],
  ["abort_multipart"],
  ["discover"],
  ["create_upload", (_, head) => ({ UPLOAD: uploadOf(head) })],
  ["discover_one"],
  ["get_offset"],
  ["append_to_upload"],
  ["create_upload", (_, head) => ({ UPLOAD: uploadOf(head) })],
  ["terminate_upload"],
  ["delete_file"],
  ["restore_file"],
  ["list_sweeps"],
  ["run_sweeps"],
  ["run_fsck"],
  ["list_findings"],
  ["get_isolate"],
  ["get_service_health"],
  ["get_switches"],
  ["patch_switches"],
  ["get_metrics_summary"],
  ["get_metrics_performance"],
  ["get_metrics_series"],
  ["get_open_metrics"],
  ["list_usage"],
  ["list_audit"],
  ["verify_audit"],
  ["list_users", ({ users }) => ({ USER_ID: users[0].id })],
  ["patch_user"],
  ["get_openapi"],
  ["get_health"],
  ["get_ready"],
  ["get_storage"],
  ["change_password", ({ tokens }) => ({ TOKEN: tokens.access_token, REFRESH_TOKEN: tokens.refresh_token })],
  ["logout"],
  ["login", ({ tokens }) => ({ TOKEN: tokens.access_token }), {}, NEW_PASSWORD],
  ["list_sign_ins"],
  ["list_sessions", ({ sessions }) => ({ SESSION: sessions[0].id })],
  ["end_session"],
  ["login", ({ tokens }) => ({ TOKEN: tokens.access_token }), {}, NEW_PASSWORD],
  ["end_all_sessions"],
  ["request_reset"],
  [
    "list_mailbox",
    ({ messages }) => ({ RESET_TOKEN: linkIn(messages, "reset"), VERIFY_TOKEN: linkIn(messages, "verify") }),
  ],
  ["verify_email"],
  ["confirm_reset"],
  ["login", ({ tokens }) => ({ TOKEN: tokens.access_token }), {}, NEW_PASSWORD],
  ["patch_profile", undefined, {}, NEW_PASSWORD],
  ["delete_account", undefined, {}, NEW_PASSWORD],
];

/** The token of the newest link of a kind in the mailbox. */
function linkIn(messages, kind) {
  const links = messages.map(({ text }) => new RegExp(`#${kind}=(\\S+)`).exec(text)?.[1]);
  return links.find((token) => token !== undefined);
}

test("every example for curl succeeds", { skip: !h.server && "needs the operators' token" }, async () => {
  const entries = new Map(operationsOf(description).map((entry) => [entry.operation.operationId, entry]));
  const folder = mkdtempSync(join(tmpdir(), "cutty-examples-"));
  writeFileSync(join(folder, SAMPLE.name), SAMPLE.text);
  // `-i` writes the status and the headers before the body.
  writeFileSync(join(folder, ".curlrc"), "include\n");
  const env = { ...process.env, CURL_HOME: folder, B: h.URL_, OPERATOR_TOKEN: h.server.operatorToken };
  const failed = [];
  const send = async (command, variables) => {
    for (;;) {
      const options = { cwd: folder, env: { ...env, ...variables } };
      const { stdout } = await promisify(execFile)("bash", ["-euc", command], options);
      const [head, ...rest] = stdout.split("\r\n\r\n");
      const body = rest.join("\r\n\r\n");
      // The queue delivers messages after a few seconds.
      const isMailbox = command.includes("/api/admin/mailbox");
      if (isMailbox && !(body.includes("#reset=") && body.includes("#verify="))) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        continue;
      }
      // The profile of a new file is not computed yet.
      if (/^HTTP\/\S+ 409/.test(head) && body.includes("in_progress")) continue;
      return { head, body };
    }
  };
  for (const [name, learn, changed = {}, [from, to] = ["", ""]] of RUN) {
    const command = curl(entries.get(name)).replace(from, to);
    const variables = Object.fromEntries(Object.entries(changed).map(([to, from]) => [to, env[from]]));
    const { head, body } = await send(command, variables);
    if (!/^HTTP\/\S+ 2/.test(head)) failed.push(`${name}: ${command}\n${head.split("\r\n")[0]}\n${body}`);
    else if (learn) Object.assign(env, learn(body.startsWith("{") ? JSON.parse(body) : null, head));
  }
  rmSync(folder, { recursive: true });
  assert.deepEqual(failed, []);
  // A test has no finding to resolve. The registration has sent a link, so the next one is refused for a minute.
  const unrun = [...entries.keys()].filter((name) => !RUN.some(([run]) => run === name));
  assert.deepEqual(unrun.sort(), ["request_verification", "resolve_finding"]);
});
