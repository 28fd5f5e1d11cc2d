/** The labels of the choice of a fault plan, in English and Arabic: a part of its own, as the view that shows them. */

const ENGLISH = {
  title: "Network faults",
  choice: "What goes wrong",
  choices: {
    none: "Nothing",
    letter: "Cut inside a letter",
    proxy: "Proxy that buffers",
    slow: "Slow line",
    busy: "Server busy once",
    drawn: "Drawn by the seed",
    custom: "Own plan",
  },
  own: "Kinds, seed and plan",
  kinds: "Kinds of fault",
  /** @type {Record<string, string>} */
  kind: {
    cut: "Cut",
    stall: "Stall",
    delay: "Delay",
    jitter: "Jitter",
    duplicate: "Duplicate",
    reorder: "Reorder",
    truncate: "Truncate",
    corrupt: "Corrupt",
    refuse: "Refuse",
    drip: "Drip",
    buffer: "Buffer",
    heartbeat_loss: "Lost heartbeats",
  },
  seed: "Seed",
  plan: "Plan as JSON",
  invalid: "This is no plan, so the one before holds:",
  next: "The plan holds from the next question on.",
  now: "This answer is read under a plan.",
  last: "The last answer was read under a plan.",
  relayed: "The stream comes through the kernel, whose own reader alone meets the faults.",
  /** @param {string} list */
  struck: (list) => `Breaks: ${list}.`,
  /** @type {Record<string, string>} */
  breaks: {
    cut: "cut",
    socket_closed: "cut",
    network: "no connection",
    idle: "silence",
    ended: "ended early",
    head_cut: "head cut",
    wrong_stream: "spoilt",
  },
  /** @param {string} status */
  refused: (status) => `refused with ${status}`,
};

/** @type {typeof ENGLISH} */
const ARABIC = {
  title: "أعطال الشبكة",
  choice: "ما الذي يتعطّل",
  choices: {
    none: "لا شيء",
    letter: "قطع داخل حرف",
    proxy: "وسيط يحتجز البيانات",
    slow: "خط بطيء",
    busy: "خادم مشغول مرة",
    drawn: "عشوائي بحسب البذرة",
    custom: "خطة خاصة",
  },
  own: "الأنواع والبذرة والخطة",
  kinds: "أنواع الأعطال",
  kind: {
    cut: "قطع",
    stall: "توقّف",
    delay: "تأخير",
    jitter: "تذبذب",
    duplicate: "تكرار",
    reorder: "تبديل الترتيب",
    truncate: "بتر",
    corrupt: "إفساد",
    refuse: "رفض",
    drip: "تقطير",
    buffer: "احتجاز",
    heartbeat_loss: "فقد النبضات",
  },
  seed: "البذرة",
  plan: "الخطة بصيغة JSON",
  invalid: "هذه ليست خطة، فتبقى السابقة سارية:",
  next: "تسري الخطة من السؤال التالي.",
  now: "تُقرأ هذه الإجابة تحت خطة أعطال.",
  last: "قُرئت الإجابة الأخيرة تحت خطة أعطال.",
  relayed: "يأتي البث عبر النواة، ولا تصيب الأعطال إلا قراءتها هي.",
  struck: (list) => `الانقطاعات: ${list}.`,
  breaks: {
    cut: "قطع",
    socket_closed: "قطع",
    network: "لا اتصال",
    idle: "صمت",
    ended: "نهاية مبكرة",
    head_cut: "قطع في الترويسة",
    wrong_stream: "فساد",
  },
  refused: (status) => `رفض بالحالة ${status}`,
};

/** @typedef {typeof ENGLISH} FaultWords */

/** @param {string} lang a language tag @returns {FaultWords} */
export function faultWordsIn(lang) {
  return /^ar\b/i.test(lang) ? ARABIC : ENGLISH;
}
