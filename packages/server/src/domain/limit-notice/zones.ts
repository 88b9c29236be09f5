// Time zones: what a text calls one, and what a wall clock in one means.
// Promises: the rules of the zone at the instant itself count, so that a change of summer time lies
// on the right side; of a wall time that happens twice the first is meant, one that does not
// happen is moved forward by the gap. Unknown names are null, never an exception.
// Leaves to others: which zone is meant when the text names none.

/** A zone: how far ahead of UTC it is at an instant, in milliseconds. */
export type Zone = { readonly name: string; readonly offsetMs: (at: number) => number };

/** A wall clock. Months from 1, weekdays from 0 for Sunday. */
export type Civil = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
};

const HOUR = 3_600_000;

/** Coordinated universal time. */
export const utc: Zone = { name: "UTC", offsetMs: () => 0 };

/** Names that people write. Those with S or D say themselves whether it is summer time. */
const spoken: Readonly<Record<string, string>> = {
  utc: "UTC",
  gmt: "UTC",
  z: "UTC",
  pst: "-08:00",
  pdt: "-07:00",
  pt: "America/Los_Angeles",
  pacific: "America/Los_Angeles",
  mst: "-07:00",
  mdt: "-06:00",
  mt: "America/Denver",
  mountain: "America/Denver",
  cst: "-06:00",
  cdt: "-05:00",
  ct: "America/Chicago",
  central: "America/Chicago",
  est: "-05:00",
  edt: "-04:00",
  et: "America/New_York",
  eastern: "America/New_York",
  bst: "+01:00",
  wet: "+00:00",
  west: "+01:00",
  cet: "+01:00",
  cest: "+02:00",
  eet: "+02:00",
  eest: "+03:00",
  msk: "+03:00",
  ist: "+05:30",
  sgt: "+08:00",
  hkt: "+08:00",
  jst: "+09:00",
  kst: "+09:00",
  aest: "+10:00",
  aedt: "+11:00",
  brt: "-03:00",
  art: "-03:00",
  akst: "-09:00",
  akdt: "-08:00",
  hst: "-10:00",
  mez: "+01:00",
  mesz: "+02:00",
  sast: "+02:00",
  trt: "+03:00",
  мск: "+03:00",
  pkt: "+05:00",
  wib: "+07:00",
  awst: "+08:00",
  acst: "+09:30",
  acdt: "+10:30",
  nzst: "+12:00",
  nzdt: "+13:00",
  beijing: "+08:00",
  北京时间: "+08:00",
  北京時間: "+08:00",
  中国标准时间: "+08:00",
  台北時間: "+08:00",
  日本時間: "+09:00",
  日本时间: "+09:00",
  한국시간: "+09:00",
  "한국 시간": "+09:00",
  "heure de paris": "Europe/Paris",
  "hora de madrid": "Europe/Madrid",
  "hora de brasília": "-03:00",
  "deutscher zeit": "Europe/Berlin",
};

const SPOKEN_WORDS = Object.keys(spoken)
  .toSorted((a, b) => b.length - a.length)
  .join("|");
const ZONE = new RegExp(
  " ?[([]? ?(?:" +
    String.raw`(?<area>[a-z_]{2,20}\/[a-z0-9_+-]{1,30}(?:\/[a-z_-]{2,30})?)` +
    String.raw`|(?:utc|gmt) ?(?<sign>[+-])(?<hours>\d{1,2})(?::?(?<minutes>\d\d))?` +
    String.raw`|(?<word>${SPOKEN_WORDS})(?![a-z0-9_/])(?: (?:standard |daylight )?time)?` +
    String.raw`|(?<offset>[+-]\d\d:?\d\d)(?!\d)` +
    String.raw`|(?<short>[+-]\d\d)(?![\d:])` +
    ")[)\\]]?",
  "y",
);

