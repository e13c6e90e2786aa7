// Makes the images in docs/images: the list of files and the details of a file, in light, in dark, and on a phone.
// scripts/screenshots runs it.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import * as h from "./harness.mjs";

const OUT = join(import.meta.dirname, "../../docs/images");

/** Rows of a list that does not exist, the same in each run. */
function table(header, rows, row) {
  return `${header}\n${Array.from({ length: rows }, (_, index) => row(index)).join("\n")}\n`;
}

const CITIES = ["Bern", "Basel", "Genève", "Zürich", "Lugano", "Lausanne", "Chur"];
const city = (index) => CITIES[(index * 5) % CITIES.length];
const day = (index) =>
  `2026-${String(1 + (index % 12)).padStart(2, "0")}-${String(1 + (index % 28)).padStart(2, "0")}`;

const FILES = [
  h.csv(
    "stations.csv",
    table(
      "id,name,canton,altitude_m,opened",
      1_842,
      (i) => `${1000 + i},Station ${i},BE,${400 + ((i * 37) % 900)},${day(i)}`,
    ),
  ),
  h.csv(
    "survey-2026.csv",
    table("answer;city;age;comment", 12_408, (i) => `${i};${city(i)};${18 + (i % 70)};"fine, thanks"`),
  ),
  h.csv(
    "members.csv",
    table(
      "number,name,city,joined",
      356,
      (i) => `${String(i).padStart(5, "0")},Member ${i},${city(i)},${day(i)}`,
    ),
  ),
  h.csv(
    "invoices.csv",
    table(
      "invoice,date,customer,amount",
      48_211,
      (i) => `R-${10_000 + i},${day(i)},${city(i)} AG,${(i * 7919) % 100_000}.50`,
    ),
  ),
];

async function main() {
  mkdirSync(OUT, { recursive: true });
  const page = await h.newPage({ reducedMotion: "reduce" });
  const name = await h.signUp(page, `ada-${Date.now().toString(36)}`);
  for (const file of FILES) await h.upload(page, file);
  const send = await h.apiOf(name);
  const { files } = await send("/api/files");
  const TAGS = {
    "stations.csv": ["open data"],
    "survey-2026.csv": ["survey", "2026"],
    "invoices.csv": ["2026"],
  };
  for (const file of files) {
    const tags = TAGS[file.filename];
    if (tags) await send(`/api/files/${file.id}`, { tags }, {}, "PATCH");
  }
  await page.reload();
  await h.row(page, "invoices.csv").waitFor();
  const shots = [
    ["files-light", { colorScheme: "light" }, { width: 1120, height: 640 }],
    ["files-dark", { colorScheme: "dark" }, { width: 1120, height: 640 }],
    ["files-phone", { colorScheme: "light" }, { width: 390, height: 640 }],
  ];
  for (const [image, media, size] of shots) {
    await page.emulateMedia(media);
    await page.setViewportSize(size);
    await page.screenshot({ path: join(OUT, `${image}.png`) });
  }
  await page.setViewportSize({ width: 1120, height: 640 });
  await h.openDetails(page, "invoices.csv");
  await page.getByRole("dialog").getByText("Read as").waitFor();
  await page.screenshot({ path: join(OUT, "details-light.png") });
  await page.context().close();
  await h.close();
}

await main();
