// The words in which a provider or a client says "no more", as a table.
// Promises: every pattern is linear (what repeats is bounded); a row names one reason, or leaves it
// to the words around it. Sentences say more than identifiers, and these more than a status.
// Leaves to others: whether the words are a refusal at all (mere-talk.ts, not-exhausted.ts), the
// reason that results (reason.ts).

import { refusalWordsAbroad } from "./refusal-words-abroad.ts";

/** Why somebody is stopped. `limit`: the words around say which of them. */
export type Subject = "billing" | "overloaded" | "quota" | "rate_limit" | "limit" | "current_quota";

/** One way to be refused. */
export type RefusalWords = {
  readonly name: string;
  readonly subject: Subject;
  /** 3 a sentence, 2 an identifier, 1 a status. */
  readonly strength: 1 | 2 | 3;
  readonly pattern: RegExp;
};

const all = (...parts: readonly string[]): RegExp => new RegExp(parts.join("|"), "g");

/** What is said of a limit when it is used up, behind it and before it. */
const USED_UP =
  "reached|exceeded|hit|exhausted|used up|depleted|consumed|overrun|surpassed|met|crossed|" +
  "violated|spent|finished|maxed out|breached|tripped|triggered|atteinte?|dépassée?|" +
  "erreicht|überschritten|alcanzado|superado|excedido|atingido|raggiunto|superato";
const DOING =
  "(?:have |has |'ve |had )?(?:hit|reached|exceeded|exceeds|exhausted|used up|used all(?: of)?|" +
  "consumed(?: all(?: of)?)?|maxed out|surpassed|depleted|went over|gone over|burned through|" +
  "crossed|breached|(?:is|are|was|be|you're|went) (?:now )?(?:over|above|at|beyond|past)|" +
  "would exceed|run (?:out|through)(?: of)?|ran (?:out|through)(?: of)?|used 100 ?% of|over|above)";
const LIMIT =
  "(?:limits?|limitations?|quotas?|allowances?|caps?|allotments?|allocations?|limite|límite|" +
  "[a-z]{0,16}limit|kontingent)";
/** Words between; none of them ends a sentence, and no verb that turns it round. */
const SOME = String.raw`(?:[\w'$%-]{1,24}(?:\.\d)? ){0,6}?`;

