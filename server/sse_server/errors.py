"""What the server refuses or reports, with its words in English and Arabic.

Every code here is one of design.md section 9. A message says what happened and what to do.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sse_widget.errors import SSEWidgetError
from sse_widget.protocol.events import Error

Lang = Literal["en", "ar"]


class Words(msgspec.Struct, frozen=True):
    """A message or a part of one in both languages; the `{name}` places of a message are filled from the refusal."""

    en: str
    ar: str

    def plain(self, lang: Lang) -> str:
        """Return the words as they stand."""
        return self.ar if lang == "ar" else self.en

    def text(self, lang: Lang, values: dict[str, object]) -> str:
        """Return the message in one language."""
        own = {name: value.plain(lang) if isinstance(value, Words) else value for name, value in values.items()}
        return self.plain(lang).format_map(own)


def number_words(low: float, high: float, *, whole: bool = False) -> Words:
    """Return what a numeric parameter must be."""
    kind = Words("a whole number", "عددًا صحيحًا") if whole else Words("a number", "عددًا")
    return Words(f"{kind.en} from {low} to {high}", f"{kind.ar} من {low} إلى {high}")


MESSAGES: dict[str, Words] = {
    "question_required": Words(
        'The question is missing or empty. Send it as "q", for example {{"q": "What is SSE?"}}.',
        'السؤال غير موجود أو فارغ. أرسله في الحقل "q"، مثلًا {{"q": "ما هو البث؟"}}.',
    ),
    "question_too_long": Words(
        "The question has {length} characters; at most {limit} are accepted. Shorten it.",
        "يحتوي السؤال على {length} حرفًا، والحد الأقصى {limit}. اختصر السؤال.",
    ),
    "body_too_large": Words(
        "The request body is larger than {limit} bytes, the most that is accepted. Send less text.",
        "حجم الطلب أكبر من الحد الأقصى وهو {limit} بايت. أرسل نصًا أقصر.",
    ),
    "bad_json": Words(
        "The request body is not valid JSON ({detail}). Send one JSON object in UTF-8.",
        "محتوى الطلب ليس JSON صالحًا ({detail}). أرسل كائن JSON واحدًا بترميز UTF-8.",
    ),
    "bad_utf8": Words(
        "{name} is not valid UTF-8. Encode the text as UTF-8 (in a URL: percent-encoded UTF-8).",
        "{name} ليس نص UTF-8 صالحًا. رمّز النص بترميز UTF-8 (وفي الرابط بترميز النسبة المئوية).",
    ),
    "bad_parameter": Words(
        'The parameter "{name}" must be {want}; got {got}.',
        'يجب أن تكون قيمة المعامل "{name}" {want}؛ وصلت القيمة {got}.',
    ),
    "unknown_parameter": Words(
        'There is no parameter "{name}". Known ones: {known}.',
        'لا يوجد معامل باسم "{name}". المعاملات المعروفة: {known}.',
    ),
    "unsupported_parameter": Words(
        'This server does not do what "{name}" asks for: an answer is one text. Leave it out; allowed: {allowed}.',
        'لا ينفّذ هذا الخادم ما يطلبه "{name}": الإجابة نص واحد. احذفه؛ المسموح به: {allowed}.',
    ),
    "unknown_model": Words(
        'The model "{name}" is not offered here. Offered: {known}.',
        'النموذج "{name}" غير متاح هنا. المتاح: {known}.',
    ),
    "unknown_cassette": Words(
        'There is no recording "{name}" here. There are: {known}. --cassettes names a folder of others.',
        'لا يوجد تسجيل باسم "{name}" هنا. الموجود: {known}. يحدّد الخيار ‎--cassettes‎ مجلدًا غيره.',
    ),
    "bad_cassette": Words(
        'The recording "{name}" cannot be replayed ({detail}). Record it again.',
        'تعذّرت إعادة التسجيل "{name}" ({detail}). سجّله من جديد.',
    ),
    "faults_off": Words(
        'This server spoils no streams, so it takes no "fault". Start it with --allow-faults, or leave the plan out.',
        'هذا الخادم لا يُحدث أعطالًا في البث، فلا يقبل "fault". شغّله بالخيار ‎--allow-faults‎ أو احذف الخطة.',
    ),
    "bad_fault": Words(
        "The fault plan cannot be carried out: {detail}. Correct it and send it again.",
        "تعذّر تنفيذ خطة الأعطال: {detail}. صحّحها ثم أرسلها من جديد.",
    ),
    "planned_refusal": Words(
        "The fault plan refuses this connection with status {status}.",
        "ترفض خطة الأعطال هذا الاتصال بالحالة {status}.",
    ),
    "bad_event_id": Words(
        "The last event id is not one of this server's (<stream id>:<number>), or lies beyond the end of the "
        "stream. Drop it to read from the start.",
        "معرّف آخر حدث ليس من معرّفات هذا الخادم (‎<stream id>:<number>‎) أو يتجاوز نهاية البث. احذفه للقراءة من البداية.",
    ),
    "no_route": Words(
        "There is nothing at this path. The routes begin with /api/v1/, such as /api/v1/stream/chat.",
        "لا شيء في هذا المسار. تبدأ المسارات بـ ‎/api/v1/‎ مثل ‎/api/v1/stream/chat‎.",
    ),
    "bad_method": Words(
        "This path does not answer {method}. Use one of: {known}.",
        "هذا المسار لا يجيب الطلب {method}. استعمل واحدًا من: {known}.",
    ),
    "bad_request": Words(
        "The request cannot be read: {detail}.",
        "تعذّرت قراءة الطلب: {detail}.",
    ),
    "bad_frame": Words(
        'The frame cannot be read: {detail}. Send one JSON object, for example {{"op": "ping", "ref": "1"}}.',
        'تعذّرت قراءة الرسالة: {detail}. أرسل كائن JSON واحدًا، مثلًا {{"op": "ping", "ref": "1"}}.',
    ),
    "too_many_streams": Words(
        "This socket carries {limit} streams already, the most that it may. Leave one of them, or open another socket.",
        "يحمل هذا المقبس {limit} من مسارات البث، وهذا أقصى ما يُسمح به. اترك أحدها أو افتح مقبسًا آخر.",
    ),
    "upgrade_required": Words(
        "This path speaks WebSocket, and the request asks for no upgrade. If it came from a WebSocket, a proxy on the "
        "way has dropped its Upgrade header.",
        "هذا المسار يعمل ببروتوكول WebSocket والطلب لا يطلب الترقية إليه. إن كان قد أُرسل من WebSocket فقد أسقط خادم "
        "وسيط الترويسة Upgrade.",
    ),
    "unauthorized": Words(
        "This server needs a token. Send it as `Authorization: Bearer <token>`; in a browser, open the link that the "
        "server printed when it started.",
        "يتطلب هذا الخادم رمز دخول. أرسله في الترويسة `‎Authorization: Bearer <token>‎`، أو افتح في المتصفح الرابط الذي "
        "طبعه الخادم عند تشغيله.",
    ),
    "bad_link": Words(
        "This link has been used, or is too old. POST /api/v1/session/link with the token gives another one.",
        "استُعمل هذا الرابط من قبل أو انتهت مدته. يعطي الطلب ‎POST /api/v1/session/link‎ مع رمز الدخول رابطًا آخر.",
    ),
    "forbidden": Words(
        "Not allowed: {detail}.",
        "غير مسموح: {detail}.",
    ),
    "not_found": Words(
        "There is no such stream. It may never have existed, or the server was restarted; ask again.",
        "لا يوجد بث بهذا المعرّف. ربما لم يوجد قط أو أُعيد تشغيل الخادم؛ أعد السؤال.",
    ),
    "expired": Words(
        "This stream has ended and is no longer kept. Ask again.",
        "انتهى هذا البث ولم يعد محفوظًا. أعد السؤال.",
    ),
    "overloaded": Words(
        "The server is busy with {count} runs. Try again in a few seconds.",
        "الخادم مشغول بعدد {count} من الإجابات. أعد المحاولة بعد ثوانٍ.",
    ),
    "rate_limited": Words(
        "At most {rate} new answers may be asked for here. Ask again in {wait_s} s. What was asked before can "
        "still be read. (--rate-limit)",
        "الحد الأقصى للأسئلة الجديدة هنا {rate}. أعد السؤال بعد {wait_s} ثانية. ويمكن في أي وقت قراءة الإجابات الجارية "
        "والمنتهية. (‎--rate-limit‎)",
    ),
    "limits_unavailable": Words(
        "The rate limit cannot be checked, for Redis does not answer. Try again in a few seconds.",
        "تعذّر التحقق من حد الأسئلة لأن Redis لا يجيب. أعد المحاولة بعد ثوانٍ.",
    ),
    "too_many_connections": Words(
        "The server sends {limit} streams already, the most that it may. Try again in a few seconds. "
        "(--max-connections)",
        "يرسل الخادم {limit} من مسارات البث، وهذا أقصى ما يُسمح به. أعد المحاولة بعد ثوانٍ. (‎--max-connections‎)",
    ),
    "too_many_readings": Words(
        "You read {limit} streams at once already, the most that one may. Close one of them, or try again in a few "
        "seconds. (--max-streams)",
        "تقرأ الآن {limit} من مسارات البث معًا، وهذا أقصى ما يُسمح به لواحد. أغلق أحدها أو أعد المحاولة بعد ثوانٍ. "
        "(‎--max-streams‎)",
    ),
    "too_many_runs": Words(
        "You have {limit} answers under way already, the most that one may where several share the server. Stop one of "
        "them, or try again in a few seconds. (--max-runs)",
        "لديك {limit} من الإجابات الجارية، وهذا أقصى ما يُسمح به لواحد حين يتقاسم الخادمَ أكثر من واحد. أوقف إحداها أو "
        "أعد المحاولة بعد ثوانٍ. (‎--max-runs‎)",
    ),
    "upstream_error": Words(
        "The model failed: {detail}. Ask again; if it happens again, look at the server's log.",
        "تعذّر على النموذج الإجابة: {detail}. أعد السؤال، وإن تكرر الخطأ فراجع سجل الخادم.",
    ),
    "upstream_timeout": Words(
        "The model did not answer within {seconds} seconds. Ask again, or choose a smaller model.",
        "لم يجب النموذج خلال {seconds} ثانية. أعد السؤال أو اختر نموذجًا أصغر.",
    ),
    "upstream_truncated": Words(
        "The model's answer broke off before its end. What arrived is shown; ask again for the rest.",
        "انقطعت إجابة النموذج قبل نهايتها. ما وصل معروض؛ أعد السؤال للحصول على الباقي.",
    ),
    "upstream_unauthorized": Words(
        "The model's provider does not accept this server's key (HTTP {status}). Whoever runs the server sets it by "
        "{setting}.",
        "لا يقبل مزوّد النموذج مفتاح هذا الخادم (HTTP {status}). يضبطه مشغّل الخادم بواسطة {setting}.",
    ),
    "upstream_forbidden": Words(
        "The model's provider does not allow this to this server's key (HTTP 403 {detail}). Whoever runs the server "
        "sets the key by {setting}.",
        "لا يسمح مزوّد النموذج بهذا لمفتاح هذا الخادم (HTTP 403 {detail}). يضبط مشغّل الخادم المفتاح بواسطة {setting}.",
    ),
    "upstream_rate_limited": Words(
        "The model's provider takes no more questions from this server now. Try again {after}.",
        "لا يقبل مزوّد النموذج مزيدًا من أسئلة هذا الخادم الآن. أعد المحاولة {after}.",
    ),
    "broken_source": Words(
        'The models of "{name}" cannot be used. The server\'s log says why; whoever runs the server corrects or '
        "removes the package that provides them.",
        'نماذج "{name}" غير قابلة للاستعمال. السبب في سجل الخادم؛ على مشغّل الخادم تصحيح الحزمة التي تقدّمها أو حذفها.',
    ),
    "push_gap": Words(
        "The batch has number {got}, but {expected} is expected next. Send the batches in order, from {expected} on.",
        "رقم الدفعة {got}، والمتوقع {expected}. أرسل الدفعات بالترتيب ابتداءً من {expected}.",
    ),
    "not_pushed": Words(
        "The text of this run is made by the server. Text can be sent only to runs begun by POST /api/v1/stream/runs.",
        "نص هذه الإجابة يصنعه الخادم. لا يُرسل النص إلا إلى ما بدأ بالطلب ‎POST /api/v1/stream/runs‎.",
    ),
    "bad_spans": Words(
        "The spans cannot be read: {detail}. Send {{reader, from, rows}}, each row an array that begins with its kind.",
        "تعذّرت قراءة القياسات: {detail}. أرسل {{reader, from, rows}} وكل صف مصفوفة تبدأ بنوعه.",
    ),
    "spans_gap": Words(
        "The rows begin at number {got}, but {have} are here. Send them again from {have} on.",
        "تبدأ الصفوف بالرقم {got}، والموجود هنا {have}. أرسلها من جديد ابتداءً من {have}.",
    ),
    "too_many_spans": Words(
        "A page may send at most {limit} rows for a run. What came before them is kept.",
        "لا ترسل الصفحة أكثر من {limit} صف للإجابة الواحدة. ما وصل قبلها محفوظ.",
    ),
    "too_many_readers": Words(
        "{limit} pages have sent what they saw of this run, the most that are kept.",
        "أرسلت {limit} صفحة ما عرضته من هذه الإجابة، وهذا أقصى ما يُحفظ.",
    ),
    "producer_failed": Words(
        "What produced this text failed: {detail}. What arrived before is kept.",
        "تعذّر إكمال النص عند مصدره: {detail}. ما وصل قبل ذلك محفوظ.",
    ),
    "producer_lost": Words(
        "Nothing was heard for {seconds} seconds from the process that produces this text; it may have ended. "
        "What arrived is kept.",
        "لم يصل شيء مدة {seconds} ثانية من العملية التي تُنتج هذا النص، وربما انتهت. ما وصل محفوظ.",
    ),
    "node_lost": Words(
        "The server process that produced this answer has ended. What arrived is kept; ask again for the rest.",
        "انتهت عملية الخادم التي كانت تُنتج هذه الإجابة. ما وصل محفوظ؛ أعد السؤال للحصول على الباقي.",
    ),
    "log_unavailable": Words(
        "The server cannot reach the place where it keeps answers. Try again in a few seconds; if it happens again, "
        "look at the server's log.",
        "لا يستطيع الخادم الوصول إلى المكان الذي يحفظ فيه الإجابات. أعد المحاولة بعد ثوانٍ، وإن تكرر الخطأ فراجع "
        "سجل الخادم.",
    ),
    "unread_limit": Words(
        "The run was ended because nobody read it for {seconds} seconds. Ask again.",
        "أُوقفت الإجابة لأن أحدًا لم يقرأها مدة {seconds} ثانية. أعد السؤال.",
    ),
    "shutdown": Words(
        "The server is shutting down. Ask again when it is back.",
        "الخادم قيد الإيقاف. أعد السؤال بعد عودته.",
    ),
    "internal": Words(
        "Something went wrong in the server; its log says more. Ask again.",
        "حدث خطأ داخل الخادم، وفي سجله تفاصيل أكثر. أعد السؤال.",
    ),
}

CODES = {
    "body_too_large": "question_too_long",
    "bad_json": "invalid_request",
    "bad_utf8": "invalid_request",
    "bad_parameter": "invalid_request",
    "unknown_parameter": "invalid_request",
    "unsupported_parameter": "invalid_request",
    "unknown_model": "invalid_request",
    "unknown_cassette": "not_found",
    "bad_cassette": "upstream_error",
    "upstream_forbidden": "upstream_unauthorized",
    "broken_source": "upstream_error",
    "faults_off": "forbidden",
    "bad_fault": "invalid_request",
    "planned_refusal": "overloaded",
    "bad_event_id": "invalid_request",
    "bad_method": "invalid_request",
    "bad_request": "invalid_request",
    "bad_frame": "invalid_request",
    "upgrade_required": "invalid_request",
    "limits_unavailable": "overloaded",
    "bad_link": "unauthorized",
    "too_many_streams": "overloaded",
    "too_many_connections": "overloaded",
    "too_many_readings": "rate_limited",
    "too_many_runs": "rate_limited",
    "no_route": "not_found",
    "push_gap": "invalid_request",
    "not_pushed": "invalid_request",
    "bad_spans": "invalid_request",
    "spans_gap": "invalid_request",
    "too_many_spans": "invalid_request",
    "too_many_readers": "invalid_request",
    "producer_failed": "upstream_error",
    "node_lost": "producer_lost",
}
"""Messages whose public code is another one's name."""

