"""What is said of who answers and how."""

from __future__ import annotations

from sse_widget.diagnosis.words.language import Case, Words

CASES = {
    "upstream.own": Case(
        Words(
            "an sse-widget server answers in {took_ms:.0f} ms ({who})",
            "يجيب خادم sse-widget خلال {took_ms:.0f} م‌ث ({who})",
        )
    ),
    "upstream.foreign": Case(
        Words(
            "another SSE server answers {status} ({who}); of it only a part can be probed",
            "يجيب خادم SSE آخر بالحالة {status} ({who})؛ لا يمكن فحص سوى جزء منه",
        )
    ),
    "upstream.dead": Case(
        Words(
            "{who} answers {status}: it cannot reach the server behind it",
            "يجيب {who} بالحالة {status}: لا يستطيع الوصول إلى الخادم خلفه",
        ),
        Words(
            "See on the machine of that proxy whether the server runs, and whether the proxy's address "
            "for it is right.",
            "تحقق على جهاز الوكيل من أن الخادم يعمل ومن صحة العنوان الذي يستعمله الوكيل له.",
        ),
    ),
    "upstream.busy": Case(
        Words("the server answers {status}: {message}", "يجيب الخادم بالحالة {status}: {message}"),
        Words(
            "Try again in a moment; `--max-runs` raises the limit.", "أعد المحاولة بعد قليل؛ ويرفع `--max-runs` الحد."
        ),
    ),
    "upstream.error": Case(
        Words("{who} answers {status} {message}", "يجيب {who} بالحالة {status} {message}"),
        Words("The server's own log says why.", "سجل الخادم نفسه يذكر السبب."),
    ),
    "upstream.refused": Case(
        Words("{who} refuses the probe with {status}: {message}", "يرفض {who} الفحص بالحالة {status}: {message}"),
        Words(
            "The message says what it wants; mend the URL or the model.",
            "الرسالة تذكر المطلوب؛ صحّح الرابط أو اسم النموذج.",
        ),
    ),
    "upstream.limited": Case(
        Words(
            "{who} answers 429: too many questions for now (Retry-After: {retry_after})",
            "يجيب {who} بالحالة 429: أسئلة كثيرة في الوقت الحالي (Retry-After: {retry_after})",
        ),
        Words(
            "Run the doctor again later; it starts three short runs. `--rate-limit` sets the limit of our server.",
            "أعد الفحص لاحقًا؛ فهو يبدأ ثلاث إجابات قصيرة. ويحدد `--rate-limit` الحد في خادمنا.",
        ),
    ),
    "upstream.missing": Case(
        Words("{who} answers 404: there is no stream at {url}", "يجيب {who} بالحالة 404: لا بث في {url}"),
        Words(
            "Give the server's base URL (in Jupyter it ends with /sse-widget), or the full URL of another "
            "SSE server; and "
            "see that the proxy passes the path on unchanged.",
            "أعطِ الرابط الأساسي للخادم (ينتهي في Jupyter بـ `/sse-widget`) أو الرابط الكامل لخادم SSE "
            "آخر، وتأكد من أن الوكيل "
            "يمرّر المسار دون تغيير.",
        ),
    ),
    "upstream.scattered": Case(
        Words(
            "a run that was started a moment ago is not known at {url}: requests reach different servers",
            "إجابة بدأت قبل لحظة غير معروفة في {url}: الطلبات تصل إلى خوادم مختلفة",
        ),
        Words(
            "Send all requests of a reader to the same server (sticky sessions), or give the servers one log that "
            "they share.",
            "وجّه كل طلبات القارئ إلى الخادم نفسه (sticky sessions) أو اجعل للخوادم سجلًا مشتركًا.",
        ),
    ),
    "upstream.silent": Case(
        Words("connected, but no answer for {after_s:.0f} s", "تم الاتصال لكن لا رد مدة {after_s:.0f} ث"),
        Words(
            "The server hangs, or a proxy waits for one that does: look at it there.",
            "الخادم معلّق أو وكيل ينتظر خادمًا معلّقًا: افحصه هناك.",
        ),
    ),
    "upstream.cut": Case(
        Words("the connection was closed before an answer: {detail}", "أُغلق الاتصال قبل وصول الرد: {detail}"),
        Words(
            "See whether the port is the server's, and whether it speaks http or https there.",
            "تحقق من أن المنفذ هو منفذ الخادم ومن أنه يتكلم http أو https كما كُتب.",
        ),
    ),
    "upstream.garbled": Case(
        Words("what answers is no HTTP server: {detail}", "ما يجيب ليس خادم HTTP: {detail}"),
        Words(
            "Check the port; a port that speaks https needs `https://` in the URL.",
            "تحقق من المنفذ؛ المنفذ الذي يتكلم https يحتاج `https://` في الرابط.",
        ),
    ),
    "upstream.failed": Case(
        Words("no answer: {detail}", "لا رد: {detail}"),
        Words("Check the URL and the network of this machine.", "تحقق من الرابط ومن شبكة هذا الجهاز."),
    ),
    "access.open": Case(Words("no token is asked for", "لا يُطلب رمز دخول")),
    "access.token": Case(Words("the token is accepted", "رمز الدخول مقبول")),
    "access.needed": Case(
        Words("{who} answers {status}: it wants a token", "يجيب {who} بالحالة {status}: يتطلب رمز دخول"),
        Words(
            "Give it: `sw.doctor(url, token=...)`, or on a terminal `--token-file FILE`.",
            "أعطِه الرمز: `sw.doctor(url, token=...)` أو في الطرفية `--token-file FILE`.",
        ),
    ),
    "access.rejected": Case(
        Words(
            "{who} answers {status}: it does not accept this token", "يجيب {who} بالحالة {status}: لا يقبل هذا الرمز"
        ),
        Words(
            "Copy the token again. Servers that were restarted may have a new one, and a proxy may drop the "
            "Authorization header.",
            "انسخ الرمز من جديد. قد يكون للخادم رمز جديد بعد إعادة تشغيله، وقد يحذف وكيلٌ الترويسة Authorization.",
        ),
    ),
    "access.barred": Case(
        Words("{who} answers {method} with {status}", "يجيب {who} على {method} بالحالة {status}"),
        Words(
            "A rule in front of the server denies it, for this address or this method; its log names the rule.",
            "قاعدة أمام الخادم تمنعه لهذا العنوان أو لهذه الطريقة؛ وسجلها يذكر القاعدة.",
        ),
    ),
    "access.forbidden": Case(
        Words("{who} answers {status}: {message}", "يجيب {who} بالحالة {status}: {message}"),
        Words(
            "The message says what to change. A server that listens on this machine only wants a proxy to pass "
            "`Host: localhost` on.",
            "الرسالة تذكر ما يجب تغييره. والخادم الذي يستمع على هذا الجهاز وحده يتطلب أن يمرّر الوكيل "
            "`Host: localhost`.",
        ),
    ),
    "access.login": Case(
        Words("a login page answers in its place: {location}", "تجيب صفحة دخول بدلًا منه: {location}"),
        Words(
            "A program cannot log in there. Use the address behind the login, or a token of that system.",
            "لا يستطيع برنامج تسجيل الدخول هناك. استعمل العنوان الواقع خلف صفحة الدخول أو رمزًا من ذلك النظام.",
        ),
    ),
    "content_type.good": Case(Words("{got}", "{got}")),
    "content_type.wrong": Case(
        Words(
            "the stream comes as {got}; readers accept only text/event-stream (last hop: {who})",
            "يصل البث بنوع {got}؛ والقراء لا يقبلون إلا text/event-stream (آخر حلقة: {who})",
        ),
        Words(
            "Remove what sets or hides the Content-Type of this path; the server sends the right one.",
            "احذف ما يغيّر ترويسة Content-Type لهذا المسار أو يخفيها؛ الخادم يرسل النوع الصحيح.",
        ),
    ),
    "content_type.page": Case(
        Words(
            "a web page ({got}) comes from {url}, not a stream ({who})", "تصل صفحة ويب ({got}) من {url} لا بث ({who})"
        ),
        Words(
            "Give the URL of the stream. If it is, a login page or an error page of a proxy answers in its place.",
            "أعطِ رابط البث. وإن كان هو الرابط فإن صفحة دخول أو صفحة خطأ من وكيل تجيب مكانه.",
        ),
    ),
    "headers.good": Case(Words("Cache-Control: {got}", "الترويسة Cache-Control: {got}")),
    "headers.taken": Case(
        Words(
            "Cache-Control: {got}; X-Accel-Buffering was taken out on the way (nginx does), so that a "
            "second nginx in "
            "front would not see it",
            "الترويسة Cache-Control: {got}؛ أُزيلت X-Accel-Buffering في الطريق (وهذا ما يفعله nginx)، فلن "
            "يراها nginx ثانٍ أمامه",
        )
    ),
    "headers.transform": Case(
        Words(
            "Cache-Control is {got}; the server's no-transform was lost on the way",
            "قيمة Cache-Control هي {got}؛ ضاعت no-transform التي يرسلها الخادم في الطريق",
        ),
        Words(
            "Let Cache-Control through unchanged on this path: without no-transform, hops may compress or rewrite.",
            "مرّر Cache-Control دون تغيير في هذا المسار: من دون no-transform قد تضغط الحلقات المحتوى أو تعيد كتابته.",
        ),
    ),
    "headers.no_transform": Case(
        Words("Cache-Control is {got}, without no-transform", "قيمة Cache-Control هي {got} دون no-transform"),
        Words(
            "Send `Cache-Control: no-cache, no-transform` and `X-Accel-Buffering: no`: they keep hops "
            "from compressing and "
            "buffering.",
            "أرسل `Cache-Control: no-cache, no-transform` و`X-Accel-Buffering: no`: فهما تمنعان "
            "الحلقات من الضغط والاحتجاز.",
        ),
    ),
    "headers.cached": Case(
        Words("this stream comes from a cache ({mark}; {who})", "هذا البث آتٍ من ذاكرة تخزين مؤقت ({mark}؛ {who})"),
        Words("Switch caching off for this path.", "أوقف التخزين المؤقت لهذا المسار."),
    ),
    "hops.none": Case(Words("no proxy names itself ({lines})", "لا وكيل يعرّف بنفسه ({lines})")),
    "hops.some": Case(Words("{found} ({lines})", "{found} ({lines})")),
    "compression.none": Case(
        Words("not compressed, though gzip, deflate and br were offered", "غير مضغوط مع أن gzip وdeflate وbr عُرضت")
    ),
    "compression.flows": Case(
        Words(
            "compressed with {encoding}, though the server says no-transform; it still flows",
            "مضغوط بـ {encoding} مع أن الخادم يطلب no-transform؛ لكنه ما زال يتدفق",
        ),
        Words(
            "Switch compression off for text/event-stream: most compressors keep text back to pack it better.",
            "أوقف الضغط للنوع text/event-stream: فمعظم أدوات الضغط تحتجز النص لتضغطه أفضل.",
        ),
    ),
    "compression.holds": Case(
        Words(
            "compressed with {encoding} and so held back: what was written over {written_s:.1f} s arrived "
            "within {span_s:.2f} s "
            "(last hop: {who})",
            "مضغوط بـ {encoding} فصار محتجزًا: ما كُتب خلال {written_s:.1f} ث وصل خلال {span_s:.2f} ث (آخر حلقة: {who})",
        ),
        Words(
            "Switch compression off for text/event-stream; the compressor waits for more text.",
            "أوقف الضغط للنوع text/event-stream؛ فأداة الضغط تنتظر مزيدًا من النص.",
        ),
    ),
}
