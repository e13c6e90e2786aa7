// Says above a page that the server cannot be reached.

import { currentReach, onReach } from "../net";
import { t } from "../strings";
import { Icon, useStore } from "./base";

export function Banner() {
  const reach = useStore(currentReach, onReach);
  return (
    <div role="status" aria-live="polite">
      {reach !== "ok" && (
        <p class="banner">
          <Icon name="offline" /> {reach === "offline" ? t.banner.offline : t.banner.down}
        </p>
      )}
    </div>
  );
}
