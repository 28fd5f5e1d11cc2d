/** What the dashboard says, in English and Arabic. */

const EN = {
  title: "Server dashboard",
  states: {
    asking: "Asking the server",
    locked: "A token is needed",
    ready: "Ready",
    not_ready: "Not ready",
    away: "The server cannot be reached; trying again",
  },
  node: (/** @type {string} */ node, /** @type {string} */ log, /** @type {string} */ version) =>
    `Process ${node}, log: ${log}, version ${version}`,
  signIn: {
    label: "Token of the server",
    send: "Show the dashboard",
    note: "It is kept in this page only and forgotten when the page is closed.",
    wrong: "The server does not accept this token.",
  },
  ask: "Ask a question",
  figures: "Figures now",
  charts: "The last three minutes",
  now: "now",
  minutes: (/** @type {number} */ count) => `−${count} min`,
  nothing: "Nothing yet",
  units: {
    bytes: ["B", "kB", "MB", "GB"],
    perSecond: "/s",
    perMinute: "/min",
    s: "s",
    ms: "ms",
    percent: "%",
  },
  tiles: {
    connections: "Connections",
    runs: "Running answers",
    ttft: "First token, median",
    events: "Events sent",
    drops: "Heartbeats dropped",
    errors: "Errors",
    lag: "Event-loop lag, p99",
    memory: "Memory",
  },
  charts_of: {
    connections: { title: "Connections by transport", lines: ["SSE", "WebSocket", "Poll"] },
    runs: { title: "Running answers", lines: ["running"] },
    ttft: { title: "Time to first token", lines: ["median", "p95"] },
    duration: { title: "Length of an answer's stream", lines: ["median", "p95"] },
    events: { title: "Events sent", lines: ["events"] },
    bytes: { title: "Bytes sent", lines: ["bytes"] },
    heartbeats: { title: "Heartbeats", lines: ["due", "sent", "dropped"] },
    errors: { title: "Errors and reconnects", lines: ["errors", "reconnects", "slow readers"] },
    lag: { title: "Event-loop lag", lines: ["median", "p99"] },
    log: { title: "Event log", lines: ["bytes held"] },
    memory: { title: "Memory of the process", lines: ["resident"] },
    cpu: { title: "Processor", lines: ["of one core"] },
  },
  since: (/** @type {string} */ list) => `Since the start: ${list}`,
};

/** @type {typeof EN} */
const AR = {
  title: "لوحة الخادم",
  states: {
    asking: "جارٍ سؤال الخادم",
    locked: "يلزم رمز دخول",
    ready: "جاهز",
    not_ready: "غير جاهز",
    away: "تعذّر الوصول إلى الخادم؛ تُعاد المحاولة",
  },
  node: (node, log, version) => `العملية ⁦${node}⁩، السجل: ⁦${log}⁩، الإصدار ⁦${version}⁩`,
  signIn: {
    label: "رمز دخول الخادم",
    send: "اعرض اللوحة",
    note: "يبقى في هذه الصفحة وحدها ويُنسى عند إغلاقها.",
    wrong: "الخادم لا يقبل هذا الرمز.",
  },
  ask: "اسأل سؤالًا",
  figures: "القياسات الآن",
  charts: "الدقائق الثلاث الأخيرة",
  now: "الآن",
  minutes: (count) => `قبل ${count} د`,
  nothing: "لا شيء بعد",
  units: {
    bytes: ["بايت", "ك.ب", "م.ب", "غ.ب"],
    perSecond: "/ث",
    perMinute: "/د",
    s: "ث",
    ms: "م.ث",
    percent: "٪",
  },
  tiles: {
    connections: "الاتصالات",
    runs: "إجابات جارية",
    ttft: "أول كلمة، الوسيط",
    events: "الأحداث المرسلة",
    drops: "النبضات الساقطة",
    errors: "الأخطاء",
    lag: "تأخر الحلقة، p99",
    memory: "الذاكرة",
  },
  charts_of: {
    connections: { title: "الاتصالات حسب طريقة النقل", lines: ["SSE", "WebSocket", "استطلاع"] },
    runs: { title: "إجابات جارية", lines: ["جارية"] },
    ttft: { title: "الزمن حتى أول كلمة", lines: ["الوسيط", "p95"] },
    duration: { title: "مدة بث الإجابة", lines: ["الوسيط", "p95"] },
    events: { title: "الأحداث المرسلة", lines: ["أحداث"] },
    bytes: { title: "البيانات المرسلة", lines: ["بايتات"] },
    heartbeats: { title: "النبضات", lines: ["مستحقة", "مرسلة", "ساقطة"] },
    errors: { title: "الأخطاء وإعادات الاتصال", lines: ["أخطاء", "إعادات اتصال", "قراء بطيئون"] },
    lag: { title: "تأخر حلقة الأحداث", lines: ["الوسيط", "p99"] },
    log: { title: "سجل الأحداث", lines: ["المحفوظ"] },
    memory: { title: "ذاكرة العملية", lines: ["المقيمة"] },
    cpu: { title: "المعالج", lines: ["من نواة واحدة"] },
  },
  since: (list) => `منذ البدء: ${list}`,
};

/** @typedef {typeof EN} DashboardWords */

/** @param {"en" | "ar"} lang @returns {DashboardWords} */
export function dashboardWords(lang) {
  return lang === "ar" ? AR : EN;
}
