// The bar of a page, with the menu of the account.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Settings, SettingsSection } from "../account";
import { noConnection } from "../api";
import type { User } from "../api";
import { signOut } from "../auth";
import { t } from "../strings";
import { Icon, Menu, Name, problemFrom } from "./base";
import type { Action } from "./base";
import { toastProblem } from "./toasts";

/** The menu of the account, and the settings, which are loaded when they are first opened. */
export function Account({ user, actions }: { user: User; actions: Action[] }) {
  const [View, setView] = useState<typeof Settings | null>(null);
  const [section, setSection] = useState<SettingsSection | null>(null);
  const open = (section: SettingsSection) => ({
    label: t.account.sections[section],
    run: () =>
      void import("../account").then(
        ({ Settings }) => {
          setView(() => Settings);
          setSection(section);
        },
        () => toastProblem(noConnection()),
      ),
  });
  const settings = [open("profile"), open("sessions"), open("keys")];
  if (user.role === "admin") settings.push(open("users"));
  const [first, ...others] = actions;
  return (
    <>
      <Menu
        label={t.auth.account(user.username)}
        actions={[...settings, ...(first ? [{ ...first, isGroup: true }] : []), ...others]}
        header={
          <p class="who">
            <span class="muted small">{t.auth.signedInAs}</span>
            <Name>{user.username}</Name>
          </p>
        }
      >
        <Icon name="user" />
      </Menu>
      {View && section && <View user={user} section={section} onClose={() => setSection(null)} />}
    </>
  );
}

/** The way to the usage, and for admins to the administration. */
export const placesOf = ({ role }: User): Action[] => [
  { label: t.usage.open, run: () => location.assign("/usage") },
  ...(role === "admin" ? [{ label: t.administration, run: () => location.assign("/ops") }] : []),
];

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
        { label: t.shares, run: () => location.assign("/shares") },
        { label: t.receipts, run: () => location.assign("/receipt") },
        ...placesOf(user),
        { label: t.reference, run: () => location.assign("/docs") },
        {
          label: t.auth.signOut,
          run: () => void signOut().catch((error: unknown) => toastProblem(problemFrom(error))),
        },
      ]}
    />
  </header>
);