/** The ways to be refused of English, of identifiers, and of short words of other languages. */
const own: readonly RefusalWords[] = [
  {
    name: "credits-used-up",
    subject: "billing",
    strength: 3,
    pattern: all(
      String.raw`\b(?:credit|account|prepaid|wallet|available|current)s? balance (?:is |was )` +
        "?(?:too low|insufficient|exhausted|empty|negative|depleted|not enough|zero)",
      String.raw`\bbalance (?:is |was )?(?:too low|insufficient|not enough|exhausted|depleted)`,
      String.raw`\b(?:insufficient|not enough|no(?: more| remaining)?|out of|lacks?|low on)` +
        "(?: (?:account|api|prepaid|prepayment|promotional|included|available|remaining|" +
        String.raw`usage|flow|model|your|any)){0,3} (?:credits?|funds|balance|money)\b`,
      String.raw`\b(?:exhausted|depleted|used(?: up)?|spent|consumed)(?: (?:all|of|your|the|its|` +
        "their|monthly|included|free|prepaid|available|remaining|account|api|promotional))" +
        String.raw`{0,5} (?:credits?|balance|funds)\b`,
      String.raw`\bcredits?(?: (?:have|has|are|is|were|was|been|now|all)){0,3} (?:depleted|` +
        String.raw`exhausted|used up|expired|gone|spent|insufficient|too low)\b`,
      String.raw`\brequires? (?:more|additional|at least \S{1,12}) credits?\b`,
      String.raw`\bcan only afford\b|\bneeds? more credits\b`,
      String.raw`\b(?:guthaben|solde|saldo|crédit)s? (?:ist )?(?:aufgebraucht|insuffisant|` +
        "insuficiente|insufficiente|erschöpft|épuisé)",
      "余额不足|欠费|需要充值|请(?:先)?充值|额度不足|资源包|残高(?:が)?不足|잔액",
    ),
  },
  {
    name: "spending-limit",
    subject: "billing",
    strength: 3,
    pattern: all(
      String.raw`\b(?:spend|spending|billing|cost|dollar|payment|monthly budget|project budget|` +
        "hard|soft|usage-based)(?: (?:hard|soft|monthly|daily|weekly|usd))?[ -](?:limit|" +
        "cap|budget)s?(?: (?:has|have|is|was|been|already|for|this|your|the|month|project|" +
        String.raw`organization|key|team)){0,6} (?:reached|exceeded|hit|used up)\b`,
      String.raw`\b(?:hit|reached|exceeded|exhausted|over|above|used up)(?: (?:your|` +
        String.raw`the|its|their|` +
        "a|my|our|monthly|daily|weekly|team|organization|project|account|configured|" +
        "maximum|usage-based|on-demand|hard|soft)){0,5} (?:spend|spending|billing|budget|" +
        String.raw`cost)(?: (?:limit|cap|budget))?\b`,
      String.raw`\bbudget (?:has been |was |is )?(?:exceeded|exhausted|used up|reached)`,
      String.raw`\bexceeded budget\b|\bout of budget\b`,
    ),
  },
  {
    name: "payment-missing",
    subject: "billing",
    strength: 3,
    pattern: all(
      String.raw`\b(?:payment (?:is )?(?:required|overdue|declined|failed|past due)|` +
        "unpaid (?:invoice|balance)|overdue (?:invoice|payment|balance)|arrears|arrearage|" +
        String.raw`past[- ]due)\b`,
      String.raw`\baccount (?:is |has been |was )?(?:not active|suspended|deactivated|frozen|` +
        String.raw`disabled|on hold|inactive)[^.\n]{0,60}\b(?:billing|payments?|balance|arrears|` +
        "invoice|overdue)",
      String.raw`\bbilling (?:is |has been )?(?:not (?:active|enabled)|disabled|inactive)`,
      String.raw`\bto have billing enabled|\brequires billing`,
      String.raw`\b(?:free )?trial (?:(?:period|quota|credits?|has|have|is|was|been|already)` +
        String.raw` ?\W{0,2}){0,4}(?:ended|over|expired|exhausted|used up)`,
      String.raw`\bsubscription (?:has |is )?(?:expired|lapsed|past due|unpaid)`,
    ),
  },
  {
    name: "billing-code",
    subject: "billing",
    strength: 3,
    pattern: all(
      String.raw`insufficient[_ ](?:user[_ ])?(?:quota|balance|credits?|funds)\b`,
      String.raw`\b(?:out_of_credits|credits?_exhausted|no_credits|credits?_?balance_?too_?low|` +
        "billing_(?:error|hard_limit_reached|not_active|disabled|limit)|payment_required|" +
        "payment_error|exceeded_current_quota_error|creditserror|creditserror|" +
        String.raw`budget_?exceeded|budgetexceedederror|spend(?:ing)?_limit\w{0,20}|arrearage)\b`,
      String.raw`allocationquota\.freetieronly|\bv_api_error.{0,40}quota|user quota is not enough`,
    ),
  },
  {
    name: "overloaded",
    subject: "overloaded",
    strength: 3,
    pattern: all(
      String.raw`\boverloaded(?:_error)?\b(?! (?:function|method|operator|constructor|signature|` +
        "version)s?)",
      String.raw`\b(?:server|engine|model|system|service|api)[_ -](?:is[_ -])?overload(?:ed)?\b`,
      String.raw`\boverloadederror\b`,
      String.raw`\b(?:no|insufficient|not enough|lack of|out of|limited|without|constrained|` +
        "exceeds? (?:our|available)) (?:(?:available|server|compute|gpu|model|serving|" +
        String.raw`enough|the|current) ){0,2}capacity\b(?! credits)`,
      String.raw`\b(?:at|over|reached|exceeded|near) (?:(?:full|maximum|max|its|our|the|server|` +
        String.raw`current) ){0,3}capacity\b`,
      String.raw`\bcapacity(?: (?:is|was|has|been|currently|temporarily)){0,3} (?:exceeded|` +
        "exhausted|constraints?|constrained|reached|full|limited|unavailable|issues)",
      "capacity_exhausted|capacity_exceeded",
      String.raw`\b(?:high|heavy|peak|increased|unusual(?:ly high)?|elevated|` +
        String.raw`exceptional(?:ly high)` +
        String.raw`?) (?:demand|load|traffic|volume|request volume)\b`,
      String.raw`\b(?:we're|we are|is|currently) (?:currently |now )?(?:receiving|getting|` +
        "experiencing|seeing) (?:too many|a (?:high|large) (?:number|volume) of|so many|" +
        "an? (?:unusual|surge))",
      String.raw`\b(?:server|service|system|model|engine|backend|upstream|cluster|provider)` +
        "s? (?:is |are )(?:(?:currently|temporarily|too|very|all|now|at the moment|under|" +
        "quite) ){0,3}(?:busy|overloaded|saturated|congested|heavy load|high load)",
      "负载(?:已)?(?:饱和|过高)|过载|繁忙|拥挤|算力不足|访问量过大|混み合|過負荷|überlastet|surchargé|sobrecargad|перегружен",
    ),
  },
  {
    name: "exceeded-current-quota",
    subject: "current_quota",
    strength: 3,
    pattern: all(String.raw`exceeded your current quota`),
  },
  {
    name: "limit-used-up",
    subject: "limit",
    strength: 3,
    pattern: all(
      String.raw`\b${DOING} ${SOME}${LIMIT}\b`,
      String.raw`\b${LIMIT}(?: \([^()]{1,40}\))?(?: of [\w,.]{1,16}(?: [\w/]{1,16}){0,4}?)?` +
        String.raw`(?: (?:is|was|has|have|been|are|were|got|already|now|fully|just|be|` +
        String.raw`for|on|this|` +
        String.raw`your|the|model|today|month|week|de|d'utilisation|uso|velocidad)){0,6}` +
        String.raw`:? (?:${USED_UP})\b`,
      String.raw`\b(?:${LIMIT}) (?:reached|exceeded|hit)\b`,
    ),
  },
  {
    name: "capacity-of-account",
    subject: "quota",
    strength: 3,
    pattern: all(String.raw`\bexhausted your (?:\w{1,12} ){0,2}(?:capacity|quota)`),
  },
  {
    name: "out-of-requests",
    subject: "quota",
    strength: 3,
    pattern: all(
      String.raw`\bout of (?:(?:your|call|volume|bandwidth|free|fast|premium|daily|weekly|` +
        String.raw`monthly|included|extra|codex|` +
        "claude|available|pro|agent|chat|all|the|model|high-speed) ){0,4}(?:messages|" +
        "requests|prompts|queries|usage|quota|generations|completions|interactions|calls|" +
        String.raw`searches)\b`,
      String.raw`\b(?:no|zero|0) (?:(?:more|free|fast|premium|daily|remaining|included) )` +
        "{0,3}(?:quota|requests|messages|prompts|queries|calls|usage|interactions) (?:left|" +
        "remaining|available)",
      String.raw`\bused (?:up )?(?:all|100 ?%)(?: (?:of|your|the|free|daily|weekly|` +
        String.raw`monthly|premium|` +
        "included|available|fast|plan|session)){1,6} (?:messages|requests|prompts|queries|" +
        "usage|quota|tokens|interactions|allowance|limit)",
      String.raw`\b(?:usage|plan|session|quota|allowance)(?: window)?(?: (?:for|of|` +
        String.raw`in)(?: \w{1,12})` +
        String.raw`{1,4}?)? (?:is |was |has been |now )?(?:used up|exhausted|spent)\b`,
      String.raw`\b(?:quota|limit|usage|allowance) (?:is )?(?:100 ?% used|at 100 ?%)`,
      "(?:使用|用量)上限已?经?(?:[到达]|用完)|已达(?:到)?[^。\\n]{0,16}上限|(?:额度|配额|次数|用量)(?:已)?(?:用完|用尽|耗尽|超限)",
      "超出[^。\\n]{0,10}(?:配额|额度)",
    ),
  },
  {
    name: "limit-with-reset",
    subject: "quota",
    strength: 3,
    pattern: all(
      String.raw`\b(?:usage|session|weekly|daily|monthly|hourly|opus|sonnet|haiku|5-hour|` +
        String.raw`\d{1,2}-hour|5h|plan|message|free|premium|rate)(?: usage)? limit(?: |\W{1,4})` +
        String.raw`(?:will )?resets? (?:at|on|in) ~?[a-z]{0,3} ?\d`,
      String.raw`\b(?:usage limit|limit)\|\d{10}`,
    ),
  },
  {
    name: "quota-code",
    subject: "quota",
    strength: 2,
    pattern: all(
      String.raw`\b(?:usage_limit_(?:reached|exceeded)|usagelimit(?:reached|exceeded)(?:error)?|` +
        String.raw`freeusagelimiterror|\w{0,24}usagelimiterror|quota_?exceeded|` +
        String.raw`quotaexceedederror|` +
        "quota_?exhausted|quota_?limit_?reached|terminalquotaerror|(?:session|daily|weekly|" +
        String.raw`monthly|hourly)_(?:usage_|rate_)?limit\w{0,16}|user_(?:weekly|daily|monthly|` +
        String.raw`session)_rate_limited|limit_reached|usage_exceeded)\b`,
    ),
  },
  {
    name: "rate-limited",
    subject: "rate_limit",
    strength: 3,
    pattern: all(
      String.raw`\b(?:you(?:'re| are|'ve been| have been)|i(?:'m| am)|we(?:'re| are)|being|been|` +
        "was|were|is|are|got|getting|temporarily|currently|request|account|model|provider|" +
        "client|still|error:) ?(?:temporarily |currently |being )?(?:rate|speed)" +
        String.raw`[- ]limited\b`,
      String.raw`(?:^|\n|[^\w\s-] ?)(?:rate|speed)[- ]?limited\b`,
      String.raw`\btoo many (?:concurrent |parallel |api |simultaneous )?(?:requests|` +
        String.raw`calls|queries|` +
        String.raw`connections from your|messages)\b`,
      String.raw`\btoo many tokens(?=,? please wait|,? wait| per )`,
      String.raw`\b(?:request|call|query|api call)s? (?:was|were|is|are|has been|have been|being|` +
        String.raw`got) (?:being )?throttled\b`,
      String.raw`\bthrottled\b[^.\n]{0,40}(?:retry|wait|try|seconds|available)`,
      String.raw`\b(?:being|been|got|getting) throttled\b`,
      String.raw`\bresources? (?:has |have )?(?:been )?exhausted\b`,
      String.raw`\b(?:requests?|calls|messages|prompts)(?: (?:are|is|sent|coming|being|` +
        String.raw`in|made|to|` +
        String.raw`the|api)){0,5} too (?:fast|quickly|frequently|frequent|often)\b`,
      String.raw`\b(?:please )?slow(?:ing)? down\b`,
      String.raw`\breduce (?:your |the )?request (?:rate|frequency)|\bslowdown\b`,
      String.raw`\blimited to \d{1,7} (?:[a-z-]{1,16} ){0,2}(?:calls|requests|queries|messages|` +
        "tokens) ?(?:/|per|a|each)",
      String.raw`\byour rate limit is \d|\breached (?:\w{1,16} ){0,2}max (?:rpm|tpm|tpd|rpd)\b`,
      String.raw`\bexceed(?:ed|s)? (?:\w{1,16} ){0,3}(?:rpm|tpm|tpd|rpd|qps|rps)\b`,
      String.raw`\bsecondary rate limit|\babuse detection mechanism|\bapi rate limit exceeded`,
      String.raw`\bexceeded rate limit`,
      String.raw`\brequests? (?:has |have )?exceeded\b[^.\n]{0,30}\brate\b`,
      "请求(?:过多|太频繁|过于频繁|过快)|频率|限流|速率限制|请求数限制|最多请求|访问过快|并发数?(?:过高|超)|冷却中",
      "レート(?:制限|リミット)(?:に達し|を超え|中|されて|がかか|に(?:より|よって)|[!。:]|$|\\n)|リクエストが多すぎ|요청이 너무 많|" +
        "zu viele anfragen|trop de requêtes",
      "demasiadas solicitudes|muitas solicitações|troppe richieste|слишком много запросов",
      "превышен лимит",
    ),
  },
  {
    name: "rate-code",
    subject: "rate_limit",
    strength: 2,
    pattern: all(
      String.raw`\b(?:rate[_-]?limit(?:ed|_?reached|_?exceeded|_?reached_error|_?exceeded_error|` +
        "_?error|error|_?hit)(?:error|exception)?|too_?many_?requests(?:_?error|" +
        "_?exception)?|throttl(?:ing_?(?:exception|error)|edexception|ing)|" +
        String.raw`throttling\.\w{1,24}|requestlimitexceeded|limitexceededexception|` +
        String.raw`provisionedthroughputexceeded\w{0,12}|servicequotaexceededexception|` +
        "limit_requests|limit_burst_rate|request_?burst_?too_?fast|" +
        String.raw`requestthrottled\w{0,10}|user_global_rate_limited|ratelimited|slow_down)\b`,
      String.raw`\bresource_?exhausted\b`,
      String.raw`["'](?:error|reason|code|kind|category|\w{1,12}_?code|error_?(?:type|` +
        String.raw`kind))["'] ?: ?` +
        String.raw`["'](?:[a-z]{1,12}_)?(?:rate[_-]?limits?|throttled)["']`,
    ),
  },
];

/** Every way to be refused that is known. */
export const refusalWords: readonly RefusalWords[] = [...own, ...refusalWordsAbroad];
