/** The labels of the panel, in English and Arabic. States and errors are said by protocol/messages.js. */

const ENGLISH = {
  panel: "Streamed answer",
  question: "Question",
  placeholder: "Ask something",
  ask: "Ask",
  answer: "Answer",
  empty: "The answer will be typed here.",
  stop: "Stop",
  cut: "Cut connection",
  resume: "Resume",
  /** @param {number} seconds */
  beat: (seconds) => (seconds < 1 ? "Last sign of life: just now" : `Last sign of life: ${seconds} s ago`),
  quiet: "No connection",
  copy: "Copy",
  copied: "Copied",
  notCopied: "Not copied",
  code: "Code",
  /** @param {string} language */
  codeIn: (language) => `Code: ${language}`,
  table: "Table",
  /** @param {string} host @param {string} name */
  loadImage: (host, name) => (name ? `Load image from ${host}: ${name}` : `Load image from ${host}`),
};

/** @typedef {typeof ENGLISH} Words */

/** @type {Words} */
const ARABIC = {
  panel: "إجابة تُبَث",
  question: "السؤال",
  placeholder: "اسأل عن شيء",
  ask: "اسأل",
  answer: "الإجابة",
  empty: "ستُكتب الإجابة هنا.",
  stop: "إيقاف",
  cut: "اقطع الاتصال",
  resume: "متابعة",
  beat: (seconds) => (seconds < 1 ? "آخر إشارة: الآن" : `آخر إشارة قبل ${seconds} ث`),
  quiet: "لا اتصال",
  copy: "نسخ",
  copied: "تم النسخ",
  notCopied: "تعذّر النسخ",
  code: "شيفرة",
  codeIn: (language) => `شيفرة: ${language}`,
  table: "جدول",
  loadImage: (host, name) => (name ? `حمّل الصورة من ${host}: ${name}` : `حمّل الصورة من ${host}`),
};

/**
 * @param {string} lang a language tag
 * @returns {{words: Words, lang: "ar" | "en", dir: "rtl" | "ltr"}}
 */
export function wordsIn(lang) {
  return /^ar\b/i.test(lang)
    ? { words: ARABIC, lang: "ar", dir: "rtl" }
    : { words: ENGLISH, lang: "en", dir: "ltr" };
}
