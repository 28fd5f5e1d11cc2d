"""What the figures of a load are called, in English and Arabic, and how they are written."""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """A figure's names; a share is written in percent."""

    en: str
    ar: str
    share: bool = False

    def shown(self, value: float) -> str:
        """Write a value: four digits for times and rates, percent for shares."""
        if self.share:
            return f"{100.0 * value:.1f} %"
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}" if abs(value) >= 1 else f"{value:.3f}"

    def name(self, lang: str) -> str:
        """Return its name in a language."""
        return self.ar if lang == "ar" else self.en


FIGURES = {
    "ttft_ms": Figure("TTFT ms", "زمن أول نص (ms)"),
    "ttft_due_ms": Figure("TTFT ms, from when due", "زمن أول نص منذ موعده (ms)"),
    "tpot_ms": Figure("TPOT ms", "زمن الرمز الواحد (ms)"),
    "tpot_vllm_ms": Figure("TPOT ms (vLLM)", "زمن الرمز الواحد على طريقة vLLM (ms)"),
    "gap_ms": Figure("gap ms", "الفجوة بين دفعتين (ms)"),
    "delivered_gap_p95_ms": Figure("gap p95 ms, by request", "الفجوة p95 لكل طلب (ms)"),
    "delivered_jitter_ms": Figure("jitter ms", "تذبذب الفجوات (ms)"),
    "delivered_total_ms": Figure("whole text ms", "النص كاملا (ms)"),
    "total_due_ms": Figure("whole text ms, from when due", "النص كاملا منذ موعده (ms)"),
    "delivered_stall_share": Figure("stalled", "حصة التوقف", share=True),
    "delivered_chars_per_s": Figure("characters/s, a stream", "حروف/ث لكل بث"),
    "delivered_qoe": Figure("QoE (Andes)", "جودة التجربة (Andes)"),
    "late_ms": Figure("sent late ms", "تأخر الإرسال (ms)"),
}
"""In the order in which they are shown."""
