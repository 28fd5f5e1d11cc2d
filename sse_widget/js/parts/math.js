/** Part: LaTeX to MathML, by KaTeX. Bundled to static/part-math.js. */
import katex from "katex";

/** Elements of MathML Core, and what they may carry; nothing that loads, links, styles or runs. */
const ELEMENTS = new Set(
  "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle merror mpadded mphantom msub msup msubsup munder mover munderover mtable mtr mtd menclose".split(
    " ",
  ),
);
const ATTRIBUTES = new Set(
  "accent accentunder columnalign columnspacing depth display displaystyle fence height largeop linethickness lspace mathcolor mathbackground mathsize mathvariant maxsize minsize movablelimits notation rowspacing rspace scriptlevel separator stretchy symmetric voffset width".split(
    " ",
  ),
);
const OPTIONS = /** @type {const} */ ({
  output: "mathml",
  trust: false,
  strict: "ignore",
  throwOnError: true,
  maxExpand: 200,
  maxSize: 20,
});

/**
 * @param {string} source LaTeX, without the marks around it
 * @param {boolean} display
 * @returns {Element | null} null if KaTeX does not understand it
 */
export function formula(source, display) {
  const holder = document.createElement("span");
  try {
    katex.render(source, holder, { ...OPTIONS, displayMode: display });
  } catch {
    return null;
  }
  const math = holder.querySelector("math");
  if (math) clean(math);
  return math;
}

/** @param {Element} element */
function clean(element) {
  for (const { name } of [...element.attributes]) if (!ATTRIBUTES.has(name)) element.removeAttribute(name);
  for (const child of [...element.children]) {
    if (child.localName === "semantics") child.replaceWith(...[child.firstElementChild ?? ""]);
    else if (!ELEMENTS.has(child.localName)) child.replaceWith(child.textContent);
  }
  for (const child of element.children) clean(child);
  setVariant(element);
}

/** First code points of the letters A and a, and of the digit 0, in the alphabets of plane 1 (Unicode, 22.2). */
/** @type {Record<string, [number, number, number]>} */
const ALPHABETS = {
  bold: [0x1d400, 0x1d41a, 0x1d7ce],
  italic: [0x1d434, 0x1d44e, 0],
  "bold-italic": [0x1d468, 0x1d482, 0],
  script: [0x1d49c, 0x1d4b6, 0],
  fraktur: [0x1d504, 0x1d51e, 0],
  "double-struck": [0x1d538, 0x1d552, 0x1d7d8],
  "sans-serif": [0x1d5a0, 0x1d5ba, 0x1d7e2],
  "bold-sans-serif": [0x1d5d4, 0x1d5ee, 0x1d7ec],
  "sans-serif-italic": [0x1d608, 0x1d622, 0],
  monospace: [0x1d670, 0x1d68a, 0x1d7f6],
};
/** Those that were in Unicode before, and have no second place. */
/** @type {Record<string, string>} */
const ELSEWHERE = {
  "italic h": "ℎ",
  ...letters("script", "BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ"),
  ...letters("fraktur", "CHIRZ", "ℭℌℑℜℨ"),
  ...letters("double-struck", "CHNPQRZ", "ℂℍℕℙℚℝℤ"),
};

/** @param {string} variant @param {string} from @param {string} to */
function letters(variant, from, to) {
  return Object.fromEntries([...from].map((letter, i) => [`${variant} ${letter}`, [...to][i] ?? letter]));
}

/** MathML Core knows no alphabets but by their own letters. @param {Element} element */
function setVariant(element) {
  const variant = element.getAttribute("mathvariant");
  const alphabet = variant && ALPHABETS[variant];
  if (!alphabet || element.children.length) return;
  element.textContent = [...element.textContent]
    .map((letter) => lettered(variant, alphabet, letter))
    .join("");
  element.setAttribute("mathvariant", "normal");
}

/** @param {string} variant @param {[number, number, number]} alphabet @param {string} letter */
function lettered(variant, [upper, lower, zero], letter) {
  const other = ELSEWHERE[`${variant} ${letter}`];
  if (other) return other;
  const code = letter.charCodeAt(0);
  if (/^[A-Z]$/.test(letter)) return String.fromCodePoint(upper + code - 65);
  if (/^[a-z]$/.test(letter)) return String.fromCodePoint(lower + code - 97);
  return zero && /^\d$/.test(letter) ? String.fromCodePoint(zero + code - 48) : letter;
}
