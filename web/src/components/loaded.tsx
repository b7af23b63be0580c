/** Shows what a request returns, and until then a spinner, or why it failed with a button that tries again. */

import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { explain } from "../session/problems";
import { t } from "../texts/texts";
import { Button } from "./button";
import { Notice } from "./notice";
import { Spinner } from "./spinner";

export type Loading<T> = { value: T | null; problem: unknown; reload: () => Promise<void>; set: (value: T) => void };

/** Loads when the component appears, and again when one of `inputs` changes; an older answer never replaces a newer one. */
export function useLoaded<T>(load: () => Promise<T>, inputs: readonly unknown[] = []): Loading<T> {
  const [value, set] = useState<T | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const latest = useRef(0);

  const reload = useCallback(async () => {
    latest.current += 1;
    const own = latest.current;
    setProblem(null);
    try {
      const found = await load();
      if (own === latest.current) set(found);
    } catch (caught) {
      if (own === latest.current) setProblem(caught);
    }
  }, inputs);

  useEffect(() => {
    void reload();
    return () => {
      latest.current += 1;
    };
  }, [reload]);
  return { value, problem, reload, set };
}

export function Loaded<T>({ of, children }: { of: Loading<T>; children: (value: T) => ComponentChildren }) {
  if (of.problem) {
    return (
      <div role="alert" class="form">
        <Notice kind="danger">{explain(of.problem).text}</Notice>
        <div class="buttons">
          <Button icon="retry" onClick={() => void of.reload()}>
            {t("try_again")}
          </Button>
        </div>
      </div>
    );
  }
  return of.value === null ? <Spinner label={t("loading")} /> : <>{children(of.value)}</>;
}
