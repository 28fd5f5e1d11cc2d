"""How fast text is shown: the options of the typewriter, and the times that follow from them.

Pure; its twin is js/pacing/pace.js.
"""

from __future__ import annotations

import math

import msgspec


class PacerOptions(msgspec.Struct, frozen=True):
    """How text is paced. Raises ValueError for a value that is negative, not finite, or no whole step.

    `base_delay_ms` follows a step of `chars_per_step` clusters, and the multipliers apply to it after
    sentence and clause punctuation. No text waits longer than `max_lag_ms`.
    """

    base_delay_ms: float = 8.0
    punctuation_delay_multiplier: float = 10.0
    comma_delay_multiplier: float = 4.0
    chars_per_step: int = 4
    max_lag_ms: float = 400.0

    def __post_init__(self) -> None:
        """Check the values."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a finite number, 0 or more; got {value!r}")
        if self.chars_per_step < 1 or self.chars_per_step % 1:
            raise ValueError(f"chars_per_step must be a whole number, 1 or more; got {self.chars_per_step!r}")

    @property
    def weights_ms(self) -> tuple[float, float, float]:
        """The unhurried time after a letter, clause punctuation, sentence punctuation."""
        base_ms = self.base_delay_ms
        return (
            base_ms / self.chars_per_step,
            base_ms * self.comma_delay_multiplier,
            base_ms * self.punctuation_delay_multiplier,
        )
