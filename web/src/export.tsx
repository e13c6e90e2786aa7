// The panel that exports what the page of a file shows. Loaded when it is first opened.

import type { DialectOptions, FileView } from "./api";
import type { Estimate } from "./table";
import { Dialog } from "./ui/base";

export interface CutState {
  file: FileView;
  columns: string[] | null;
  filter: string;
  q: string;
  reading: DialectOptions;
  count: { rows: number; exact: boolean } | null;
  estimate: Pick<Estimate, "bytesTotal" | "bytesToScan" | "bytesSkipped" | "costUsd"> | null;
}

export type ExportSection = "download" | "save" | "recipe" | "copy";

interface Props {
  state: CutState;
  section?: ExportSection;
  close: () => void;
  apply: (cut: object) => void;
}

export const ExportPanel = ({ state, close }: Props) => (
  <Dialog title="Export" onClose={close}>
    <pre>{JSON.stringify(state, null, 1)}</pre>
  </Dialog>
);
