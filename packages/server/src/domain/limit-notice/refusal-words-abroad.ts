// The words of a refusal in other languages than English, as a table, two rows for each reason:
// what is used up beside how it is said that it is.
// Promises: as in refusal-words.ts; a limit needs its verb beside it, so that talk about limits in
// these languages is none.
// Leaves to others: English and identifiers (refusal-words.ts), which window it is (reason.ts).

import type { RefusalWords } from "./refusal-words.ts";

const all = (...parts: readonly string[]): RegExp => new RegExp(parts.join("|"), "g");

/** No letter before, none behind, of any alphabet that is read. */
const BEGIN = String.raw`(?<![a-z\u00df-\u024f\u0430-\u045f])`;
const END = String.raw`(?![a-z\u00df-\u024f\u0430-\u045f])`;
/** Words between, none of which ends a sentence or takes it back. */
const NOT_HERE =
  "nicht|pas|non|no|não|не|solicitud|peticion|requêtes|débit|requisiç|" +
  "solicitaç|velocidad|tasa|richieste";
const SOME = String.raw`(?: (?!${NOT_HERE})[\w'\u00df-\u024f-]{1,16}){0,4}?`;

const LIMIT =
  "(?:[a-zäöü]{0,24}(?<!(?:raten|anfrage|anfragen|anforderungs|abfrage))" +
  "(?:limits?|kontingent|grenze)|quotas?|limites?|límites?|[a-z]{0,16}limiet|" +
  "cuotas?|cotas?|kvot\\w{0,3}|limitu)";
const RATE_LIMIT =
  "(?:(?:raten|anfrage|anforderungs|nachrichten|abfrage)[a-zäöü]{0,6}(?:limit|begrenzung)|" +
  "limite de (?:débit|requêtes|requisições|solicitações|taxa|mensagens)|" +
  "límite de (?:velocidad|solicitudes|peticiones|tasa|mensajes)|" +
  "limite di (?:frequenza|richieste|velocità))";
const USED_UP =
  "(?:erreicht|überschritten|aufgebraucht|ausgeschöpft|erschöpft|verbraucht|atteinte?|dépassée?|" +
  "épuisée?|alcanzad[oa]|superad[oa]|excedid[oa]|agotad[oa]|atingid[oa]|esgotad[oa]|" +
  "ultrapassad[oa]|" +
  "raggiunt[oa]|superat[oa]|esaurit[oa]|bereikt|overschreden|nådd|nått|överskriden)";
const HAS_USED_UP =
  "(?:(?:avez|as|ai|a|avons) (?:atteint|dépassé|épuisé)|(?:has|ha|han|he|hemos) (?:alcanzado|" +
  "superado|excedido|agotado)|(?:você |vocês )?(?:atingiu|excedeu|esgotou|ultrapassou|atingiram)|" +
  "(?:hai|ha|avete|hanno) (?:raggiunto|superato|esaurito)|osiągnięto|przekroczono|wyczerpano)";

/** The ways to be refused that other languages have. */
export const refusalWordsAbroad: readonly RefusalWords[] = [
  {
    name: "limit-used-up-abroad",
    subject: "quota",
    strength: 3,
    pattern: all(
      `${BEGIN}${LIMIT}${SOME} ${USED_UP}${END}`,
      `${BEGIN}${HAS_USED_UP}${SOME} ${LIMIT}${END}`,
      "kullanım sınır[a-zı]{0,4} (?:ulaş|aş)[a-zı]{1,6}",
      "(?:достигнут|исчерпан|достигли|исчерпали|превышен)[а-яё]{0,3}(?: [а-яё]{1,16}){0,3}? " +
        "(?:лимит|квот)[а-яё]{0,3}",
      "(?:лимит|квота)(?: [а-яё]{1,16}){0,2}? (?:исчерпан|достигнут|превышен)[а-яё]{0,2}",
      "(?:ліміт|квоту)(?: [а-яіїє]{1,16}){0,2}? (?:вичерпано|досягнуто|перевищено)",
      "(?:利用|使用|(?<!レート)制限|上限|限度|回数|枠)[^。\\n「」]{0,6}に(?:達し|到達)(?:まし|た)",
      "(?:クォータ|利用枠|使用枠|無料枠|クレジット枠)を(?:使い切|超え|使い果た)",
      "(?:利用|使用)(?:量)?(?:制限|上限)を超え",
      "已[达達](?:到)?(?:(?!速率|频率|頻率|请求|請求|并发)[^。\\n]){0,12}(?:上限|限[额額制])|(?:[额額]度|配[额額]|" +
        "限[额額])已?(?:用完|用[尽盡]|耗[尽盡]|用光)",
      "한도(?:를|을|에|가)? ?(?:도달|모두 사용|소진|초과)",
    ),
  },
  {
    name: "rate-limited-abroad",
    subject: "rate_limit",
    strength: 3,
    pattern: all(
      `${BEGIN}${RATE_LIMIT}${SOME} ${USED_UP}${END}`,
      `${BEGIN}${HAS_USED_UP}${SOME} ${RATE_LIMIT}${END}`,
      "zu viele (?:anforderungen|nachrichten|abfragen)|trop de (?:demandes|messages)",
      "demasiad[oa]s (?:peticiones|mensajes)|muitas (?:requisições|mensagens)|" +
        "te veel (?:verzoeken|aanvragen)",
      "för många (?:förfrågningar|anrop)|zbyt wiele (?:żądań|zapytań)|çok fazla (?:istek|talep)",
      "(?:перевищено|вичерпано) ліміт(?: запитів)?|забагато запитів|слишком часто",
      "[请請]求(?:次[数數]|[数數])?(?:[过過]多|太多|太[频頻]繁|[过過]於[频頻]繁)",
      "요청 (?:횟수 )?한도(?:를|에|가)? ?(?:초과|도달)|リクエスト(?:数)?(?:の)?(?:上限|制限)(?:に達し|を超え)",
    ),
  },
  {
    name: "credits-used-up-abroad",
    subject: "billing",
    strength: 3,
    pattern: all(
      "guthaben (?:reicht nicht|ist (?:leer|zu niedrig))|kein guthaben|" +
        "(?:crédits?|fonds) insuffisants?|créditos? (?:insuficientes?|agotados?)|sin saldo",
      "(?:残高|クレジット)(?:残高)?が(?:不足|足り|なくな|ありません)|[余餘][额額]不足|尚未[付繳]款",
      "(?:잔액|크레딧)(?:이|가)? ?(?:부족|소진)|недостаточно средств|недостатньо коштів",
      "yetersiz bakiye|onvoldoende (?:saldo|tegoed)",
    ),
  },
];
