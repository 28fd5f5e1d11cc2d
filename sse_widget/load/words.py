"""What is said about a load, in English and Arabic, and how its figures are written."""

from __future__ import annotations

import msgspec

COLUMNS = ("mean", "p50", "p90", "p95", "p99", "max")


class Figure(msgspec.Struct, frozen=True):
    """A figure's names; a share is written in percent."""

    en: str
    ar: str
    share: bool = False

    def shown(self, value: float) -> str:
        """Write a value: four digits, at most three of them behind the point; percent for shares."""
        if self.share:
            return f"{100.0 * value:.1f} %"
        places = sum(abs(value) < bound for bound in (1000.0, 100.0, 10.0))
        return f"{value:.{places}f}"

    def name(self, lang: str) -> str:
        """Return its name in a language."""
        return self.ar if lang == "ar" else self.en


FIGURES = {
    "ttft_ms": Figure("TTFT ms", "زمن أول نص TTFT (ms)"),
    "ttft_due_ms": Figure("TTFT ms, from when due", "زمن أول نص منذ موعد السؤال (ms)"),
    "tpot_ms": Figure("TPOT ms", "زمن الرمز TPOT (ms)"),
    "tpot_vllm_ms": Figure("TPOT ms (vLLM)", "زمن الرمز على طريقة vLLM (ms)"),
    "gap_ms": Figure("gap ms", "الفجوة بين دفعتين (ms)"),
    "delivered_gap_p95_ms": Figure("gap p95 ms, by request", "الفجوة p95 لكل طلب (ms)"),
    "delivered_jitter_ms": Figure("jitter ms", "تذبذب الفجوات (ms)"),
    "delivered_total_ms": Figure("whole text ms", "النص كاملًا (ms)"),
    "total_due_ms": Figure("whole text ms, from when due", "النص كاملًا منذ موعد السؤال (ms)"),
    "delivered_stall_share": Figure("stalled", "حصة التوقف", share=True),
    "delivered_chars_per_s": Figure("characters/s, a stream", "حرف/ث في كل بث"),
    "delivered_qoe": Figure("QoE (Andes)", "جودة التجربة (Andes)"),
    "late_ms": Figure("sent late ms", "تأخر الإرسال (ms)"),
}
"""In the order in which they are shown."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The page's words in one language."""

    lang: str
    direction: str
    title: str
    heading: str
    closed: str
    opened: dict[str, str]
    interrupted: str
    done: str
    requests_per_s: str
    tokens_per_s: str
    chars_per_s: str
    ttft: str
    goodput: str
    reconnects: str
    unsent: str
    nothing: str
    figures: str
    figure: str
    columns: dict[str, str]
    note_done: str
    note_tpot: str
    note_due: str
    note_lag: str
    errors: str
    error_columns: tuple[str, ...]
    requests_plot: str
    ttft_plot: str
    total_plot: str
    gaps_plot: str
    conditions: str
    questions: str
    each: str
    more: str
    request_columns: tuple[str, ...]


_ENGLISH = Words(
    lang="en",
    direction="ltr",
    title="Load on {url}",
    heading="What readers saw under load",
    closed="{concurrency} streams at a time",
    opened={
        "constant": "{rate} requests a second, evenly",
        "poisson": "{rate} requests a second, as a Poisson process",
    },
    interrupted="interrupted",
    done="requests answered whole",
    requests_per_s="requests a second",
    tokens_per_s="tokens a second, all streams",
    chars_per_s="characters a second, all streams",
    ttft="TTFT ms, median / p95",
    goodput="goodput: requests a second within their level",
    reconnects="reconnects",
    unsent="due and never sent: the duration was over",
    nothing="Nothing was measured.",
    figures="Figures",
    figure="figure",
    columns={"mean": "mean", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "max": "max"},
    note_done="Percentiles over requests that were answered whole; gaps are those of all requests together.",
    note_tpot="TPOT is given where the server tells how many tokens came with the first text; vLLM's takes one.",
    note_due="“From when due” also counts what a request waited because others were still open (coordinated omission).",
    note_lag="This process was itself up to {lag} ms late (99th percentile): no figure is more exact.",
    errors="What failed",
    error_columns=("times", "code", "message of one"),
    requests_plot="Requests over time",
    ttft_plot="Waiting for the first text",
    total_plot="Waiting for the whole text",
    gaps_plot="Gaps between deliveries",
    conditions="Conditions",
    questions="Questions",
    each="Each request",
    more="The first {shown} of {all}; the JSON report has all.",
    request_columns=("request", "sent s", "over s", "TTFT ms", "whole ms", "characters", "end"),
)
_ARABIC = Words(
    lang="ar",
    direction="rtl",
    title="الحمل على {url}",
    heading="ما رآه القراء تحت الحمل",
    closed="{concurrency} من عمليات البث في آن واحد",
    opened={
        "constant": "بمعدل {rate} طلب في الثانية على فترات متساوية",
        "poisson": "بمعدل {rate} طلب في الثانية وفق عملية بواسون",
    },
    interrupted="أُوقف قبل نهايته",
    done="طلبات أُجيبت كاملة",
    requests_per_s="طلبات في الثانية",
    tokens_per_s="رموز في الثانية لكل البث",
    chars_per_s="حروف في الثانية لكل البث",
    ttft="زمن أول نص ms، الوسيط / p95",
    goodput="طلبات في الثانية ضمن المستوى المطلوب",
    reconnects="مرات إعادة الاتصال",
    unsent="طلبات حان موعدها ولم تُرسل قبل انتهاء المدة",
    nothing="لم يُقَس شيء.",
    figures="الأرقام",
    figure="الرقم",
    columns={"mean": "المتوسط", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "max": "الأقصى"},
    note_done="المئينات للطلبات التي أُجيبت كاملة؛ والفجوات لكل الطلبات معًا.",
    note_tpot="يُذكر TPOT حين يخبر الخادم بعدد الرموز في أول نص؛ وطريقة vLLM تعده رمزًا واحدًا.",
    note_due="«منذ موعد السؤال» يحسب أيضًا ما انتظره الطلب لأن غيره كان مفتوحًا (coordinated omission).",
    note_lag="تأخرت هذه العملية نفسها حتى {lag} ms (المئين 99): لا رقم أدق من ذلك.",
    errors="ما أخفق",
    error_columns=("المرات", "الرمز", "رسالة واحد منها"),
    requests_plot="الطلبات عبر الزمن",
    ttft_plot="انتظار أول نص",
    total_plot="انتظار النص كاملًا",
    gaps_plot="الفجوات بين الدفعات",
    conditions="الظروف",
    questions="الأسئلة",
    each="كل طلب",
    more="أول {shown} من {all}؛ والبقية في تقرير JSON.",
    request_columns=("الطلب", "أُرسل s", "انتهى s", "أول نص ms", "كاملًا ms", "حروف", "النهاية"),
)


def words_of(lang: str) -> Words:
    """Return the words of a language; ValueError for one that there is not."""
    if lang not in {"en", "ar"}:
        raise ValueError(f"a page is in 'en' or 'ar'; got {lang!r}")
    return _ARABIC if lang == "ar" else _ENGLISH
