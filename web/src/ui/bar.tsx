// The bar of a page, with the menu of the account.

import type { ComponentChildren, ComponentType } from "preact";
import { useState } from "preact/hooks";
import { noConnection } from "../api";
import type { User } from "../api";
import { signOut } from "../auth";
import { t } from "../strings";
import { Icon, Menu, Name, problemFrom } from "./base";
import type { Action } from "./base";
import { toastProblem } from "./toasts";

/** The menu of the account, and its dialog. */
export function Account({ user, actions }: { user: User; actions: Action[] }) {
  const [View, setView] = useState<ComponentType<{ onClose: () => void }> | null>(null);
  const open = () =>
    import("../account").then(
      ({ AccountDialog }) => setView(() => AccountDialog),
      () => toastProblem(noConnection()),
    );
  return (
    <>
      <Menu
        label={t.auth.account(user.username)}
        actions={[{ label: t.account.open, run: () => void open() }, ...actions]}
        header={
          <p class="who">
            <span class="muted small">{t.auth.signedInAs}</span>
            <Name>{user.username}</Name>
          </p>
        }
      >
        <Icon name="user" />
      </Menu>
      {View && <View onClose={() => setView(null)} />}
    </>
  );
}

/** The bar of a page that has no uploads. The place is a path, such as files / receipts. */
export const Bar = ({ user, children }: { user: User; children: ComponentChildren }) => (
  <header class="bar">
    <a class="brand" href="/">
      <Icon name="cut" /> {t.product}
    </a>
    <nav class="place" aria-label={t.place}>
      {children}
    </nav>
    <span class="grow" />
    <Account
      user={user}
      actions={[
        { label: t.receipts, run: () => location.assign("/receipt") },
        { label: t.reference, run: () => location.assign("/docs") },
        {
          label: t.auth.signOut,
          run: () => void signOut().catch((error: unknown) => toastProblem(problemFrom(error))),
        },
      ]}
    />
  </header>
);
