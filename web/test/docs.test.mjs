import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
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
