/** The labels of the panel, in English and Arabic. States and errors are said by protocol/messages.js. */

/** @typedef {{chars: number, deliveredS: number, displayedS: number, cuts: number, pings: number, stalls: number}} Story of a run */

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
  copy: "Copy",
  copied: "Copied",
  /** @param {number} seconds */
  beat: (seconds) => (seconds < 1 ? "Last sign of life: just now" : `Last sign of life: ${seconds} s ago`),
  quiet: "No connection",
  transport: { sse: "SSE", websocket: "WebSocket", poll: "long-poll", relay: "relay by the kernel" },

  knobs: "Knobs",
  spoilt: "A fault plan is set",
  preset: "Preset",
  presets: {
    defaults: "Defaults",
    raw: "Raw",
    reading: "Reading",
    slow_network: "Slow network",
    custom: "Custom",
  },
  groups: { run: "Server", pace: "Typewriter", connection: "Connection" },
  knob: {
    chunk_tokens: "Tokens in a delta",
    chunk_ms: "Longest wait of a token",
    delay_ms: "Least gap between deltas",
    flush_on_punctuation: "Send at the end of a clause",
    base_delay_ms: "Pause after a step",
    chars_per_step: "Characters in a step",
    punctuation_delay_multiplier: "Pause after a sentence",
    comma_delay_multiplier: "Pause after a clause",
    max_lag_ms: "Longest lag",
    heartbeat_s: "Heartbeat after silence of",
    reconnect: "Reconnect after a break",
    markdown: "Show Markdown",
  },
  units: { tokens: "", chars: "", ms: "ms", s: "s", times: "×" },
  auto: "auto",
  unreachable: "The server cannot be reached. What you change holds for the next question.",
  relayed: "The stream comes through the kernel. What you change arrives when the kernel is free.",

  timeline: "Timeline",
  noTimeline:
    "The timeline could not be loaded: neither the server nor the kernel answers. Unfold it again later.",
  byKernel:
    "Only the kernel's times are recorded: this page has no way to tell the server when it showed text.",
  marks: {
    delivered: "Delivered",
    displayed: "Displayed",
    ping: "Heartbeat",
    cut: "Cut",
    outage: "Reconnecting",
    stall: "Stall",
  },
  figures: {
    ttft: "TTFT",
    ttfp: "TTFP",
    rate: "Characters/s",
    p50: "Gap p50",
    p95: "Gap p95",
    lag: "Lag now",
    bytes: "Bytes",
    reconnects: "Reconnects",
    transport: "Transport",
  },
  explained: {
    ttft: "Time to first token: from the question until its text was delivered",
    ttfp: "Time to first paint: from the question until that text was displayed",
    rate: "After the first delta: delivered, and displayed",
    p50: "Between deltas, the median: delivered, and displayed",
    p95: "Between deltas, 95 of 100 are shorter: delivered, and displayed",
    lag: "How long the oldest text waits that is not displayed yet",
  },
  seconds: "s",
  bytes: ["B", "kB", "MB", "GB"],
  /** @param {string} rate @param {string} lag @param {string} ttft */
  inShort: (ttft, rate, lag) => `TTFT ${ttft} · ${rate} chars/s · lag ${lag}`,
  running: "Timeline of delivered and displayed characters. The answer is under way.",
  waiting: "Timeline. There is no answer yet.",
  /** @param {Story} story */
  story: ({ chars, deliveredS, displayedS, cuts, pings, stalls }) =>
    `Timeline: ${chars} characters delivered in ${deliveredS} s and displayed in ${displayedS} s. ` +
    `Cuts: ${cuts}. Heartbeats: ${pings}. Stalls: ${stalls}.`,

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
  copy: "نسخ",
  copied: "نُسخت",
  beat: (seconds) => (seconds < 1 ? "آخر إشارة: الآن" : `آخر إشارة قبل ${seconds} ث`),
  quiet: "لا اتصال",
  transport: { sse: "SSE", websocket: "WebSocket", poll: "استطلاع طويل", relay: "عبر النواة" },

  knobs: "الضوابط",
  spoilt: "خطة أعطال مضبوطة",
  preset: "إعداد جاهز",
  presets: {
    defaults: "الافتراضي",
    raw: "خام",
    reading: "للقراءة",
    slow_network: "شبكة بطيئة",
    custom: "مخصّص",
  },
  groups: { run: "الخادم", pace: "الكتابة", connection: "الاتصال" },
  knob: {
    chunk_tokens: "عدد الرموز في الدفعة",
    chunk_ms: "أطول انتظار لرمز",
    delay_ms: "أقل فاصل بين دفعتين",
    flush_on_punctuation: "إرسال عند نهاية العبارة",
    base_delay_ms: "المهلة بعد كل خطوة",
    chars_per_step: "عدد المحارف في الخطوة",
    punctuation_delay_multiplier: "المهلة بعد الجملة",
    comma_delay_multiplier: "المهلة بعد العبارة",
    max_lag_ms: "أطول تأخّر",
    heartbeat_s: "نبضة بعد صمت مدته",
    reconnect: "إعادة الاتصال بعد الانقطاع",
    markdown: "عرض Markdown",
  },
  units: { tokens: "", chars: "", ms: "م‌ث", s: "ث", times: "×" },
  auto: "تلقائي",
  unreachable: "تعذّر الوصول إلى الخادم. يسري ما تغيّره على السؤال التالي.",
  relayed: "يأتي البث عبر النواة. يصل ما تغيّره حين تفرغ النواة.",

  timeline: "المخطط الزمني",
  noTimeline: "تعذّر تحميل المخطط الزمني: لا يجيب الخادم ولا النواة. افتحه مرة أخرى لاحقًا.",
  byKernel: "تُسجَّل أوقات النواة وحدها: لا سبيل لهذه الصفحة إلى إخبار الخادم بوقت ظهور النص.",
  marks: {
    delivered: "وصل",
    displayed: "ظهر",
    ping: "نبضة",
    cut: "انقطاع",
    outage: "إعادة اتصال",
    stall: "توقّف",
  },
  figures: {
    ttft: "TTFT",
    ttfp: "TTFP",
    rate: "محرف/ث",
    p50: "الفاصل p50",
    p95: "الفاصل p95",
    lag: "التأخّر الآن",
    bytes: "الحجم",
    reconnects: "إعادة الاتصال",
    transport: "النقل",
  },
  explained: {
    ttft: "الزمن من السؤال حتى وصول أول نص",
    ttfp: "الزمن من السؤال حتى ظهور ذلك النص",
    rate: "بعد الدفعة الأولى: ما وصل ثم ما ظهر",
    p50: "بين الدفعات، الوسيط: ما وصل ثم ما ظهر",
    p95: "بين الدفعات، 95 من كل 100 أقصر: ما وصل ثم ما ظهر",
    lag: "منذ متى ينتظر أقدم نص لم يظهر بعد",
  },
  seconds: "ث",
  bytes: ["بايت", "ك.ب", "م.ب", "غ.ب"],
  inShort: (ttft, rate, lag) => `TTFT ${ttft} · ${rate} محرف/ث · التأخّر ${lag}`,
  running: "مخطط زمني لما وصل وما ظهر من المحارف. الإجابة جارية.",
  waiting: "المخطط الزمني. لا توجد إجابة بعد.",
  story: ({ chars, deliveredS, displayedS, cuts, pings, stalls }) =>
    `المخطط الزمني: وصلت المحارف، وعددها ${chars}، في ${deliveredS} ث وظهرت في ${displayedS} ث. ` +
    `الانقطاعات: ${cuts}. النبضات: ${pings}. التوقّفات: ${stalls}.`,

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
