/** The reader's place in a text, which stays the same place when the text is shown another way. */

// Marks come and go with the way that a text is shown; letters and digits stay.
const LETTERS = /[\p{L}\p{N}]/gu;

/** @param {Node} text @param {HTMLElement} box that it scrolls in @returns {number} letters above what is in sight */
export function lettersAbove(text, box) {
  const { top } = box.getBoundingClientRect();
  let letters = 0;
  for (const node of textsIn(text)) {
    const here = lettersIn(node.data);
    if (here > 0 && rangeOf(node, 0, node.length).getBoundingClientRect().bottom > top)
      return letters + lettersIn(node.data.slice(0, hiddenIn(node, top)));
    letters += here;
  }
  return letters;
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

/** Scrolls so many letters out of sight. @param {Node} text @param {HTMLElement} box @param {number} letters */
export function bringUp(text, box, letters) {
  let left = letters;
  for (const node of textsIn(text)) {
    const here = lettersIn(node.data);
    if (here > left) {
      const at = [...node.data.matchAll(LETTERS)][left]?.index ?? 0;
      box.scrollTop +=
        rangeOf(node, at, at + 1).getBoundingClientRect().top - box.getBoundingClientRect().top;
      return;
    }
    left -= here;
  }
}

/** @param {string} text */
function lettersIn(text) {
  return text.match(LETTERS)?.length ?? 0;
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
