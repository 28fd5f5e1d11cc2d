/**
 * Length and CRC-32 of a text that arrives in pieces: what `done` states and a reader checks.
 * Twin of protocol/checksum.py.
 */

import { decode, integer } from "./events.js";

const optional = {
  check: (/** @type {unknown} */ value) => value === null || integer.check(value),
  missing: null,
};
const STATED = { chars: optional, crc32: optional };

/** The reflected polynomial of zlib's CRC-32 (RFC 1952, section 8), one entry a byte. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  }
  return remainder;
});

/** `chars` counts code points, `crc32` covers the UTF-8 bytes of all that was added. */
export class Checksum {
  chars = 0;
  #register = 0xffffffff;
  #encoder = new TextEncoder();

  get crc32() {
    return (this.#register ^ 0xffffffff) >>> 0;
  }

  /**
   * Takes the next piece of the text.
   *
   * @param {string} text well-formed UTF-16
   */
  add(text) {
    let register = this.#register;
    for (const byte of this.#encoder.encode(text)) {
      register = (register >>> 8) ^ /** @type {number} */ (TABLE[(register ^ byte) & 0xff]);
      // Every byte but a continuation byte begins a code point.
      this.chars += (byte & 0xc0) === 0x80 ? 0 : 1;
    }
    this.#register = register;
  }

  /**
   * Whether the text is the one that `done` speaks of.
   *
   * @param {{chars: number | null, crc32: number | null}} done
   */
  matches(done) {
    return done.chars === this.chars && done.crc32 === this.crc32;
  }

  /**
   * Whether the data of `done` state this text, or nothing of a text; data that were spoilt agree with none.
   *
   * @param {string} data
   */
  agrees(data) {
    const stated = decode(data, STATED);
    if (stated === null) return false;
    return (stated.chars === null && stated.crc32 === null) || this.matches(stated);
  }
}
