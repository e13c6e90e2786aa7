// The requests of the operators' views: metrics, health, switches, sweeps, findings and the self-check.

import { done } from "../../clients/typescript/src/index";
import type { Schemas } from "../../clients/typescript/src/index";
import { clients } from "./api";
import type { PageOf } from "./api";

const { cutty, texts } = clients;

export type Summary = Schemas["MetricsSummary"];
export type Series = Schemas["MetricsSeries"];
export type Point = Schemas["SeriesPoint"];
export type HealthReport = Schemas["HealthReport"];
export type Switches = Schemas["Switches"];
export type SwitchName = keyof Switches;
export type SweepRun = Schemas["SweepRun"];
export type Finding = Schemas["Finding"];
export type Violation = Schemas["Violation"];
export type FsckPage = Schemas["FsckPage"];

/** The periods of the overview, in hours. */
export const PERIODS = { "1h": 1, "24h": 24, "7d": 7 * 24, "30d": 30 * 24 } as const;
export type Period = keyof typeof PERIODS;

/** Reads the summary and the series of a period that ends now. */
export async function getMetrics(
  period: Period,
  signal: AbortSignal,
): Promise<{ summary: Summary; series: Series }> {
  const now = Date.now();
  const from = new Date(now - PERIODS[period] * 3_600_000).toISOString();
  const options = { params: { query: { from, to: new Date(now).toISOString() } }, signal };
  const [{ summary }, { series }] = await Promise.all([
    done(cutty.GET("/api/admin/metrics/summary", options), texts),
    done(cutty.GET("/api/admin/metrics/series", options), texts),
  ]);
  return { summary, series };
}

export const getHealth = async (signal: AbortSignal): Promise<HealthReport> =>
  (await done(cutty.GET("/api/admin/health", { signal }), texts)).health;

/** Sets a switch; null gives it back to its variable. */
export const setSwitch = async (name: SwitchName, position: boolean | null): Promise<Switches> =>
  (await done(cutty.PATCH("/api/admin/switches", { body: { [name]: position } }), texts)).switches;

const PAGE = 50;

export async function listSweeps(cursor: string | null, signal: AbortSignal): Promise<PageOf<SweepRun>> {
  const query = { limit: PAGE, ...(cursor && { cursor }) };
  const page = await done(cutty.GET("/api/admin/sweeps", { params: { query }, signal }), texts);
  return { items: page.sweeps, next: page.nextCursor ?? null };
}

/** Runs all sweeps. Returns the number of items that failed. */
export const runSweeps = async (): Promise<number> =>
  (await done(cutty.POST("/api/admin/sweeps"), texts)).failed;

export async function listFindings(cursor: string | null, signal: AbortSignal): Promise<PageOf<Finding>> {
  const query = { limit: PAGE, ...(cursor && { cursor }) };
  const page = await done(cutty.GET("/api/admin/findings", { params: { query }, signal }), texts);
  return { items: page.findings, next: page.nextCursor ?? null };
}

export const resolveFinding = (id: string) =>
  done(cutty.POST("/api/admin/findings/{id}/resolve", { params: { path: { id } } }), texts);

/** Checks one page. `cursor` is that of the page before, null for the first page. */
export const checkPage = (cursor: string | null, signal: AbortSignal): Promise<FsckPage> =>
  done(cutty.POST("/api/admin/fsck", { body: cursor ? { cursor } : {}, signal }), texts);
