// Every text of the page. A name inside a text is isolated (FSI … PDI), so that its direction does not change the text.

export const name = (text: string): string => `\u2068${text}\u2069`;
const number = new Intl.NumberFormat();
export const n = (value: number): string => number.format(value);
export const plural = (value: number, one: string, many: string): string =>
  `${n(value)} ${value === 1 ? one : many}`;
const files = (value: number): string => plural(value, "file", "files");
export const rows = (value: number): string => plural(value, "row", "rows");
const records = (value: number): string => plural(value, "record", "records");

export const t = {
  product: "Cutty",
  tagline: "Keep CSV files of any size, find them again, and cut out what you need.",
  loading: "Loading",
  justNow: "just now",
  seconds: (s: number) => `${n(s)} s`,
  minutes: (m: number, s: number) => `${n(m)} min ${n(s)} s`,
  hours: (h: number, m: number) => `${n(h)} h ${n(m)} min`,
  files,
  rows,
  columns: (value: number) => plural(value, "col", "cols"),
  close: "Close",
  cancel: "Cancel",
  save: "Save",
  retry: "Try again",
  dismiss: "Dismiss",
  skipToFiles: "Skip to the files",

  errors: {
    unexpected: "Unexpected response",
    status: (status: number) =>
      `The server responded with the status ${status} and no explanation. Try again in a moment.`,
    downTitle: "The server does not respond",
    downDetail: "Nothing was changed. Try again in a moment.",
    offlineTitle: "You are offline",
    offlineDetail: "Nothing was changed. Try again when you are connected.",
    outTitle: "You are signed out",
    outDetail: "Sign in again to continue.",
    requestId: (id: string) => `Request ${id}`,
    bulk: (failed: number, all: number) => `${n(failed)} of ${files(all)} could not be changed`,
  },

  problems: {
    missingTitle: "No such file",
    missing: "This file does not exist, or it belongs to somebody else.",
    inTrashTitle: "This file is in the trash",
    inTrash: (file: string) =>
      `${name(file)} was moved to the trash, for example in another tab. Restore it to use it again.`,
    pastExpiry: "Choose a time in the future.",
    longTag: (tag: string) =>
      `The tag that begins with ${name(tag)} is too long. Use at most 64 letters; a letter with an accent counts as two or more.`,
    nameSeparator: "A name cannot contain / or \\.",
    nameEmpty: "Give the file a name, such as data.csv.",
    nameTaken: "This username is taken. Choose another one, or sign in.",
    emailTaken: "This email address has an account. Sign in, or use another address.",
    username: "Use the letters a to z, digits and . _ + -, and begin with a letter or a digit.",
    email: "This is not an email address. One looks like name@example.com.",
    encoding: (value: string) =>
      `Cutty does not know the encoding ${name(value)}. Choose one from the list, such as UTF-8 or windows-1252.`,
    rule: (value: string, wanted: string) => `${name(value)} does not work here. It must be ${wanted}`,
  },

  banner: {
    offline: "You are offline. You can keep this page open: uploads continue when you are connected again.",
    down: "The server does not respond. This page tries again every few seconds, and uploads continue after that.",
  },

  auth: {
    signIn: "Sign in",
    signUp: "Create an account",
    signOut: "Sign out",
    signingIn: "Signing in",
    username: "Username",
    usernameOrEmail: "Username or email",
    usernameHint: "Letters, digits and . _ + -",
    email: "Email (optional)",
    password: "Password",
    passwordHint: "At least 8 characters",
    showPassword: "Show the password",
    toSignUp: "New here? Create an account",
    toSignIn: "You have an account? Sign in",
    forgot: "Forgot your password?",
    againTitle: "Sign in again",
    againText: (user: string) =>
      `Your session has ended. Sign in as ${name(user)} to continue. Your work on this page stays as it is.`,
    account: (user: string) => `Account of ${name(user)}`,
    signedInAs: "Signed in as",
    leaveUploads: (count: number) =>
      `${plural(count, "upload is", "uploads are")} not complete. If you sign out, you can continue within 24 hours: sign in and choose the same file.`,
  },

  account: {
    sections: {
      profile: "Account",
      sessions: "Password and sessions",
      keys: "API keys",
      users: "Users",
    },
    sessions: "Where you are signed in",
    current: "this session",
    used: (ago: string) => `used ${ago}`,
    unknownDevice: "Unknown device",
    end: "Sign out",
    endOf: (device: string) => `Sign out: ${device}`,
    endAll: "Sign out everywhere",
    more: "Show more sessions",
    password: "Password",
    currentPassword: "Current password",
    newPassword: "New password",
    passwordText: "All your other sessions end.",
    change: "Change the password",
    changed: "The password is changed.",
  },

  files_: {
    title: "Files",
    search: "Search by name",
    searchShort: "Search",
    tagFilter: "Filter by tag",
    addTag: "Add",
    removeTagFilter: (tag: string) => `Remove the filter ${name(tag)}`,
    filterByTag: (tag: string) => `Show only files with the tag ${name(tag)}`,
    sort: "Sort",
    sorts: {
      "-createdAt": "Newest",
      createdAt: "Oldest",
      filename: "Name A–Z",
      "-filename": "Name Z–A",
      "-size": "Largest",
      size: "Smallest",
    } as Record<string, string>,
    view: "Show",
    views: { active: "Active", archived: "Archived", deleted: "Trash" },
    list: "Files",
    total: (shown: number, total: number) =>
      shown < total ? `${n(shown)} of ${files(total)}` : files(total),
    more: "Show more files",
    selectAll: "Select all files shown",
    select: (file: string) => `Select ${name(file)}`,
    selected: (count: number) => `${n(count)} selected`,
    clearSelection: "Clear the selection",
    menu: (file: string) => `Actions for ${name(file)}`,
    clearFilters: "Clear search and filters",
    noMatch: "No file matches this search.",
    noMatchIn: (view: string) => `No file in “${view}” matches this search.`,
    emptyArchive: "The archive is empty. Archive a file to keep it out of the list of active files.",
    emptyTrash: "The trash is empty. Files in the trash can be restored for 30 days.",
    noActiveTitle: "No active files",
    noActiveText: "Your other files are kept here:",
    goTo: { archived: "Archive", deleted: "Trash" } as Record<string, string>,
    goToCount: (view: string, count: number) => `${view}: ${files(count)}`,
    heads: { name: "Name", rows: "Rows", size: "Size", age: "Uploaded" },
    inTrashSince: (when: string) => `in the trash since ${when}`,
    emptyTitle: "Your first file",
    emptyText:
      "Drop CSV files anywhere on this page, or choose them. You can use a file as soon as it is uploaded.",
    trySample: "Try a sample list",
    uploading: "Uploads",
    expires: (when: string) => `expires ${when}`,
    fromCut: "cut",
    fromCutHint: "This file was cut from another file",
  },

  usage: {
    label: "Storage used",
    open: "Storage and cost",
    text: (used: string, quota: string) => `${used} of ${quota}`,
    hint: (used: string, reserved: string, quota: string) =>
      `${used} used, ${reserved} reserved for uploads, ${quota} in total. Files in the trash count too.`,
  },

  actions: {
    cut: "See and cut",
    recipes: "Run a recipe",
    details: "Details",
    download: "Download",
    rename: "Rename",
    tags: "Edit tags",
    expiry: "Set expiry",
    share: "Share",
    reading: "Change how it is read",
    archive: "Archive",
    unarchive: "Move back to active",
    trash: "Move to trash",
    restore: "Restore",
    remove: "Delete permanently",
    undo: "Undo",
    addTags: "Tag",
  },

  done: {
    trashed: (count: number, file: string) =>
      count === 1 ? `${name(file)} is in the trash.` : `${files(count)} are in the trash.`,
    restored: (count: number, file: string) =>
      count === 1 ? `${name(file)} is active again.` : `${files(count)} are active again.`,
    untrashed: (count: number, file: string) =>
      count === 1
        ? `${name(file)} is out of the trash again.`
        : `${files(count)} are out of the trash again.`,
    archived: (count: number, file: string) =>
      count === 1 ? `${name(file)} is archived.` : `${files(count)} are archived.`,
    removed: (count: number, file: string) =>
      count === 1 ? `${name(file)} is deleted permanently.` : `${files(count)} are deleted permanently.`,
    tagged: (count: number) => `Tags of ${files(count)} are changed.`,
    downloading: (file: string) => `The download of ${name(file)} begins.`,
  },

  confirm: {
    removeTitle: (count: number, file: string) =>
      count === 1 ? `Delete ${name(file)} permanently?` : `Delete ${files(count)} permanently?`,
    removeText: "This cannot be undone. To keep a way back, move files to the trash instead.",
    removeFromTrashText: "This cannot be undone. To keep a way back, leave files in the trash.",
  },

  upload: {
    button: "Upload",
    choose: "Choose files",
    drop: "Drop files to upload them",
    progress: (file: string) => `Upload of ${name(file)}`,
    sentOf: (sent: string, size: string) => `${sent} of ${size}`,
    speed: (speed: string) => `${speed}/s`,
    left: (time: string) => `${time} left`,
    status: {
      queued: "Waiting for other uploads",
      sending: "Uploading",
      waiting: "Trying again soon",
      paused: "Paused",
      needsFile: "Not complete. Choose the same file to continue; the bytes that were sent are kept.",
      failed: "Not uploaded",
      refused: "Not uploaded. Remove it from this list, and upload a changed file.",
      done: "Uploaded",
    },
    expired: "The upload has expired. Choose the file to begin again.",
    doneElsewhere: "Uploaded. It is in the list of active files.",
    pause: (file: string) => `Pause the upload of ${name(file)}`,
    resume: (file: string) => `Continue the upload of ${name(file)}`,
    cancel: (file: string) => `Cancel the upload of ${name(file)}`,
    retry: (file: string) => `Try the upload of ${name(file)} again`,
    remove: (file: string) => `Remove ${name(file)} from this list`,
    chooseAgain: "Choose the file",
    otherFileTitle: "This is another file",
    otherFileDetail: (file: string) =>
      `Choose the same, unchanged ${name(file)} to continue, or cancel this upload and begin a new one.`,
    otherTabTitle: "Another tab uploads this file",
    otherTabDetail: "Continue in the other tab, or close it and try again here.",
    under: (count: number, percent: number) => `${plural(count, "upload", "uploads")}, ${n(percent)} %`,
  },

  reading: {
    title: "How it is read",
    working: "Reading the file…",
    notReady: "The statistics of this file are not ready yet. Open its details later.",
    summary: (delimiter: string, encoding: string) => `Read as ${delimiter}, ${encoding}`,
    header: "first record is the header",
    headerAfter: (line: number) => `header in line ${n(line)}`,
    noHeader: "no header",
    sure: (percent: number) => `${n(percent)} % of the records have the same number of fields`,
    unsure: "Not certain: check how the file is read.",
    rowsLong: (count: number) =>
      `${rows(count)} ${count === 1 ? "is" : "are"} wider than the header. The extra fields are left out of cuts.`,
    rowsShort: (count: number) =>
      `${rows(count)} ${count === 1 ? "has" : "have"} fewer fields than the header. The missing cells are empty.`,
    rowsMalformed: (count: number) =>
      `${records(count)} ${count === 1 ? "has" : "have"} a quote in a wrong place.`,
    noRows: "There is no row when the file is read this way: check the rules.",
    undecodable: (count: number) =>
      `${plural(count, "byte sequence is", "byte sequences are")} not valid in this encoding. Another encoding may fit.`,
    commentLines: (count: number) =>
      `${plural(count, "line", "lines")} below the header ${count === 1 ? "begins" : "begin"} like a comment and ${count === 1 ? "is" : "are"} left out.`,
    failure: (line: number | undefined) =>
      `The file can only be read up to line ${line === undefined ? "?" : n(line)}: the record there exceeds a limit.`,
    guessed: "The encoding is a guess from the words of the file.",
    suggestion: {
      noHeader: () => "The first record looks like a row, not like a header.",
      footer: (count: number) =>
        count === 1
          ? "The last record looks like a total, not like a row."
          : `The last ${records(count)} look like totals, not like rows.`,
      repeatedHeaders: (count: number) =>
        `${records(count)} ${count === 1 ? "repeats" : "repeat"} the header.`,
    } as Record<string, (count: number) => string>,
    otherSuggestion: (reason: string) => `Suggestion: ${reason}`,
    apply: {
      noHeader: "Read it as a row",
      footer: "Leave out",
      repeatedHeaders: "Leave the repeats out",
    } as Record<string, string>,
    applyOther: "Apply",
    alternative: (reading: string, percent: number) =>
      `It could also be ${reading}: then ${n(percent)} % of the records have the same number of fields.`,
    applyAlternative: "Read it so",
    rejects: (count: number) =>
      count >= 100 ? `The first ${records(count)} with a defect` : `${records(count)} with a defect`,
    reject: (line: number, reason: string) => `Line ${n(line)}: ${reason}`,
    change: "Change",
    detected: "Detect",
    detectedAs: (value: string) => `Detected: ${name(value)}`,
    default: "Default",
    defaultAs: (value: string) => `Default: ${name(value)}`,
    types: { categorical: "category" } as Record<string, string>,
    noComment: "no comment lines",
    noNullValues: "no such words",
    delimiters: {
      ",": "comma",
      ";": "semicolon",
      "\t": "tab",
      "|": "pipe",
    } as Record<string, string>,
    delimiterOther: (text: string) => `delimiter ${name(text)}`,
    oneColumn: "one column",
    separated: (delimiter: string) => `${delimiter}-separated`,
    // The rules of the dialect
    delimiter: "Delimiter",
    delimiterText: "Other delimiter",
    other: "Other…",
    none: "None",
    encoding: "Encoding",
    encodingSource: "Encoding known from",
    quote: "Quote",
    escape: "Quote inside quotes",
    escapes: { double: "Doubled", backslash: "After a backslash" } as Record<string, string>,
    skipRows: "Lines above the header to skip",
    inputHeader: "First record",
    headerYes: "Is the header",
    headerNo: "Is a row",
    comment: "Comment lines begin with",
    commentHint: "One sign, such as #. Write none to keep all lines as rows",
    trim: "Blanks around values",
    trims: { none: "Keep", header: "Remove in the header", cells: "Remove everywhere" } as Record<
      string,
      string
    >,
    skipFooter: "Last records to leave out",
    nullValues: "Words that mean “empty”",
    nullValuesHint: "Separated by commas, such as NA, null",
    ragged: "Rows of another width",
    raggeds: { keep: "Keep", refuse: "Refuse the file", pad: "Add columns" } as Record<string, string>,
    repeatedHeaders: "Repeated headers",
    repeats: { keep: "Keep as rows", skip: "Leave out" } as Record<string, string>,
    saveRules: "Read the file this way",
    detectAll: "Detect everything again",
    more: "More rules",
    doubleQuote: 'Double quote "',
    singleQuote: "Single quote '",
  },

  details: {
    general: "Name, tags, expiry",
    name: "Name",
    tags: "Tags",
    tagsHint: "Separated by commas",
    expires: "Moves to the trash on",
    expiresHint: "Leave empty to keep the file",
    saved: "Saved.",
    columns: "Columns",
    moreColumns: (count: number) => `and ${n(count)} more`,
    lineage: "Where it comes from",
    parents: "It was cut from",
    children: "Cut from it",
    noParents: "You uploaded this file.",
    noChildren: "Nothing was cut from this file yet.",
    unknownFile: "a deleted file",
    history: "History",
    openHistory: "Who did what with this file",
    facts: "Facts",
    size: "Size",
    created: "Uploaded",
    checksum: "SHA-256",
    unverified: "not computed yet",
    rows: "Rows",
    unknown: "not known yet",
    status: "Status",
    discard: "Close without saving your changes?",
    inTrash: (since: string) => `This file is in the trash since ${since}. Restore it to read or change it.`,
  },

  bulkTags: {
    title: (count: number) => `Tags of ${files(count)}`,
    add: "Tags to add",
    remove: "Tags to remove",
  },

  reference: "API reference",
  receipts: "Receipts of cuts",
  shares: "Shares",
  administration: "Administration",
  sharedWithMe: "Shared with me",
  place: "Place",

  shortcuts: {
    title: "Keyboard shortcuts",
    enabled: "Use single-key shortcuts",
    list: [
      ["/", "Search"],
      ["u", "Upload"],
      ["z", "Undo the last move to the trash"],
      ["↑ ↓", "Move between files"],
      ["x", "Select the focused file"],
      ["?", "Show this list"],
      ["Esc", "Close, or clear the selection"],
    ] as [string, string][],
    open: "Keyboard shortcuts",
  },

  sample: {
    filename: "sample-customers.csv",
  },
};
