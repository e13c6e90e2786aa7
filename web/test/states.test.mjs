// States between and beside the journeys: where the focus goes, what is said about errors, and what stays in view.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

let page;
let send;
const focused = () =>
  page.evaluate(() => {
    const { activeElement: element } = document;
    const label = element.labels?.[0]?.textContent;
    return (
      (element.id === "files" && "files") ||
      (element.getAttribute("aria-label") ?? label ?? element.textContent).trim()
    );
  });
/** Waits until the focus is on the element with this name. */
const waitForFocus = async (name) => {
  for (let tries = 0; tries < 50; tries++) {
    if (name.test(await focused())) return;
    await page.waitForTimeout(100);
  }
  assert.match(await focused(), name);
};
const press = async (locator) => {
  await locator.focus();
  await page.keyboard.press("Enter");
};
const button = (name) => page.getByRole("button", { name });
const dialog = () => page.getByRole("dialog");
const post = (name, text = "a,b\n1,2\n") =>
  send("/api/files", text, { "content-type": "text/csv", "x-file-name": name });
const openDetails = async (name) => {
  await h.openDetails(page, name);
  await dialog().getByText("SHA-256").waitFor();
};
const closeDetails = async () => {
  await page.keyboard.press("Escape");
  await dialog().waitFor({ state: "detached" });
};

before(async () => {
  page = await h.newPage();
  send = await h.apiOf(await h.signUp(page));
});

test("after signing up and after the sample, the focus is in the page", async () => {
  assert.equal(await focused(), "files");
  await press(button("Try a sample list"));
  await h.row(page, "sample-customers.csv").getByText("Read as comma-separated").waitFor();
  await waitForFocus(/sample-customers\.csv/);
  // A note that warns of nothing is one line; without it, the name has the focus.
  assert.equal(await page.locator(".uploaded.calm").count(), 1);
  await press(button("Remove \u2068sample-customers.csv\u2069 from this list"));
  await waitForFocus(/^sample-customers\.csv$/);
});

test("a size of text is what the design says, and a strong text has the size of its place", async () => {
  const size = (selector) =>
    page.evaluate((selector) => getComputedStyle(document.querySelector(selector)).fontSize, selector);
  assert.equal(await size("html"), "16px");
  assert.equal(await size("body"), "14px");
  assert.equal(await size("h1"), "20px");
  assert.equal(await size(".small"), "12px");
  await openDetails("sample-customers.csv");
  assert.equal(await size("dialog"), "16px");
  assert.equal(await size("dialog h3"), "16px");
  assert.equal(await dialog().getByText("categorical").count(), 0);
  await dialog().locator(".type", { hasText: "category" }).first().waitFor();
  await closeDetails();
});

test("another reading: soon there, also in the list, and the form follows the stored rules", async () => {
  await h.upload(page, h.csv("rules.csv", "a;b\n1;2\n3;4\n5;6\n"));
  await openDetails("rules.csv");
  await button("Change how it is read").click();
  const delimiter = dialog().getByLabel("Delimiter");
  await delimiter.selectOption("comma");

  // Rules that are not saved ask before the details close.
  page.removeAllListeners("dialog");
  page.once("dialog", (question) => question.dismiss());
  await page.keyboard.press("Escape");
  await dialog().waitFor();
  page.on("dialog", (question) => question.accept().catch(() => undefined));

  await button("Read the file this way").click();
  await dialog().getByText("Read as comma-separated").waitFor();
  // The outcome stands above the form, and is scrolled into view.
  const outcome = await dialog().getByText("Read as comma-separated").boundingBox();
  assert.ok(outcome.y >= 0 && outcome.y < page.viewportSize().height, `the outcome is at ${outcome.y}`);
  const shape = h.row(page, "rules.csv").locator(".shape", { hasText: "3 rows · 1 col" });
  await shape.waitFor();
  await press(button("Detect everything again"));
  await dialog().getByText("Read as semicolon-separated").waitFor();
  assert.equal(await delimiter.inputValue(), "");
  await waitForFocus(/^Read the file this way$/);
  await h.row(page, "rules.csv").locator(".shape", { hasText: "3 rows · 2 cols" }).waitFor();
  await dialog().getByText("More rules").click();
  // A rule that is never detected has a default.
  assert.match(await dialog().getByLabel("Repeated headers").innerText(), /^Default: /);
  assert.match(await delimiter.innerText(), /^Detected: /);

  await dialog().getByLabel("Encoding").fill("klingon");
  await button("Read the file this way").click();
  await dialog().getByText("Cutty does not know the encoding \u2068klingon\u2069.").waitFor();
  assert.equal(await dialog().getByLabel("Encoding").getAttribute("aria-invalid"), "true");
  await waitForFocus(/^Encoding$/);
  await closeDetails();
});