_STATUS = {
    "question_required": 400,
    "question_too_long": 413,
    "invalid_request": 400,
    "bad_method": 405,
    "upgrade_required": 426,
    "push_gap": 409,
    "not_pushed": 409,
    "spans_gap": 409,
    "too_many_spans": 413,
    "too_many_readers": 413,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "expired": 410,
    "rate_limited": 429,
    "overloaded": 503,
    "shutdown": 503,
    "log_unavailable": 503,
    "broken_source": 502,
}
_RETRYABLE = {
    "overloaded",
    "rate_limited",
    "shutdown",
    "upstream_error",
    "upstream_timeout",
    "upstream_truncated",
    "upstream_rate_limited",
    "internal",
    "log_unavailable",
}


class ServerError(SSEWidgetError):
    """A failure with a code, whose words are chosen when the reader's language is known.

    `status` is the HTTP status of a refusal; a failure inside a running stream becomes its terminal `error` event.
    """

    def __init__(self, message_key: str, *, retry_after_s: int | None = None, **values: object) -> None:
        code = CODES.get(message_key, message_key)
        self.message_key = message_key
        self.words = MESSAGES[message_key]
        self.values = values
        self.status = _STATUS.get(message_key) or _STATUS.get(code, 500)
        self.retry_after_s = retry_after_s
        super().__init__(self.say("en"), code=code, retryable=code in _RETRYABLE)

    def say(self, lang: Lang) -> str:
        """Return the message in one language."""
        return as_utf8(self.words.text(lang, self.values))

    def event(self, lang: Lang) -> Error:
        """Return the data of the `error` event."""
        kind = "request" if self.status < 500 else "server"
        source = "upstream" if "upstream" in self.code else kind
        return Error(self.say(lang), self.code, source, self.retryable, self.retry_after_s)


def as_utf8(text: str) -> str:
    """Return a text that UTF-8 can carry: lone surrogates, as in file names of other encodings, become `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def preferred_lang(accept_language: str) -> Lang:
    """Return the supported language that an Accept-Language header weighs most (RFC 9110, 12.5.4)."""
    best: tuple[float, Lang] = (0.0, "en")
    for item in accept_language.split(","):
        tag, _, parameter = item.partition(";")
        name = tag.strip().lower().partition("-")[0]
        weight = parameter.strip().removeprefix("q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if name in {"en", "ar"} and quality > best[0]:
            best = (quality, "ar" if name == "ar" else "en")
    return best[1]
