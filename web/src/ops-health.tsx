// The health of every service, and the switches.

import { useEffect, useState } from "preact/hooks";
import type { Problem } from "./api";
import { count, moment } from "./format";
import { getHealth, setSwitch } from "./operating";
import type { HealthReport, SwitchName, Switches } from "./operating";
import { op } from "./ops-strings";
import { t } from "./strings";
import { Icon, ProblemNote, problemFrom } from "./ui/base";
import { Confirm } from "./ui/confirm";
import { Wide } from "./ui/wide";

export function HealthView() {
  const [health, setHealth] = useState<HealthReport | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [round, setRound] = useState(0);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    setBusy(true);
    setProblem(null);
    getHealth(abort.signal)
      .then(setHealth, (error: unknown) => {
        if (!abort.signal.aborted) setProblem(problemFrom(error));
      })
      .finally(() => !abort.signal.aborted && setBusy(false));
    return () => abort.abort();
  }, [round]);
  const again = (
    <button type="button" aria-busy={isBusy} onClick={() => !isBusy && setRound(round + 1)}>
      {op.checkAgain}
    </button>
  );
  return (
    <section class="stack" aria-label={op.health} aria-busy={isBusy}>
      {problem && <ProblemNote problem={problem}>{again}</ProblemNote>}
      {!health && !problem && <p class="muted">{t.loading}</p>}
      {health && (
        <>
          <div role="status" class={`note outcome ${health.status === "healthy" ? "complete" : "failed"}`}>
            <Icon name={health.status === "healthy" ? "good" : "bad"} />
            <div>
              <strong>{op.overall[health.status]}</strong>
              <p class="muted">
                {moment(health.checkedAt)} · {op.version(health.version)}
              </p>
            </div>
          </div>
          <Services health={health} />
          {!problem && <p>{again}</p>}
          <SwitchList
            switches={health.switches}
            onChange={(switches) => setHealth({ ...health, switches })}
          />
        </>
      )}
    </section>
  );
}

function Services({ health }: { health: HealthReport }) {
  return (
    <Wide label={op.services_}>
      <table class="months services" aria-label={op.services_}>
        <thead>
          <tr>
            <th scope="col">{op.service}</th>
            <th scope="col">{op.state}</th>
            <th scope="col" class="number">
              {op.time}
            </th>
            <th scope="col">{op.meaning}</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(health.services).map(([name, { status, latencyMs, error, means }]) => (
            <tr>
              <th scope="row">{op.services[name] ?? name}</th>
              <td class={status === "unhealthy" ? "bad" : ""}>
                {op.states[status] ?? status}
                {error && <div class="muted">{error}</div>}
              </td>
              <td class="number">{typeof latencyMs === "number" ? `${count(latencyMs)} ms` : "–"}</td>
              <td class="means">{means}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

/** A question about a switch: its new position, or null to use its variable. */
interface Asked {
  name: SwitchName;
  position: boolean | null;
}

interface SwitchListProps {
  switches: Switches;
  onChange: (switches: Switches) => void;
}

function SwitchList({ switches, onChange }: SwitchListProps) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const names = Object.keys(op.switchNames) as SwitchName[];
  const words = (name: SwitchName): [string, string] => op.switchNames[name] ?? [name, ""];
  return (
    <section class="stack" aria-labelledby="switches-title">
      <h2 id="switches-title">{op.switches}</h2>
      <p>{op.switchesText}</p>
      <Wide label={op.positions}>
        <table class="months" aria-label={op.positions}>
          <tbody>
            {names.map((name) => {
              const { value, source, changedAt } = switches[name];
              const [title] = words(name);
              return (
                <tr>
                  <th scope="row">{title}</th>
                  <td>
                    <strong>{value ? op.on : op.off}</strong>{" "}
                    <span class="muted">
                      {source === "operator" && changedAt ? op.byOperator(moment(changedAt)) : op.byVariable}
                    </span>
                  </td>
                  <td>
                    <div class="row end">
                      {source === "operator" && (
                        <button
                          type="button"
                          aria-label={op.releaseTitle(title)}
                          onClick={() => setAsked({ name, position: null })}
                        >
                          {op.release}
                        </button>
                      )}
                      <button
                        type="button"
                        aria-label={op.confirmTitle(title, !value)}
                        onClick={() => setAsked({ name, position: !value })}
                      >
                        {value ? op.turnOff : op.turnOn}
                      </button>
                    </div>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </Wide>
      <p>
        <a href="/ops?action=change_switches">{op.whoChanged}</a>
      </p>
      {asked && (
        <Confirm
          title={
            asked.position === null
              ? op.releaseTitle(words(asked.name)[0])
              : op.confirmTitle(words(asked.name)[0], asked.position)
          }
          text={textOf(asked, words(asked.name)[1])}
          label={asked.position === null ? op.release : asked.position ? op.turnOn : op.turnOff}
          isDangerous={isRefusing(asked)}
          run={async () => onChange(await setSwitch(asked.name, asked.position))}
          onClose={() => setAsked(null)}
        />
      )}
    </section>
  );
}

/** Whether the change makes the service refuse requests. */
const isRefusing = ({ name, position }: Asked): boolean => position === (name === "readOnly");

function textOf(asked: Asked, refused: string): string {
  if (asked.position === null) return op.releaseText;
  return isRefusing(asked) ? refused : op.againAllowed;
}
