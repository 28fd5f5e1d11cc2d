"""All that the doctor says, in English and Arabic: one case for each code, titles, and the words around them."""

from __future__ import annotations

from sse_widget.diagnosis.words import answer, flow, network, page
from sse_widget.diagnosis.words.language import Case, Lang, Style, Words, preferred_lang, say

__all__ = ["CASES", "TITLES", "VERDICTS", "Case", "Lang", "Style", "Words", "preferred_lang", "say"]

CASES: dict[str, Case] = network.CASES | answer.CASES | flow.CASES | page.CASES

TITLES = {
    "name": Words("Name (DNS)", "الاسم (DNS)"),
    "connection": Words("Connection (TCP)", "الاتصال (TCP)"),
    "encryption": Words("Encryption (TLS)", "التشفير (TLS)"),
    "redirects": Words("Redirects", "التحويلات"),
    "upstream": Words("Server", "الخادم"),
    "access": Words("Access", "الدخول"),
    "content_type": Words("Content type", "نوع المحتوى"),
    "headers": Words("Headers", "الترويسات"),
    "hops": Words("On the way", "في الطريق"),
    "compression": Words("Compression", "الضغط"),
    "buffering": Words("Buffering", "الاحتجاز"),
    "heartbeat": Words("Heartbeat", "النبض"),
    "idle": Words("Idle time-out", "مهلة الصمت"),
    "resume": Words("Resume", "المتابعة"),
    "websocket": Words("WebSocket", "WebSocket"),
    "cors": Words("Other origins (CORS)", "الأصول الأخرى (CORS)"),
    "connections": Words("Connections", "عدد الاتصالات"),
    "browser": Words("In the browser", "في المتصفح"),
}

VERDICTS = {
    "ok": Words("ok", "سليم"),
    "warning": Words("warning", "تنبيه"),
    "fault": Words("fault", "عطل"),
    "skipped": Words("skipped", "لم يُفحص"),
}

HEALTHY = Words("No fault.", "لا عطل.")
INTERRUPTED = Words("Interrupted; this is what was found so far.", "قُطع الفحص؛ هذا ما وُجد حتى الآن.")
CULPRIT = Words("Culprit: {title}", "السبب: {title}")
AT = Words("{title}, at {who}", "{title}، عند {who}")
LOOK_AT = Words("Worth a look: {title}", "يستحق النظر: {title}")
COUNTS = Words("faults: {faults}, warnings: {warnings}", "الأعطال: {faults}، التنبيهات: {warnings}")
BETWEEN = Words(
    "It comes in between {outer} and {inner}, which is free of it.", "ينشأ بين {outer} و{inner} الخالي منه."
)
AT_SERVER = Words(
    "It is there at {outer} already, the last address of the chain.", "هو موجود منذ {outer} آخر عناوين السلسلة."
)
BEHIND = Words("Behind it: {url}", "خلفه: {url}")
COLUMNS = {
    "probe": Words("Probe", "الفحص"),
    "verdict": Words("Verdict", "الحكم"),
    "seen": Words("What was seen, and what to do", "ما لوحظ وما العمل"),
}
REPORT = Words("sse-widget doctor: {url}", "طبيب sse-widget للعنوان {url}")
