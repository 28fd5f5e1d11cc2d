/** The reader's place in a text, which stays the same place when the text is shown another way. */

// Marks and numbers of items come and go with the way that a text is shown; most letters stay.
const LETTERS = /\p{L}/gu;
/** So many letters in a row tell a place from others. */
const TELLING = 32;

/** @typedef {{above: number, next: string}} Place how many letters are above what is in sight, and those that follow */

/** @param {Node} text @param {HTMLElement} box that it scrolls in @returns {Place} */
export function placeOf(text, box) {
  const { top } = box.getBoundingClientRect();
  let all = "";
  let above = -1;
  for (const node of textsIn(text)) {
    const here = lettersOf(node.data);
    if (above < 0 && here && rangeOf(node, 0, node.length).getBoundingClientRect().bottom > top)
      above = all.length + lettersOf(node.data.slice(0, hiddenIn(node, top))).length;
    all += here;
  }
  return { above: Math.max(above, 0), next: all.slice(Math.max(above, 0)).slice(0, TELLING) };
}

/** @param {Text} node @param {number} top @returns {number} UTF-16 units of it that end above, by halving */
function hiddenIn(node, top) {
  let [from, to] = [0, node.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (rangeOf(node, middle, middle + 1).getBoundingClientRect().bottom > top) to = middle;
    else from = middle + 1;
  }
  return from;
}

/** Scrolls to the same place. @param {Node} text @param {HTMLElement} box @param {Place} place */
export function bringUp(text, box, place) {
  const nodes = [...textsIn(text)].map((node) => ({ node, letters: lettersOf(node.data) }));
  let left = nearest(nodes.map(({ letters }) => letters).join(""), place);
  for (const { node, letters } of nodes) {
    if (letters.length > left) {
      const at = indexOf(node.data, left);
      box.scrollTop +=
        rangeOf(node, at, at + 1).getBoundingClientRect().top - box.getBoundingClientRect().top;
      return;
    }
    left -= letters.length;
  }
}

/** @param {string} all @param {Place} place @returns {number} where its letters are, nearest to where they were */
function nearest(all, { above, next }) {
  const behind = all.indexOf(next, above);
  const before = all.lastIndexOf(next, above);
  if (behind < 0 && before < 0) return above;
  if (behind < 0 || before < 0) return Math.max(behind, before);
  return behind - above < above - before ? behind : before;
}

/** @param {string} text @param {number} letter @returns {number} where its nth letter is, UTF-16 units */
function indexOf(text, letter) {
  let units = 0;
  for (const { 0: found, index } of text.matchAll(LETTERS)) {
    if (units >= letter) return index;
    units += found.length;
  }
  return 0;
}

/** @param {string} text */
function lettersOf(text) {
  return text.match(LETTERS)?.join("") ?? "";
}

/** @param {Node} root @returns {Generator<Text>} without what no answer said */
function* textsIn(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node instanceof Text && !node.parentElement?.closest("figcaption, button")) yield node;
  }
}

/** @param {Text} node @param {number} from @param {number} to */
function rangeOf(node, from, to) {
  const range = document.createRange();
  range.setStart(node, from);
  range.setEnd(node, to);
  return range;
}
