// The texts of the page /usage.

import { n, plural, t } from "./strings";

export const us = {
  title: "Storage and cost",
  storage: "Storage",
  used: (used: string, quota: string) => `${used} of ${quota} used`,
  free: (free: string) => `${free} free`,
  full: "Your storage is full. Delete files permanently to upload again, or ask an admin for a higher quota.",
  bar: (parts: string, free: string) => `${parts}; ${free} free`,
  part: (label: string, size: string) => `${label} ${size}`,
  heads: { kind: "Kind", bytes: "Size", files: "Files" },
  kinds: {
    uploads: "Uploaded files",
    derived: "Saved cuts",
    imports: "Imported files",
    trash: "Files in the trash",
    other: "Files",
    reserved: "Reserved for unfinished uploads",
    spool: "Results of running cuts",
  },
  total: "Total",
  files: (count: number, limit: number) => `${n(count)} of ${plural(limit, "file", "files")}`,
  filesLabel: "Number of files",
  filesHint: "Files in the trash and unfinished uploads count too.",
  purge: (size: string, count: number) =>
    `${t.files(count)} (${size}) ${count === 1 ? "is" : "are"} deleted permanently and ${count === 1 ? "waits" : "wait"} for the purge.`,
  purgeNone: "No permanently deleted file waits for its purge.",
  purgeAllowance: (size: string) =>
    `Such files do not count in your quota, as long as they have at most ${size}.`,
  purgeLabel: "Deleted permanently",

  budget: "Monthly budget",
  noBudget: "You have no monthly budget.",
  budgetText: (cost: string, budget: string) => `About ${cost} of ${budget} this month`,
  budgetLabel: "Spent of the monthly budget",
  spent: "The budget of this month is spent.",
  whenSpent: {
    warn: "When it is spent, nothing is refused.",
    refuseCuts:
      "When it is spent, cuts and counts of rows are refused until the next month. Downloads and uploads go on.",
    refuseChanges:
      "When it is spent, cuts, counts of rows and new uploads are refused until the next month. Downloads go on.",
  } as Record<string, string>,
  nowSpent: {
    warn: "Nothing is refused.",
    refuseCuts: "Cuts and counts of rows are refused until the next month. Downloads and uploads go on.",
    refuseChanges: "Cuts, counts of rows and new uploads are refused until the next month. Downloads go on.",
  } as Record<string, string>,
  late: "The budget is checked every few minutes.",

  months: "Months",
  monthsList: "Usage and estimated cost by month",
  noMonths: "Nothing is counted yet.",
  months_: {
    month: "Month",
    operations: "Operations",
    in: "In",
    out: "Out",
    scanned: "Scanned",
    storage: "Storage",
    work: "Operations",
    cost: "Total",
  },
  costGroup: "Estimated cost",
  failedOf: (count: number) => `${n(count)} failed`,
  operationsOf: (month: string) => `Operations in ${month}`,
  operationHeads: { action: "Action", count: "Number", failed: "Failed" },
  explained: {
    in: "In: bytes of uploads and saved cuts.",
    out: "Out: bytes of downloads and of the results of cuts.",
    scanned: "Scanned: bytes that cuts read.",
  },
  estimate: (date: string) =>
    `The cost is an estimate from list prices of ${date}, without free tiers and discounts. It is not an invoice.`,
  estimateNoDate:
    "The cost is an estimate from list prices, without free tiers and discounts. It is not an invoice.",
  source: "Prices",
  utc: "Months are in UTC. A download or a cut counts some seconds after it ends.",
};
