"""Randomness that is the same in both languages: xoshiro128** on 32-bit words. Twin of js/protocol/chance.js.

The generator is xoshiro128** 1.1 (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", ACM TOMS 47,
2021; public domain). Its four words are made of a seed and a stream by the finalizer of MurmurHash3 (Appleby, public
domain), which maps different inputs to different words, so that they are never all zero.
"""

from __future__ import annotations

SEEDS = 1 << 32
"""Seeds and streams are whole numbers below this."""

_MASK = SEEDS - 1
_GOLDEN = 0x9E3779B9


class Chance:
    """A stream of random numbers: the same seed and stream give the same numbers everywhere."""

    def __init__(self, seed: int, stream: int = 0) -> None:
        mixed = mix((mix((seed + _GOLDEN) & _MASK) ^ stream) & _MASK)
        self._words = [mix((mixed + turn * _GOLDEN) & _MASK) for turn in range(1, 5)]

    @classmethod
    def of_words(cls, words: tuple[int, int, int, int]) -> Chance:
        """Return the generator in a state of its own, four words that are not all zero."""
        chance = cls(0)
        chance._words = list(words)
        return chance

    def word(self) -> int:
        """Return the next 32 bits."""
        a, b, c, d = self._words
        result = _turned((b * 5) & _MASK, 7) * 9 & _MASK
        c ^= a
        d ^= b
        self._words = [a ^ d, b ^ c, c ^ (b << 9 & _MASK), _turned(d, 11)]
        return result

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to `bound` - 1, each as likely; `bound` is at most 2 ** 32."""
        usable = SEEDS - SEEDS % bound
        word = self.word()
        while word >= usable:
            word = self.word()
        return word % bound

    def unit(self) -> float:
        """Return a number in [0, 1), in steps of 2 ** -32."""
        return self.word() / SEEDS


def mix(word: int) -> int:
    """Return the word after MurmurHash3's 32-bit finalizer, a bijection."""
    word = (word ^ word >> 16) * 0x85EBCA6B & _MASK
    word = (word ^ word >> 13) * 0xC2B2AE35 & _MASK
    return word ^ word >> 16


def _turned(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & _MASK
