// The texts of shares, for the owner of the files.

import { n, name, plural } from "./strings";

const MINUTE = 60;
const DAY = 86_400;

export const sh = {
  open: "Share",
  title: "Share",
  shares: "Shares",
  withMe: "Shared with me",
  withMeFiles: "Files that others share with me",

  form: {
    kind: "Who",
    kinds: {
      cut: "Anybody with a link, only this cut",
      download: "Anybody with a link",
      account: "Another account",
    } as Record<string, string>,
    texts: {
      cut: "The cut is stored as a file of yours now. Holders of the link see nothing else of this file.",
      download: "Everyone who has the link can see and download the whole file, without an account.",
      account: "The other account finds the file under “Shared with me”. It cannot change or share the file.",
    } as Record<string, string>,
    onlyRows: "To share only some rows or columns, open the file and share a cut.",
    openFile: "Open the file",
    wholeFile: "You chose no filter and no columns, so this cut has the whole file.",
    expires: "The link ends after",
    accountExpires: "The share ends after",
    links: [
      [30 * MINUTE, "30 minutes"],
      [DAY, "1 day"],
      [7 * DAY, "7 days"],
    ] as [number, string][],
    accounts: [
      [0, "No end"],
      [DAY, "1 day"],
      [7 * DAY, "7 days"],
      [30 * DAY, "30 days"],
      [365 * DAY, "1 year"],
    ] as [number, string][],
    maxUses: "Number of uses",
    maxUsesHint: "Empty: no limit",
    password: "Password (optional)",
    passwordHint: "At least 8 characters. Send it in another way than the link.",
    name: "Your note (optional)",
    nameHint: "Only you see it",
    username: "Username",
    may: "The account may",
    mays: { read: "See and download", cut: "See, download and cut" } as Record<string, string>,
    make: "Make a link",
    share: "Share",
    working: "Making the link",
    storing: "Storing the cut",
  },

  made: {
    title: "The link is ready",
    text: "Everyone who has this link can use it. Give it only to people who may use it.",
    page: "Link for people",
    url: "Link for programs",
    account: (user: string) => `${name(user)} can see the file now.`,
  },

  list: {
    title: "Shares of this file",
    label: "Shares",
    none: "This file is not shared.",
    noneAtAll: "You share nothing yet.",
    noneAtAllText:
      "To share a file, choose “Share” in its menu in the list of files. To get files from somebody, ask for files.",
    more: "Show more shares",
    kinds: { download: "Link to the file", cut: "Link to a cut", upload: "Link for uploads" } as Record<
      string,
      string
    >,
    account: (user: string, may: string) =>
      `${name(user)} may ${may === "cut" ? "see and cut" : "see"} the file`,
    deletedFile: "a deleted file",
    status: {
      active: "Active",
      expired: "Ended",
      used: "Used up",
      revoked: "Revoked",
      paused: "Paused: its file is in the trash",
    },
    uses: (uses: number, most: number | null) =>
      most === null ? plural(uses, "use", "uses") : `${n(uses)} of ${plural(most, "use", "uses")}`,
    files: (uses: number, most: number | null) =>
      most === null ? plural(uses, "file", "files") : `${n(uses)} of ${plural(most, "file", "files")}`,
    ends: (time: string) => `ends ${time}`,
    ended: (time: string) => `ended ${time}`,
    noEnd: "no end",
    password: "with a password",
    copy: "Copy the link",
    copyOf: (what: string) => `Copy the link: ${what}`,
    actions: (what: string) => `Actions for the share: ${what}`,
    copyUrl: "Copy the link for programs",
    copied: "Copied.",
    notCopied: "The browser did not allow it. Make another link and select its text.",
    extend: (time: string) => `Ends ${time} from now`,
    noEndAction: "Never ends",
    extended: "The share has a new end.",
    extendedLink: "The link has a new end, so it is a new link. Copy it again.",
    revoke: "Revoke",
    revokeTitle: "Revoke this share?",
    revokeText: "The link stops working at once. This cannot be undone.",
    revokeAccountText: (user: string) => `${name(user)} cannot see the file any more.`,
    revokeCutText: "The stored cut stays among your files.",
  },

  upload: {
    button: "Ask for files",
    title: "Ask for files",
    text: "Somebody without an account sends you files through a link, and sees nothing of your account.",
    name: "Name",
    nameHint: "The sender sees it, such as “Lists for the spring survey”",
    files: "Number of files",
    size: "Greatest size of a file, in MB",
    sizeHint: "Empty: the limit of one request",
    tags: "Tags of the files",
    make: "Make a link",
  },

  page: {
    title: "Shares",
    place: "Shares",
    tabs: "Which shares",
    mine: "Shared by me",
    noneWithMe: "Nobody shares a file with you.",
    noneWithMeText: "When somebody shares a file with your account, it is here.",
    toFiles: "To your files",
    by: (user: string) => `from ${name(user)}`,
    may: { read: "see and download", cut: "see, download and cut" } as Record<string, string>,
    download: (file: string) => `Download ${name(file)}`,
    more: "Show more files",
    heads: { name: "Name", rows: "Rows", size: "Size", age: "Uploaded" },
  },
};
