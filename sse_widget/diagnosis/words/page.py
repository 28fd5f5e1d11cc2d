"""What is said of pages, and of what was not probed."""

from __future__ import annotations

from sse_widget.diagnosis.words.language import Case, Words

_ALLOW = Words(
    "Start the server with `--allow-origin {origin}`. A proxy must pass Origin and OPTIONS on, and add no "
    "CORS headers of its "
    "own.",
    "شغّل الخادم مع `--allow-origin {origin}`. وعلى الوكيل أن يمرّر Origin وOPTIONS وألا يضيف ترويسات CORS من عنده.",
)
_SOCKET = Words(
    "Let upgrades through on /api/v1/stream/ws. Without it at most four streams run in a browser at once, "
    "and there is no way "
    "around a proxy that buffers except long-poll.",
    "اسمح بالترقية على `/api/v1/stream/ws`. من دونها لا تعمل في المتصفح أكثر من أربع عمليات بث معًا، ولا مخرج "
    "من وكيل يحتجز البث سوى "
    "long-poll.",
)

CASES = {
    "websocket.good": Case(
        Words(
            "opened in {opened_ms:.0f} ms, ping answered in {pong_ms:.0f} ms",
            "فُتح خلال {opened_ms:.0f} م‌ث وأُجيبت النبضة خلال {pong_ms:.0f} م‌ث",
        )
    ),
    "websocket.blocked": Case(
        Words(
            "the upgrade is answered with {status} instead of 101 ({who})",
            "أُجيب طلب الترقية بالحالة {status} بدل 101 ({who})",
        ),
        _SOCKET,
    ),
    "websocket.stripped": Case(
        Words(
            "the request reached the server without its Upgrade header, which answers {status}: a hop takes "
            "it out (last hop: {who})",
            "وصل الطلب إلى الخادم دون ترويسة Upgrade فأجاب بالحالة {status}: حلقة تحذفها (آخر حلقة: {who})",
        ),
        _SOCKET,
    ),
    "websocket.refused": Case(
        Words("the server refuses it for pages of {origin}: {message}", "يرفضه الخادم لصفحات {origin}: {message}"),
        _ALLOW,
    ),
    "websocket.cut": Case(Words("no handshake: {detail}", "لا مصافحة: {detail}"), _SOCKET),
    "websocket.mute": Case(
        Words(
            "it opens in {opened_ms:.0f} ms, but a ping is never answered",
            "يُفتح خلال {opened_ms:.0f} م‌ث لكن النبضة لا تُجاب أبدًا",
        ),
        _SOCKET,
    ),
    "cors.good": Case(Words("pages of {origin} may ask and read", "يُسمح لصفحات {origin} بالسؤال والقراءة")),
    "cors.same": Case(
        Words("pages of {origin} are at home here; no CORS is needed", "صفحات {origin} من الأصل نفسه فلا حاجة إلى CORS")
    ),
    "cors.refused": Case(
        Words(
            "pages of {origin} are refused: {step} answers {status} with Access-Control-Allow-Origin {got} ({who})",
            "صفحات {origin} مرفوضة: يجيب {step} بالحالة {status} وقيمة Access-Control-Allow-Origin هي {got} ({who})",
        ),
        _ALLOW,
    ),
    "cors.preflight": Case(
        Words(
            "the preflight of pages of {origin} fails: OPTIONS answers {status} ({who})",
            "يفشل الطلب التمهيدي لصفحات {origin}: يجيب OPTIONS بالحالة {status} ({who})",
        ),
        _ALLOW,
    ),
    "cors.headers": Case(
        Words(
            "the preflight does not allow pages of {origin} to send {missing}",
            "الطلب التمهيدي لا يسمح لصفحات {origin} بإرسال {missing}",
        ),
        _ALLOW,
    ),
    "cors.twice": Case(
        Words(
            "Access-Control-Allow-Origin comes twice ({got}), which browsers refuse ({who})",
            "تصل Access-Control-Allow-Origin مرتين ({got}) والمتصفح يرفض ذلك ({who})",
        ),
        Words(
            "Remove the one that the proxy adds; the server sends its own.",
            "احذف ما يضيفه الوكيل؛ الخادم يرسل ترويسته.",
        ),
    ),
    "cors.hidden": Case(
        Words(
            "pages of {origin} may read, but X-Stream-Id is not exposed to them (exposed: {exposed})",
            "يُسمح لصفحات {origin} بالقراءة لكن X-Stream-Id محجوبة عنها (المكشوف: {exposed})",
        ),
        Words(
            "Let Access-Control-Expose-Headers through; without it a stream that is cut before its first "
            "event cannot be resumed.",
            "مرّر Access-Control-Expose-Headers؛ من دونها لا يمكن متابعة بث انقطع قبل حدثه الأول.",
        ),
    ),
    "cors.failed": Case(
        Words("a request with Origin {origin} got no answer: {detail}", "طلب يحمل Origin {origin} لم يُجَب: {detail}"),
        _ALLOW,
    ),
    "connections.many": Case(
        Words("HTTP/2 is offered: no limit of six connections", "يُعرض HTTP/2: لا حد بستة اتصالات")
    ),
    "connections.shared": Case(
        Words(
            "HTTP/1.1: browsers open {most} connections at most; further streams share the WebSocket",
            "HTTP/1.1: لا يفتح المتصفح أكثر من {most} اتصالات؛ وتتشارك عمليات البث الزائدة اتصال WebSocket",
        )
    ),
    "connections.plain": Case(
        Words(
            "HTTP/1.1: browsers open {most} connections at most, across all tabs; HTTP/2 needs https",
            "HTTP/1.1: لا يفتح المتصفح أكثر من {most} اتصالات في كل الألسنة معًا؛ وHTTP/2 يحتاج https",
        )
    ),
    "connections.six": Case(
        Words(
            "the edge offers HTTP/1.1 only: browsers open {most} connections at most, and a seventh "
            "stream waits in silence",
            "الطرف لا يعرض سوى HTTP/1.1: لا يفتح المتصفح أكثر من {most} اتصالات، وعملية البث السابعة تنتظر صامتة",
        ),
        Words("Switch HTTP/2 on at the edge.", "فعّل HTTP/2 عند الطرف."),
    ),
    "skipped.unreached": Case(Words("not probed: see the fault above", "لم يُفحص: انظر العطل أعلاه")),
    "skipped.interrupted": Case(Words("not probed: interrupted", "لم يُفحص: قُطع الفحص")),
    "skipped.foreign": Case(
        Words("not applicable: this is not sse-widget's server", "لا ينطبق: هذا ليس خادم sse-widget")
    ),
    "skipped.proxy": Case(
        Words("not probed: {through} of the environment does it", "لم يُفحص: يتولاه الوكيل {through} من إعدادات البيئة")
    ),
    "skipped.off": Case(Words("not probed: it was switched off", "لم يُفحص: أُوقف هذا الفحص")),
    "skipped.held": Case(Words("pings are held back as above", "النبضات محتجزة كما ذُكر أعلاه")),
    "skipped.query": Case(
        Words(
            "not probed: heartbeat_s in the query did not reach the server",
            "لم يُفحص: لم يصل heartbeat_s في الاستعلام إلى الخادم",
        )
    ),
    "skipped.nothing": Case(Words("not probed: no event came", "لم يُفحص: لم يصل أي حدث")),
    "skipped.few": Case(Words("cannot be told from {count} events", "لا يمكن الحكم من أحداث عددها {count}")),
    "skipped.cors": Case(Words("refused to pages of that origin, as above", "مرفوض لصفحات ذلك الأصل كما ذُكر أعلاه")),
    "skipped.absent": Case(Words("this server has none", "لا يقدمه هذا الخادم")),
    "skipped.no_origin": Case(
        Words(
            "not probed: name the page's origin with `origin=` or `--origin`, such as https://lab.example",
            "لم يُفحص: اذكر أصل الصفحة عبر `origin=` أو `--origin` مثل https://lab.example",
        )
    ),
    "skipped.page": Case(
        Words(
            "this was seen from the kernel; which way the page takes to the server stands in the widget's status",
            "هذا ما يُرى من النواة؛ أما الطريق الذي تسلكه الصفحة إلى الخادم فيظهر في حالة الأداة",
        )
    ),
}
