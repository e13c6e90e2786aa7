// A cut as a link, as a curl command, and as a Python program. Access tokens are never in these texts.

import { cutterOf, resultName } from "./cut";
import type { Cut } from "./cut";

export interface Named {
  file: { id: string; filename: string };
  cut: Cut;
}

const origin = (): string => location.origin;

export const linkOf = ({ file, cut }: Named): string => origin() + cutterOf(file.id, cut);

/** Writes a text for a POSIX shell. */
const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

export const curlOf = ({ file, cut }: Named): string =>
  [
    `curl --fail --show-error --output ${shell(resultName(file.filename, cut))}`,
    `  ${shell(`${origin()}/api/files/${file.id}/cut`)}`,
    `  --header "Authorization: Bearer $TOKEN"`,
    `  --header 'Content-Type: application/json'`,
    `  --data ${shell(JSON.stringify(cut))}`,
  ].join(" \\\n");

/** Writes a value of JSON as a Python expression. */
function python(value: unknown): string {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null || value === undefined) return "None";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${python(member)}`);
  return `{${members.join(", ")}}`;
}

const HASH_ZIPPED = `
# The receipt has the hash of the result before compression.
with gzip.open(NAME, "rb") as result:
    while piece := result.read(1 << 20):
        digest.update(piece)`;

/** Streams the result into a file, and compares its SHA-256 with the receipt. */
export function pythonOf({ file, cut }: Named): string {
  const isZipped = cut.compress === "gzip";
  return `${isZipped ? "import gzip\n" : ""}import hashlib
import json
import os
from urllib.request import Request, urlopen

SERVER = ${python(origin())}
NAME = ${python(resultName(file.filename, cut))}
CUT = ${python(cut)}

headers = {"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}
digest = hashlib.sha256()

with urlopen(Request(f"{SERVER}/api/files/${file.id}/cut", json.dumps(CUT).encode(), headers)) as response:
    cut_id = response.headers["X-Cut-Id"]
    with open(NAME, "wb") as out:
        while piece := response.read(1 << 20):
            out.write(piece)
${isZipped ? HASH_ZIPPED : "            digest.update(piece)"}

with urlopen(Request(f"{SERVER}/api/cuts/{cut_id}", headers=headers)) as response:
    receipt = json.load(response)["cut"]
if not receipt["complete"] or receipt["checksum"] != digest.hexdigest():
    raise SystemExit(f"{NAME} is not complete: delete it and try again")
print(f"{NAME}: {receipt['rowsOut']} rows, SHA-256 {digest.hexdigest()}")
`;
}
