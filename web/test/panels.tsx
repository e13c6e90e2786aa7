// A page for the tests only: buttons that open the export panel and the list of recipes, as the page of a file does.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import * as api from "../src/api";
import { ExportPanel, RecipesPanel } from "../src/export";
import type { CutState } from "../src/export";
import { keepFocus } from "../src/ui/focus";
import { Frame } from "../src/ui/frame";

const query = new URLSearchParams(location.search);
const given = JSON.parse(query.get("state") ?? "{}") as Partial<CutState>;
const applied: unknown[] = [];
Object.assign(globalThis, { applied });

function Panels() {
  const [file, setFile] = useState<api.FileView | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const [output, keep] = useState<CutState["output"]>({});
  useEffect(() => void api.getFile(query.get("file")!).then(setFile), []);
  if (!file) return null;
  const nothing = { columns: null, filter: "", q: "", reading: {}, count: null, estimate: null };
  const close = () => setOpen(null);
  const apply = (cut: object) => void applied.push(cut);
  return (
    <main tabIndex={-1}>
      <h1>Panels</h1>
      <button type="button" onClick={() => setOpen("export")}>
        Export
      </button>
      <button type="button" onClick={() => setOpen("recipes")}>
        Recipes
      </button>
      {open === "export" && (
        <ExportPanel
          state={{ ...nothing, output, ...given, file }}
          section={(query.get("section") as "save" | null) ?? undefined}
          close={close}
          apply={apply}
          keep={keep}
        />
      )}
      {open === "recipes" && <RecipesPanel file={file} close={close} apply={apply} download={apply} />}
    </main>
  );
}

keepFocus();
render(<Frame>{() => <Panels />}</Frame>, document.getElementById("app")!);