/** A zone that a text names at a place, and where the name ends; null when none stands there. */
export function zoneAt(text: string, at: number): { name: string; end: number } | null {
  ZONE.lastIndex = at;
  const found = ZONE.exec(text)?.groups;
  if (found === undefined) return null;
  const end = ZONE.lastIndex;
  if (found["area"] !== undefined) return { name: found["area"], end };
  if (found["word"] !== undefined) return { name: found["word"], end };
  if (found["offset"] !== undefined) return { name: found["offset"], end };
  if (found["short"] !== undefined) return { name: `${found["short"]}:00`, end };
  const hours = (found["hours"] ?? "").padStart(2, "0");
  return { name: `${found["sign"]}${hours}:${found["minutes"] ?? "00"}`, end };
}

/**
 * The zone of that name: an IANA name, an offset, or what people write.
 *
 * @example
 * zoneOf("Etc/GMT-7")?.offsetMs(0); // 25200000
 */
export function zoneOf(name: string): Zone | null {
  const remembered = zones.get(name);
  if (remembered !== undefined) return remembered;
  const zone = makeZone(name);
  // A text of many invented names must not grow it without end.
  if (zones.size >= MOST_REMEMBERED) zones.clear();
  zones.set(name, zone);
  return zone;
}

/** Making one takes Intl some 50 µs; a text may name the same one a hundred times. */
const zones = new Map<string, Zone | null>();
const MOST_REMEMBERED = 100;

function makeZone(name: string): Zone | null {
  const known = spoken[name.toLowerCase()] ?? name;
  if (known === "UTC") return utc;
  const offset = /^([+-])(\d\d):?(\d\d)$/.exec(known);
  if (offset !== null) {
    const ms = (Number(offset[2]) + Number(offset[3]) / 60) * HOUR;
    return ms > 15 * HOUR ? null : { name: known, offsetMs: () => (offset[1] === "-" ? -ms : ms) };
  }
  if (!/^[a-z0-9_+/-]{2,64}$/i.test(known)) return null;
  try {
    const clock = new Intl.DateTimeFormat("en-US", {
      timeZone: known,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    return { name: known, offsetMs: (at) => offsetOf(clock, at) };
  } catch {
    return null; // Intl says so of a zone that does not exist.
  }
}

function offsetOf(clock: Intl.DateTimeFormat, at: number): number {
  const whole = Math.floor(at / 1000) * 1000;
  const parts: Record<string, number> = {};
  for (const { type, value } of clock.formatToParts(whole)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}

/** What the clocks of a zone show at an instant, and the weekday there. */
export function civilOf(at: number, zone: Zone): Civil & { weekday: number } {
  const there = new Date(at + zone.offsetMs(at));
  return {
    year: there.getUTCFullYear(),
    month: there.getUTCMonth() + 1,
    day: there.getUTCDate(),
    hour: there.getUTCHours(),
    minute: there.getUTCMinutes(),
    second: there.getUTCSeconds(),
    weekday: there.getUTCDay(),
  };
}

/**
 * The instant at which the clocks of a zone show this; null for a date that does not exist.
 *
 * @example
 * instantIn({ year: 2027, month: 2, day: 29, hour: 0, minute: 0, second: 0 }, utc); // null
 */
export function instantIn(civil: Civil, zone: Zone): number | null {
  const { year, month, day, hour, minute, second } = civil;
  const shown = Date.UTC(year, month - 1, day, hour, minute) + Math.round(second * 1000);
  const date = new Date(shown);
  if (!Number.isFinite(shown) || date.getUTCMonth() !== month - 1) return null;
  if (date.getUTCFullYear() !== year || date.getUTCDate() !== day) return null;
  if (hour > 23 || minute > 59 || second >= 61) return null;
  const before = zone.offsetMs(shown - 24 * HOUR);
  const after = zone.offsetMs(shown + 24 * HOUR);
  const real = [before, after].filter((offset) => zone.offsetMs(shown - offset) === offset);
  return real.length === 0 ? shown - before : shown - Math.max(...real);
}
