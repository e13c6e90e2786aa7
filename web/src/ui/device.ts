// The name of a browser and of its system.

import { t } from "../strings";

/** Returns the name of a browser and of its system, as far as the user agent says them. */
export function deviceOf(agent: string | null): string {
  const browsers = [/Edg|Firefox|OPR/, /Chrome/, /Safari/, /^[\w-]+/];
  const systems = /Windows|Android|iPhone|iPad|Mac OS|Linux/;
  const names: Record<string, string> = { Edg: "Edge", OPR: "Opera", "Mac OS": "macOS" };
  if (!agent) return t.account.unknownDevice;
  const found = [browsers.map((browser) => browser.exec(agent)?.[0]).find(Boolean), systems.exec(agent)?.[0]];
  return found.flatMap((name) => (name ? [names[name] ?? name] : [])).join(", ") || t.account.unknownDevice;
}
