// Numbers, bytes and times in the reader's language.

import { t } from "./strings";

const number = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
/** Costs are often less than a cent. */
const money = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "USD",
  maximumSignificantDigits: 2,
});
const MONEY_DECIMALS = 4;
const exactMoney = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "USD",
  minimumFractionDigits: 2,
  maximumFractionDigits: MONEY_DECIMALS,
});
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const months = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "long", timeZone: "UTC" });
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: "long", timeZone: "UTC" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export const count = (value: number): string => number.format(value);

export const dollars = (value: number): string => money.format(value);

/** Dollars with at most 4 decimals. An amount above zero is never shown as zero. */
export function cost(value: number): string {
  const least = 10 ** -MONEY_DECIMALS;
  return value > 0 && value < least ? `< ${exactMoney.format(least)}` : exactMoney.format(value);
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Decimal units: 1 kB has 1,000 bytes. */
export function bytes(value: number): string {
  let step = 0;
  while (value >= 999.5 && step < UNITS.length - 1) {
    value /= 1000;
    step++;
  }
  return `${short.format(value)} ${UNITS[step]}`;
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 86400],
  ["month", 30 * 86400],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

export function ago(iso: string, now = Date.now()): string {
  const seconds = (Date.parse(iso) - now) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return t.justNow;
}

/** The day, in the reader's time zone; the time, if it is less than a day away. */
export function day(iso: string, now = Date.now()): string {
  return Math.abs(Date.parse(iso) - now) < 86_400_000 ? when(iso) : date.format(new Date(iso));
}

/** A month such as `2026-11`, which is in UTC, in words. */
export function monthName(month: string): string {
  const time = Date.parse(`${month}-01T00:00:00Z`);
  return Number.isNaN(time) ? month : months.format(time);
}

/** A date such as `2026-11-30`, without a time zone, in words. */
export function dateName(date: string): string {
  const time = Date.parse(`${date}T00:00:00Z`);
  return Number.isNaN(time) ? date : dates.format(time);
}

export const when = (iso: string): string => exact.format(new Date(iso));

/** The time with its second. */
export const moment = (iso: string): string => moments.format(new Date(iso));

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "";
  const rounded = Math.max(1, Math.round(seconds));
  if (rounded < 60) return t.seconds(rounded);
  if (rounded < 3600) return t.minutes(Math.floor(rounded / 60), rounded % 60);
  return t.hours(Math.floor(rounded / 3600), Math.floor((rounded % 3600) / 60));
}