test("a wrong value is explained at its field", async () => {
  await openDetails("rules.csv");
  await dialog().getByRole("textbox", { name: "Tags" }).fill("x".repeat(80));
  await button("Save").click();
  await dialog()
    .getByText(/is too long\. Use at most 64 letters/)
    .waitFor();
  await waitForFocus(/^Tags$/);
  await dialog().getByRole("textbox", { name: "Tags" }).fill("");
  const min = await dialog().getByLabel("Moves to the trash on").getAttribute("min");
  assert.match(min, /^\d{4}-\d\d-\d\dT\d\d:\d\d$/);
  await closeDetails();
});

test("a file that was moved to the trash elsewhere can be restored where it is missed", async () => {
  await page.reload();
  await h.row(page, "rules.csv").waitFor();
  const { files } = await send("/api/files?q=rules");
  await send(`/api/files/${files[0].id}`, undefined, {}, "DELETE");
  await h
    .row(page, "rules.csv")
    .getByRole("button", { name: /^Actions/ })
    .click();
  await page.getByRole("menuitem", { name: "Download" }).click();
  await page.getByText("This file is in the trash", { exact: true }).waitFor();
  await page.locator(".toast").getByRole("button", { name: "Restore" }).click();
  await page.getByText("\u2068rules.csv\u2069 is active again.").waitFor();
  await page.goto(`${h.URL_}/?file=00000000-0000-7000-8000-000000000000`);
  await dialog().getByText("This file does not exist, or it belongs to somebody else.").waitFor();
  await closeDetails();
});

test("the focus after a selection, a filter and a search that finds nothing", async () => {
  await page.getByLabel("Select \u2068rules.csv\u2069").check();
  await press(button("Clear the selection"));
  await waitForFocus(/^Select all files shown$/);

  // Leaving the field applies the tag.
  await page.getByLabel("Filter by tag").fill("nothing-has-this-tag");
  await page.getByLabel("Search by name").focus();
  await page.getByText("No file matches this search.").waitFor();
  assert.match(page.url(), /tag=nothing-has-this-tag/);
  await press(button("Remove the filter \u2068nothing-has-this-tag\u2069"));
  await h.row(page, "rules.csv").waitFor();
  await waitForFocus(/^Filter by tag$/);
  await page.getByLabel("Search by name").fill("nothing-has-this-name");
  await press(button("Clear search and filters"));
  await h.row(page, "rules.csv").waitFor();
  await waitForFocus(/^(rules|sample-customers)\.csv$/);
});

test("a click beside the name opens the file", async () => {
  await h.row(page, "rules.csv").locator(".shape").click();
  await page.waitForURL(/\/cut\?file=/);
  await page.getByRole("grid").waitFor();
  await page.goBack();
  await h.row(page, "rules.csv").waitFor();
});

test("an upload in the trash is shown there, and the trash says since when", async () => {
  await h
    .row(page, "rules.csv")
    .getByRole("button", { name: /^Actions/ })
    .click();
  await page.getByRole("menuitem", { name: "Move to trash" }).click();
  await page.getByLabel("Show", { exact: true }).selectOption("deleted");
  await h
    .row(page, "rules.csv")
    .getByText(/^in the trash since/)
    .waitFor();
  await h.chooser(page).setInputFiles([h.csv("meanwhile.csv")]);
  await page.locator("li.upload").getByText("Uploaded. It is in the list of active files.").waitFor();
  await press(button("Remove \u2068meanwhile.csv\u2069 from this list"));
  await waitForFocus(/^rules\.csv$/);
  await page.getByLabel("Select \u2068rules.csv\u2069").check();
  await press(page.locator(".selection").getByRole("button", { name: "Restore" }));
  await page.getByText("The trash is empty.").waitFor();
  await waitForFocus(/^files$/);
});

