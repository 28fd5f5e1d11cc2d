/**
 * Which grapheme clusters end a sentence or a clause, in Latin, Arabic and CJK text (design.md section 8).
 * Pure; the twin of pacing/punctuation.py.
 */

/** @typedef {0 | 1 | 2} Kind */

export const LETTER = 0;
export const CLAUSE = 1;
export const SENTENCE = 2;

const SENTENCE_ENDS = ".!?؟۔。！？…\n\r";
const CLAUSE_ENDS = ",;:،؛，；：、";

/** @type {Map<string, Kind>} */
const KINDS = new Map();
for (const mark of SENTENCE_ENDS) KINDS.set(mark, SENTENCE);
for (const mark of CLAUSE_ENDS) KINDS.set(mark, CLAUSE);

/**
 * LETTER, CLAUSE or SENTENCE, by the first code point: marks that follow it change nothing.
 *
 * @param {string} cluster
 * @returns {Kind}
 */
export function kindOf(cluster) {
  return KINDS.get(cluster.charAt(0)) ?? LETTER;
}
