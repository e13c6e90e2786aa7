// What every page with an account has: the door before it, and the banner above it.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { User } from "../api";
import type { EmailLink } from "../email-link";
import { authState, begin, onAuth } from "../auth";
import type { AuthState } from "../auth";
import { t } from "../strings";
import { Banner } from "./banner";
import { ProblemNote, useStore } from "./base";
import { lazy } from "./lazy";
import { SignIn, SignInAgain } from "./signin";
import { Toasts } from "./toasts";

const LinkPage = lazy(async () => (await import("../links")).LinkPage);

/** Takes the link out of the address, so that its token is not kept in the history. */
function takeLink(): EmailLink | null {
  const found = /^#(?:(verify|reset)=(.+)|(deleted))$/.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return { kind: (found[1] ?? found[3]) as EmailLink["kind"], token: found[2] ?? "" };
}

export function Frame({ children }: { children: (user: User) => ComponentChildren }) {
  const auth = useStore(authState, onAuth);
  const [link, setLink] = useState(takeLink);
  useEffect(() => void begin(), []);
  useEffect(() => {
    const read = () => setLink((before) => takeLink() ?? before);
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return (
    <>
      <Banner />
      {link ? (
        <LinkPage key={link.kind + link.token} link={link} />
      ) : (
        <Content auth={auth}>{children}</Content>
      )}
      <Toasts />
    </>
  );
}

interface ContentProps {
  auth: AuthState;
  children: (user: User) => ComponentChildren;
}

const Content = ({ auth, children }: ContentProps) => (
  <>
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
  </>
);
