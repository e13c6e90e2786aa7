// What every page with an account has: the door before it, and the banner above it.

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import * as api from "../api";
import type { User } from "../api";
import { authState, begin, onAuth } from "../auth";
import { t } from "../strings";
import { Icon, ProblemNote, useStore } from "./base";
import { SignIn, SignInAgain } from "./signin";
import { Toasts } from "./toasts";

export function Frame({ children }: { children: (user: User) => ComponentChildren }) {
  const auth = useStore(authState, onAuth);
  useEffect(() => void begin(), []);
  return (
    <>
      <Banner />
      {auth.kind === "loading" && <main class="door" tabIndex={-1} aria-busy="true" aria-label={t.loading} />}
      {auth.kind === "failed" && (
        <main class="door" tabIndex={-1}>
          <h1>{t.product}</h1>
          <ProblemNote problem={auth.problem} />
          <button type="button" onClick={() => void begin()}>
            {t.retry}
          </button>
        </main>
      )}
      {auth.kind === "out" && <SignIn />}
      {auth.kind === "in" && children(auth.user)}
      {auth.kind === "in" && auth.isOver && <SignInAgain user={auth.user} />}
      <Toasts />
    </>
  );
}

function Banner() {
  const reach = useStore(api.currentReach, api.onReach);
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
