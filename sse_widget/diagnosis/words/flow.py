"""What is said of time: buffering, heartbeats, silence, resuming."""

from __future__ import annotations

from sse_widget.diagnosis.words.language import Case, Words

_UNBUFFER = Words(
    "Switch response buffering off for this path. Until then the widget goes on by WebSocket or long-poll.",
    "أوقف احتجاز الردود لهذا المسار. وإلى ذلك الحين تتابع الأداة عبر WebSocket أو long-poll.",
)

CASES = {
    "buffering.none": Case(
        Words(
            "{count} deltas, written over {written_s:.1f} s, arrived over {span_s:.1f} s ({methods})",
            "أجزاء عددها {count} كُتبت خلال {written_s:.1f} ث ووصلت خلال {span_s:.1f} ث ({methods})",
        )
    ),
    "buffering.held": Case(
        Words(
            "the stream is held back: {count} deltas, written over {written_s:.1f} s, arrived within "
            "{span_s:.2f} s, the first "
            "after {first_s:.1f} s (last hop: {who})",
            "البث محتجز: أجزاء عددها {count} كُتبت خلال {written_s:.1f} ث ووصلت خلال {span_s:.2f} ث، أولها بعد "
            "{first_s:.1f} ث (آخر حلقة: {who})",
        ),
        _UNBUFFER,
    ),
    "buffering.one": Case(
        Words(
            "{method} is held back ({written_s:.1f} s of text arrived within {span_s:.2f} s), while "
            "{other} flows (last hop: {who})",
            "طلبات {method} محتجزة (نص {written_s:.1f} ث وصل خلال {span_s:.2f} ث) بينما تتدفق {other} "
            "(آخر حلقة: {who})",
        ),
        Words(
            "Cloudflare's quick tunnels do this to GET: use a named tunnel. Elsewhere switch buffering "
            "off for both methods.",
            "أنفاق Cloudflare السريعة تفعل هذا بطلبات GET: استعمل نفقًا مسمّى. وفي غيرها أوقف الاحتجاز للطريقتين.",
        ),
    ),
    "buffering.nothing": Case(
        Words(
            "not one byte of a {method} stream came in {waited_s:.0f} s, while other requests are answered",
            "لم يصل بايت واحد من بث {method} خلال {waited_s:.0f} ث بينما تُجاب الطلبات الأخرى",
        ),
        _UNBUFFER,
    ),
    "buffering.torn": Case(
        Words(
            "a {method} stream broke off after {after_s:.1f} s, before its end: {detail}",
            "انقطع بث {method} بعد {after_s:.1f} ث قبل نهايته: {detail}",
        ),
        Words(
            "A hop limits how long a response may take; raise that limit for this path.",
            "حلقة تحدّ مدة الرد؛ ارفع هذا الحد لهذا المسار.",
        ),
    ),
    "buffering.bursts": Case(
        Words(
            "deltas arrive in bursts: up to {gap_s:.1f} s without any, though one is written every 0.1 s ({method})",
            "تصل الأجزاء دفعات: حتى {gap_s:.1f} ث دون أي جزء مع أن جزءًا يُكتب كل 0.1 ث ({method})",
        ),
        Words(
            "A hop collects bytes before it passes them on, or the network stalls; run it again to tell.",
            "حلقة تجمع البايتات قبل تمريرها أو أن الشبكة تتعثر؛ أعد الفحص لتتبين.",
        ),
    ),
    "buffering.at_once": Case(
        Words(
            "{count} events came all at once after {first_s:.1f} s, as through a buffer",
            "وصلت أحداث عددها {count} دفعة واحدة بعد {first_s:.1f} ث كما يحدث مع الاحتجاز",
        ),
        _UNBUFFER,
    ),
    "buffering.spread": Case(
        Words(
            "{count} events over {span_s:.1f} s, at most {gap_s:.1f} s apart; only the server knows when it wrote them",
            "أحداث عددها {count} خلال {span_s:.1f} ث وأطول فجوة {gap_s:.1f} ث؛ ووقت كتابتها لا يعلمه إلا الخادم",
        )
    ),
    "heartbeat.good": Case(
        Words(
            "{count} pings in {watched_s:.1f} s, one asked for every {every_s:.1f} s",
            "نبضات عددها {count} خلال {watched_s:.1f} ث، والمطلوب نبضة كل {every_s:.1f} ث",
        )
    ),
    "heartbeat.none": Case(
        Words(
            "no ping arrived in {watched_s:.1f} s, though one was asked for every {every_s:.1f} s",
            "لم تصل أي نبضة خلال {watched_s:.1f} ث مع أن المطلوب نبضة كل {every_s:.1f} ث",
        ),
        Words(
            "A hop drops or collects small writes; switch buffering off there.",
            "حلقة تُسقط الكتابات الصغيرة أو تجمعها؛ أوقف الاحتجاز هناك.",
        ),
    ),
    "heartbeat.late": Case(
        Words(
            "pings come late: up to {gap_s:.1f} s apart, though one was asked for every {every_s:.1f} s",
            "تتأخر النبضات: حتى {gap_s:.1f} ث بين نبضتين مع أن المطلوب نبضة كل {every_s:.1f} ث",
        ),
        Words("The server or the network is under load.", "الخادم أو الشبكة تحت الضغط."),
    ),
    "idle.lived": Case(
        Words(
            "a silent connection lived for {asked_s:g} s and then still spoke",
            "عاش اتصال صامت {asked_s:g} ث ثم استمر في العمل",
        )
    ),
    "idle.covered": Case(
        Words(
            "a silent connection is cut after {lived_s:.1f} s; the server's heartbeat, every "
            "{heartbeat_s:.0f} s, comes well before",
            "يُقطع الاتصال الصامت بعد {lived_s:.1f} ث؛ لكن نبضة الخادم كل {heartbeat_s:.0f} ث تسبق ذلك بكثير",
        )
    ),
    "idle.tight": Case(
        Words(
            "a silent connection is cut after {lived_s:.1f} s; a heartbeat every {heartbeat_s:.0f} s "
            "leaves little room",
            "يُقطع الاتصال الصامت بعد {lived_s:.1f} ث؛ والنبضة كل {heartbeat_s:.0f} ث تكاد لا تكفي",
        ),
        Words(
            "Raise the time-out of the hop, or let the server beat faster: `--heartbeat-s {safe_s:g}`",
            "ارفع مهلة الحلقة أو اجعل الخادم ينبض أسرع: `--heartbeat-s {safe_s:g}`",
        ),
    ),
    "idle.cut": Case(
        Words(
            "a silent connection is cut after {lived_s:.1f} s (status {status}); the server's heartbeat, "
            "every {heartbeat_s:.0f} s, "
            "comes too late",
            "يُقطع الاتصال الصامت بعد {lived_s:.1f} ث (الحالة {status})؛ ونبضة الخادم كل "
            "{heartbeat_s:.0f} ث تأتي متأخرة",
        ),
        Words(
            "Raise the time-out of the hop, or let the server beat faster: `--heartbeat-s {safe_s:g}`",
            "ارفع مهلة الحلقة أو اجعل الخادم ينبض أسرع: `--heartbeat-s {safe_s:g}`",
        ),
    ),
    "idle.lost": Case(
        Words(
            "a silent connection was dropped without a word: what the server wrote after {asked_s:g} s never came",
            "أُهمل اتصال صامت دون إشعار: ما كتبه الخادم بعد {asked_s:g} ث لم يصل",
        ),
        Words(
            "A firewall or NAT forgets silent connections: let the server beat faster (`--heartbeat-s 10`).",
            "جدار حماية أو NAT ينسى الاتصالات الصامتة: اجعل الخادم ينبض أسرع (`--heartbeat-s 10`).",
        ),
    ),
    "resume.good": Case(
        Words(
            "cut after event {after}, it went on there by Last-Event-ID and by `?after=`, nothing lost or twice",
            "قُطع بعد الحدث {after} وتابع من هناك عبر Last-Event-ID وعبر `?after=` دون فقد أو تكرار",
        )
    ),
    "resume.torn": Case(
        Words(
            "cut after event {after}, it went on there, but the text is not whole",
            "قُطع بعد الحدث {after} وتابع من هناك لكن النص ناقص أو مكرر",
        ),
        Words(
            "Requests of one stream reach different servers: send them all to one (sticky sessions), or share the log.",
            "طلبات البث الواحد تصل إلى خوادم مختلفة: وجّهها كلها إلى خادم واحد أو شارك السجل بينها.",
        ),
    ),
    "resume.stripped": Case(
        Words(
            "a hop strips Last-Event-ID: cut after event {after}, the stream began again at {by_header}; "
            "`?after=` gets through "
            "and saves it",
            "حلقة تحذف Last-Event-ID: قُطع البث بعد الحدث {after} فبدأ من {by_header}؛ أما `?after=` فتمرّ وتنقذه",
        ),
        Words(
            "Let the Last-Event-ID header through. Native EventSource pages repeat the answer without it; "
            "our readers drop "
            "what comes twice.",
            "مرّر الترويسة Last-Event-ID. من دونها تكرر صفحات EventSource الإجابة؛ أما قراؤنا فيسقطون المكرر.",
        ),
    ),
    "resume.query": Case(
        Words(
            "a hop drops the query: `?after={after}` went on from {by_query}; the Last-Event-ID header gets through",
            "حلقة تحذف الاستعلام: `?after={after}` تابع من {by_query}؛ أما الترويسة Last-Event-ID فتمرّ",
        ),
        Words(
            "Let the query string through, also in cache keys: pages of other origins resume by it.",
            "مرّر سلسلة الاستعلام وأدخلها في مفاتيح التخزين المؤقت: صفحات الأصول الأخرى تتابع بها.",
        ),
    ),
    "resume.failed": Case(
        Words(
            "cut after event {after}, it did not go on there (by header: {by_header}, by `?after=`: {by_query}) "
            "{detail}",
            "قُطع بعد الحدث {after} ولم يتابع من هناك (بالترويسة: {by_header}، بـ `?after=`: {by_query}) {detail}",
        ),
        Words(
            "Let Last-Event-ID and the query string through, and send all requests of a stream to the same server.",
            "مرّر Last-Event-ID وسلسلة الاستعلام، ووجّه كل طلبات البث الواحد إلى الخادم نفسه.",
        ),
    ),
}