test("without active files, the page names the places of the others", async () => {
  await page.goto(`${h.URL_}/`);
  await page.getByLabel("Select all files shown").check();
  await button("Archive").click();
  await page.getByRole("heading", { name: "No active files" }).waitFor();
  assert.equal(await page.getByRole("heading", { name: "Your first file" }).count(), 0);
  await page.getByRole("link", { name: "Archive: 3 files" }).click();
  await h.row(page, "rules.csv").waitFor();
});

test("more files: an error stands beside the button, and the last click moves to the first new file", async () => {
  for (let number = 10; number < 62; number++) await post(`m${number}.csv`);
  await page.goto(`${h.URL_}/?sort=filename`);
  const more = button("Show more files");
  await page.route("**/api/files?*cursor=*", (route) => route.abort());
  await more.click();
  await page.locator(".more").getByRole("alert").waitFor();
  assert.ok(
    await page.locator(".more [role=alert]").evaluate((e) => e.getBoundingClientRect().top < innerHeight),
  );
  await page.unroute("**/api/files?*cursor=*");
  await press(more);
  await h.row(page, "m61.csv").waitFor();
  await waitForFocus(/^m60\.csv$/);
});

test("the bar of a selection stays in view, and the menu of the last row fits", async () => {
  await page.getByLabel("Select \u2068m61.csv\u2069").check();
  for (const [width, edge] of [
    [1280, "top"],
    [390, "bottom"],
  ]) {
    await page.setViewportSize({ width, height: 700 });
    await page.getByLabel("Select \u2068m61.csv\u2069").scrollIntoViewIfNeeded();
    const box = await page.locator(".selection").boundingBox();
    const distance = edge === "top" ? box.y : 700 - box.y - box.height;
    assert.ok(Math.abs(distance) < 1, `${width}: ${distance}`);
  }
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 1280, height: 420 });
  for (const name of ["m10.csv", "m61.csv"]) {
    await h
      .row(page, name)
      .getByRole("button", { name: /^Actions/ })
      .click();
    const { y, height } = await page.locator(".popup").boundingBox();
    assert.ok(y >= 0 && y + height <= 420, `${name}: ${y} ${height}`);
    await page.keyboard.press("Escape");
  }
  await page.context().close();
});

test("a username that cannot be used is explained at its field", async () => {
  page = await h.newPage();
  await page.goto(`${h.URL_}/`);
  await button("New here? Create an account").click();
  await page.getByLabel("Username").fill("a b c");
  await page.getByLabel("Password", { exact: true }).fill(h.PASSWORD);
  await button("Create an account").click();
  await page.getByText("Use the letters a to z, digits and . _ + -, and begin").waitFor();
  await waitForFocus(/^Username$/);
  await page.context().close();
});

test("on a phone, every control is at least 44 px high, and the reference begins with its text", async () => {
  page = await h.newPage({ viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  send = await h.apiOf(await h.signUp(page));
  const { file } = await post("phone.csv");
  await send(`/api/files/${file.id}`, { tags: ["red"] }, {}, "PATCH");
  await page.reload();
  await h.row(page, "phone.csv").waitFor();
  const small = () =>
    page.evaluate(() =>
      [...document.querySelectorAll("button, a[href], select, summary, input:not([type=checkbox])")]
        .filter(
          (element) => element.checkVisibility() && !element.closest("main p, td, .skip") && !element.hidden,
        )
        .filter((element) => element.className !== "skip" && element.type !== "file")
        .map((element) => [element.textContent.slice(0, 30), element.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 43.5 || height < 43.5)
        .map(([text, { width, height }]) => `${text}: ${width} × ${height}`),
    );
  assert.deepEqual(await small(), []);
  await h.row(page, "phone.csv").getByRole("button", { name: /red/ }).tap();
  await page.getByLabel("Filter by tag").fill("blue");
  await page.getByRole("button", { name: "Add", exact: true }).tap();
  await page.waitForURL(/tag=red&tag=blue/);
  await page.goto(`${h.URL_}/docs`);
  const title = await page.getByRole("heading", { name: "Cutty API" }).boundingBox();
  assert.ok(title.y < 200, String(title.y));
  assert.deepEqual(await small(), []);
  await page.getByText("Operations", { exact: true }).tap();
  await page.getByRole("link", { name: "GET /api/usage" }).tap();
  await page.waitForURL(/#get-api-usage/);
  assert.equal(await page.locator("nav details[open]").count(), 0);
  assert.equal(await page.locator("nav [aria-current]").count(), 1);
  await page.context().close();
});
