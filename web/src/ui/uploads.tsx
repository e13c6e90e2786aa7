// What is shown under a file that was just uploaded.

import type { FileView } from "../api";
import { t } from "../strings";
import * as uploading from "../upload";
import type { Item } from "../upload";
import { Icon } from "./base";
import { Findings, Summary, hasFindings } from "./reading";

export { UploadRow } from "./upload-row";

const u = t.upload;

interface UploadedProps {
  item: Item;
  file: FileView;
  onChange: () => void;
  onChanged: (file: FileView) => void;
}

/** What was assumed of a file that was just uploaded. */
export function UploadedNote({ item, file, onChange, onChanged }: UploadedProps) {
  const r = t.reading;
  const { profile } = item;
  const isCalm = typeof profile !== "object" || !hasFindings(profile);
  return (
    <div class={isCalm ? "uploaded calm" : "uploaded"}>
      <div role="status">
        {profile === "loading" && <p class="muted">{r.working}</p>}
        {profile === "none" && <p class="muted">{r.notReady}</p>}
        {typeof profile === "object" && (
          <>
            {profile.dialect && <Summary dialect={profile.dialect} />}
            <Findings file={file} profile={profile} onChanged={onChanged} />
          </>
        )}
      </div>
      <span class="row">
        <button type="button" class="small" onClick={onChange}>
          {r.change}
        </button>
        <button
          type="button"
          class="quiet square"
          aria-label={u.remove(file.filename)}
          onClick={() => void uploading.remove(item.key)}
        >
          <Icon name="close" />
        </button>
      </span>
    </div>
  );
}
