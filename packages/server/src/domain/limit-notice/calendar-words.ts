// Months, weekdays, days near today and halves of a day, in the languages in which limits are told,
// as tables.
// Promises: a word has one meaning; longer words are looked for first; English may be shortened to
// three letters, other languages only where no other word begins so.
// Leaves to others: what stands around them (notation.ts).

/** Words by number, each list separated by blanks. */
type WordLists = readonly (readonly [number: number, words: string])[];

const months: WordLists = [
  [1, "jan january januar jänner janvier enero janeiro gennaio januari января"],
  [2, "feb february februar février fevrier febrero fevereiro febbraio februari февраля"],
  [3, "mar march märz mars marzo março maart marca марта"],
  [4, "apr april avril abril aprile kwietnia апреля"],
  [5, "may mai mayo maio maggio mei maja мая"],
  [6, "jun june juni juin junio junho giugno czerwca июня"],
  [7, "jul july juli juillet julio julho luglio lipca июля"],
  [8, "aug august août aout agosto augustus augusti августа"],
  [9, "sep sept september septembre septiembre setembro settembre сентября"],
  [10, "oct october okt oktober octobre octubre outubro ottobre октября"],
  [11, "nov november novembre noviembre novembro listopada ноября"],
  [12, "dec december dez dezember décembre decembre diciembre dezembro dicembre декабря"],
];

const weekdays: WordLists = [
  [0, "sun sunday sonntag dimanche domingo domenica zondag воскресенье 周日 星期日 星期天 일요일"],
  [1, "mon monday montag lundi lunes segunda-feira lunedì maandag понедельник 周一 星期一 월요일"],
  [2, "tue tues tuesday dienstag mardi martes terça-feira martedì dinsdag вторник 周二 星期二"],
  [
    3,
    "wed wednesday mittwoch mercredi miércoles quarta-feira mercoledì woensdag среду 周三 星期三",
  ],
  [4, "thu thur thurs thursday donnerstag jeudi jueves quinta-feira giovedì donderdag 周四 星期四"],
  [5, "fri friday freitag vendredi viernes sexta-feira venerdì vrijdag пятницу 周五 星期五 금요일"],
  [6, "sat saturday samstag sonnabend samedi sábado sabato zaterdag субботу 周六 星期六 토요일"],
  [0, "日曜日"],
  [1, "月曜日"],
  [2, "火曜日 화요일"],
  [3, "水曜日 수요일"],
  [4, "木曜日 목요일 четверг"],
  [5, "金曜日"],
  [6, "土曜日"],
];

const nearDays: WordLists = [
  [0, "today tonight heute aujourd'hui hoy hoje oggi vandaag сегодня 今日 本日 今天 今晚 오늘"],
  [1, "tomorrow morgen demain mañana amanhã domani завтра 明日 明天 내일"],
  [2, "übermorgen après-demain послезавтра 明後日 后天 後天 모레"],
];

/** Halves of the day that stand before the hour: 0 before noon, 12 after it. */
const halves: WordLists = [
  [0, "午前 上午 早上 凌晨 오전"],
  [12, "午後 下午 晚上 오후"],
];

function numbersOf(lists: WordLists): ReadonlyMap<string, number> {
  return new Map(
    lists.flatMap(([number, words]) => words.split(" ").map((word) => [word, number] as const)),
  );
}

/** Month by its word, from 1. */
export const monthNumbers = numbersOf(months);
/** Weekday by its word, 0 for Sunday. */
export const weekdayNumbers = numbersOf(weekdays);
/** Days from today by the word for it. */
export const nearDayNumbers = numbersOf(nearDays);
/** Hours to add for the half of the day. */
export const halfNumbers = numbersOf(halves);

/**
 * All words of a table, as alternatives of a pattern, the longest first.
 *
 * @example
 * wordsOf(new Map([["a", 1], ["abc", 2]])); // "abc|a"
 */
export function wordsOf(numbers: ReadonlyMap<string, number>): string {
  return [...numbers.keys()].toSorted((a, b) => b.length - a.length).join("|");
}
