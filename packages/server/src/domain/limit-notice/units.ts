// Units of waits, in the languages in which limits are told, as a table.
// Promises: each word has one length; a month counts 30 days; longer words are looked for first, so
// that `ms` is never minutes.
// Leaves to others: what stands around them (notation.ts).

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const units: readonly (readonly [words: string, ms: number])[] = [
  ["ms msec msecs millis millisecond milliseconds 毫秒 ミリ秒", 1],
  [
    "s sec secs second seconds sekunde sekunden seconde secondes segundo segundos secondi " +
      "secondo seconden sekunder sekund sekundy saniye " +
      "секунд секунды секунду сек 秒钟 秒鐘 秒間 秒 초",
    SECOND,
  ],
  [
    "m min mins minute minutes minuten minuto minutos minuti минут минуты минуту мин " +
      "minuut minuter minut minuty dakika хвилин хвилини 分钟 分鐘 分間 分 분",
    MINUTE,
  ],
  [
    "h hr hrs hour hours stunde stunden std heure heures hora horas ora ore час часа часов ч " +
      "uur uren timmar timer godzin godziny saat годин години 个小时 個小時 小时 小時 時間 시간",
    HOUR,
  ],
  [
    "d day days tag tage tagen jour jours día días dia dias giorno giorni dag dagen dagar dni " +
      "gün день дня дней днів 天 日間 일",
    DAY,
  ],
  ["w wk wks week weeks woche wochen semaine semaines semana semanas 周 週間", 7 * DAY],
  ["month months monat monate mois mes meses 个月", 30 * DAY],
];

const lengths = new Map(
  units.flatMap(([words, ms]) => words.split(" ").map((word) => [word, ms] as const)),
);

/** All words for units, as alternatives of a pattern. */
export const UNIT_WORDS = [...lengths.keys()].toSorted((a, b) => b.length - a.length).join("|");

/** Numbers in words, as far as they stand before a unit. */
export const spokenNumbers: Readonly<Record<string, number>> = {
  "half an": 0.5,
  "half a": 0.5,
  "one and a half": 1.5,
  "two and a half": 2.5,
  einer: 1,
  eine: 1,
  einem: 1,
  une: 1,
  un: 1,
  una: 1,
  uma: 1,
  um: 1,
  a: 1,
  an: 1,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  twelve: 12,
  fifteen: 15,
  twenty: 20,
  thirty: 30,
  sixty: 60,
};

/**
 * Milliseconds of a unit.
 *
 * @example
 * unitMs("ms"); // 1
 */
export function unitMs(word: string): number {
  return lengths.get(word) ?? SECOND;
}
