/** What of the last, unfinished line is not shown yet, since its next character decides what it is. */

// After the marks of quotes and items: nothing, or the beginning of a mark.
const CONTAINERS = String.raw`[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+[ \t>]*)*`;
const BEGINNINGS = [
  String.raw`\d{1,9}[.)]?`,
  "#{1,6}",
  "=+",
  String.raw`[-+*_ \t]+`,
  String.raw`[|:\- \t]+`,
  String.raw`\[(?:[ xX]?|[ xX]\])`,
  "`{1,2}",
  "`{3,}[^`]*",
  "~{1,2}",
  "~{3,}.*",
  String.raw`\${1,2}`,
  String.raw`\\\[?`,
  // A definition, which is shown nowhere. Its label is no footnote's: those are shown as they are.
  String.raw`\[[^\]\s^][^\]]*\]:.*`,
];
const UNDECIDED = new RegExp(`^${CONTAINERS}(?:${BEGINNINGS.join("|")})?[ \\t]*$`);
/** A line this long is what it is. UTF-16 units */
const LINE_LIMIT = 300;

/**
 * @param {string} line without its end
 * @returns {boolean}
 */
export function isUndecided(line) {
  return line.length < LINE_LIMIT && UNDECIDED.test(line);
}

// Marks of spans at the end of a line, half of an entity, and the beginning of an address.
const WAITING =
  /(?:[*_~`$\\[]+|(?<![^\s([{])!\[?|&(?:#[xX]?\w{0,7}|[a-zA-Z]\w{0,10})?|<[^\s<>]{0,200}|(?<![\p{L}\p{N}_])h(?:t(?:t(?:p(?:s?(?::\/{0,2})?)?)?)?)?)$/u;

/**
 * @param {string} text the open end of a line's content
 * @returns {string} without what its next character decides on
 */
export function withoutWaiting(text) {
  return text.replace(WAITING, "");
}
