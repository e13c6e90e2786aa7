// Parts of a page that are loaded when they are first shown.

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { noConnection } from "../api";
import { t } from "../strings";
import { ProblemNote } from "./base";

/** Makes a component that loads the real one. If that fails, it says so, and can try again. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let Loaded: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [View, setView] = useState<ComponentType<P> | null>(() => Loaded);
    const [hasFailed, setFailed] = useState(false);
    const begin = () => {
      setFailed(false);
      load().then(
        (found) => {
          Loaded = found;
          setView(() => found);
        },
        () => setFailed(true),
      );
    };
    useEffect(() => {
      if (!View) begin();
    }, []);
    if (View) return <View {...props} />;
    if (!hasFailed) return <p class="muted">{t.loading}</p>;
    return (
      <ProblemNote problem={noConnection()}>
        <button type="button" onClick={begin}>
          {t.retry}
        </button>
      </ProblemNote>
    );
  };
}
