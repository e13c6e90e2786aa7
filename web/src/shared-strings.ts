// The texts of the page /s, which the holder of a link sees.

import { n, name, plural, rows } from "./strings";

const files = (value: number): string => plural(value, "file", "files");

export const s = {
  page: "Shared file",
  title: (file: string) => `${file} · Cutty`,
  loading: "Opening the link",
  by: "Shared by a link",
  noLink: "This link is not complete",
  noLinkText:
    "A part of it is missing, for example after a line break in an email. Copy the whole link again.",
  ended: "This link does not work",
  kinds: { download: "Shared file", cut: "Shared cut", upload: "Send files" } as Record<string, string>,
  shape: (count: number, columns: number | null) =>
    columns === null ? rows(count) : `${rows(count)}, ${plural(columns, "column", "columns")}`,
  until: (time: string) => `The link works until ${time}.`,
  usesLeft: (count: number) => `It can be used ${plural(count, "more time", "more times")}.`,

  open: {
    title: "Open the shared file",
    password: "Password",
    passwordHint: "The person who sent you the link knows it.",
    wrong: "This password is wrong. Ask the person who sent you the link.",
    needed: "This file has a password.",
    counts: (left: number) =>
      left === 1
        ? "Opening uses the link up: this was its last use. Then you can see and download the file for one hour."
        : `Opening counts as one of ${n(left)} uses that are left. Then you can see and download the file for one hour.`,
    button: "Open",
    working: "Opening",
    opened: (time: string) =>
      `The file is open until ${time}. Until then, you can download it again and again.`,
  },

  download: {
    button: "Download",
    begins: "The download begins.",
  },

  rows: {
    title: "Rows",
    label: (file: string) => `Rows of ${name(file)}`,
    loading: "Reading rows",
    none: "The file has no rows.",
    range: (from: number, to: number, total: number | null) =>
      total === null ? `Rows ${n(from)} to ${n(to)}` : `Rows ${n(from)} to ${n(to)} of ${n(total)}`,
    number: "Row",
    before: "Previous rows",
    after: "Next rows",
    more: (shown: number, all: number) =>
      `The first ${n(shown)} of ${plural(all, "column", "columns")}. Download the file to see all of them.`,
    failure: (row: number) => `The file cannot be read after row ${n(row)}.`,
  },

  drop: {
    title: "Send files",
    place: "Drop files here, or choose them.",
    over: "Drop the files to send them",
    choose: "Choose files",
    list: "Files",
    types: { "text/csv": "CSV", "text/tab-separated-values": "TSV" } as Record<string, string>,
    takes: (types: string[], most: string | null) =>
      `${types.join(" and ") || "CSV and TSV"} files${most === null ? "" : `, each of at most ${most}`}.`,
    left: (count: number) => `The link takes ${n(count)} more ${count === 1 ? "file" : "files"}.`,
    passwordTitle: "Password",
    passwordText: "You need a password to send files through this link.",
    continue: "Continue",
    wrong: "This password is wrong. Ask the person who sent you the link, and try again.",
    tooLargeTitle: "This file is too large",
    tooLarge: (file: string, size: string, most: string) =>
      `${name(file)} has ${size}, and the link takes at most ${most}. Send a smaller file, or ask for another link.`,
    tooManyTitle: "Not all files were added",
    tooMany: (left: number, added: number) =>
      left === 0
        ? "The files in the list are all that this link takes. Remove one to send another one."
        : `The link takes ${files(left)} more. ${added === 1 ? "The first file was" : `The first ${n(added)} were`} added.`,
    overTitle: "Everything has arrived",
    over1: "The link takes no more files. You can close this page.",
    arrived: (count: number) => `${files(count)} arrived.`,
  },
};
