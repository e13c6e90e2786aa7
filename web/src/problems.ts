// The problems that people meet most, in the words of the page. Other problems keep the text of the API.

import { Problem } from "./net";
import { t } from "./strings";

const p = t.problems;

export interface Explained {
  title: string;
  detail: string;
  /** The field of a form that has to change. */
  field: string | null;
}

export function explain(problem: Problem): Explained {
  const { title, detail, code } = problem;
  const say = (detail: string, field: string | null = null, heading = title): Explained => ({
    title: heading,
    detail,
    field,
  });
  switch (code) {
    case "forbidden":
      return say(detail, detail.startsWith("The current password") ? "current" : null);
    case "not_found":
      if (detail.startsWith("There is no other account")) return say(detail, "username");
      // Other texts that the page meets name uploads.
      return detail.startsWith("The file") ? say(p.missing, null, p.missingTitle) : say(detail);
    case "bad_metadata": {
      if (/expiry/i.test(detail)) return say(/future/.test(detail) ? p.pastExpiry : detail, "expiry");
      const long = /^A tag can have at most 64 bytes.*?"(.*)"/s.exec(detail);
      if (long) return say(p.longTag(long[1]!.slice(0, 24)), "tags");
      return say(detail, /\btags?\b/i.test(detail) ? "tags" : null);
    }
    case "bad_name":
      if (detail.includes("path separator")) return say(p.nameSeparator, "name");
      return say(detail.includes("is empty") ? p.nameEmpty : detail, "name");
    case "unsupported_type":
      return say(detail, detail.includes("extension") ? "name" : null);
    case "user_exists":
      return detail.includes("username") ? say(p.nameTaken, "username") : say(p.emailTaken, "email");
    case "weak_password":
      return say(detail, "password");
    case "bad_request": {
      if (detail.startsWith("A username has")) return say(p.username, "username");
      const member = /^The member (\w+) must/.exec(detail);
      if (member) return say(detail, member[1]);
      if (detail.includes("email address")) return say(p.email, "email");
      const rule = /^(\w+) cannot be "?(.*?)"?\. It must be (.*)$/s.exec(detail);
      if (!rule) return say(detail);
      const [, field = null, value = "", wanted = ""] = rule;
      return say(field === "encoding" ? p.encoding(value) : p.rule(value, wanted), field);
    }
    default:
      return say(detail);
  }
}
