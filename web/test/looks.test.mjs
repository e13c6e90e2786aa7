import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

const modes = [
  { colorScheme: "light", forcedColors: "none" },
  { colorScheme: "dark", forcedColors: "none" },
  { colorScheme: "light", forcedColors: "active" },
];

test("axe-core finds nothing, in each colour scheme, at 360 and 1280 px and at 400 % zoom (320 px); nothing is wider than the window", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const found = [];
  const look = async (view) => {
    for (const mode of modes) {
      await page.emulateMedia(mode);
      for (const width of [320, 360, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        const where = `${view} ${mode.colorScheme} ${mode.forcedColors} ${width}`;
        for (const violation of await h.axe(page)) found.push(`${where}: ${violation}`);
        const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
        if (isWide) found.push(`${where}: wider than the window`);
      }
    }
  };
  await page.goto(`${h.URL_}/`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await look("sign in");
  const name = await h.signUp(page);
  await page.getByRole("heading", { name: "Your first file" }).waitFor();
  await look("empty");
  await h.upload(
    page,
    h.csv("a.csv"),
    h.csv("a-very-long-name-without-any-blank-that-does-not-fit-into-a-narrow-window-at-all.csv"),
  );
  await h.upload(page, h.csv("totals.csv", "day;amount\n2026-01-01;5;9\n2026-01-02;7\nTotal;12\n"));
  await page.getByLabel("Select \u2068a.csv\u2069").check();
  await page.getByRole("button", { name: "Tag", exact: true }).click();
  await page.getByLabel("Tags to add").fill("red, a long tag with several words in it");
  await look("tags");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Tags of 1 file").waitFor();
  await look("list");
  await page.getByLabel("Select \u2068a.csv\u2069").check();
  await look("selection");
  await page.getByRole("button", { name: "Delete permanently" }).click();
  await look("confirm");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await h
    .row(page, "a.csv")
    .getByRole("button", { name: /^Actions/ })
    .click();
  await look("menu");
  await page.keyboard.press("Escape");
  await h.openDetails(page, "totals.csv");
  await page.getByRole("dialog").getByText("Read as").waitFor();
  await page.getByRole("button", { name: "Change how it is read" }).click();
  await page.getByText("More rules").click();
  await look("details");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Keyboard shortcuts" }).click();
  await look("shortcuts");
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
