/** What a reader is told, in English and Arabic: states of a consumer, and error codes of design.md section 9. */

/** @typedef {Record<string, string | number>} Params */
/** @typedef {string | ((params: Params) => string)} Text */

/** @type {Record<string, Text>} */
const ENGLISH = {
  idle: "Ready",
  connecting: "Connecting …",
  open: "Streaming",
  streaming: "Streaming",
  waiting: ({ attempt = 1, seconds = 0 }) => `Connection lost. Attempt ${attempt} in ${seconds} s`,
  done: "Done",
  stopped: "Stopped",
  error: "Error",
  interrupted:
    "Interrupted: the connection could not be restored. What arrived is shown; ask again for the rest.",
  gap: "Part of the answer was lost and can no longer be fetched. Ask again.",
  closed: "Left. The answer goes on at the server.",
  question_required: "There is no question. Type one and send it again.",
  question_too_long: "The question is too long. Shorten it and send it again.",
  invalid_request: "The server did not understand the request. Check its parameters.",
  unauthorized: "You are not signed in, or the sign-in has expired. Sign in and reload.",
  forbidden: "You may not do this here. Ask whoever runs the server.",
  not_found: "The server does not know this answer. Ask again.",
  expired: "This answer is no longer kept. Ask again.",
  rate_limited: "Too many questions in a short time. Wait a little.",
  overloaded: "The server is busy. Wait a little.",
  upstream_error: "The model failed. Ask again, or choose another model.",
  upstream_timeout: "The model did not answer in time. Ask again, or choose another model.",
  upstream_truncated: "The model broke off in the middle. Ask again.",
  producer_lost: "The server that wrote this answer is gone. Ask again.",
  unread_limit: "Nobody was reading, so the answer was ended. Ask again.",
  shutdown: "The server was shut down. Ask again when it is back.",
  payload_mismatch: "The text that arrived is not the one that was sent. Ask again.",
  internal: "The server failed. Ask again; if it fails again, look at its log.",
  connect_failed: "The server cannot be reached. Check that it runs and that the address is right.",
  idle_timeout: "The server fell silent. Check the connection.",
  wrong_content_type:
    "The address does not answer with a stream of events. Check it, and the proxies on the way.",
  limit_exceeded: "One event is larger than this page accepts.",
  kernel_awaited: "Waiting for the kernel …",
  kernel_gone: "The kernel of this widget is gone. Run the widget's cell again, then ask.",
  slots_taken: "The browser's connections to this server are all taken.",
  held_back: "A proxy on the way holds server-sent events back.",
  refused: "Server-sent events are refused on the way.",
  no_streaming: "This browser cannot read a response while it arrives.",
  blocked: "The WebSocket is blocked on the way.",
  by_proxy: "Through Jupyter's proxy.",
  by_colab: "Through Colab's port proxy.",
  lna_denied:
    "The browser keeps this page from servers of this computer (Local Network Access). Allow it in the site's settings, or install jupyter-server-proxy.",
  lna_prompt:
    'The browser would have to ask you first whether this page may reach servers of this computer (Local Network Access). With route="url" it asks.',
  mixed_content: "A page of https may not read from a server of http. Give the server an https address.",
  cors_refused: "The server does not admit this page. Start it with --allow-origin and the page's address.",
  proxy_missing:
    "The server listens where the kernel runs, and this Jupyter has no proxy to it. Install jupyter-server-proxy, or sse-widget where Jupyter runs.",
  proxy_refused: "Jupyter's proxy refuses this page. Sign in again, or ask whoever runs it.",
  login_required: "The way to the server asks for a sign-in. Sign in and reload.",
  other_server:
    "Another server answers at this address: localhost is your computer here, and not the kernel's. Forward the kernel's port, or install jupyter-server-proxy.",
  probe_timeout: "The server does not answer this page in time. Check the firewalls on the way.",
  unreachable: "This page reaches no server of the kernel's. Forward its port, or go on like this.",
  no_server:
    "The extension does not answer this page. Install sse-widget where Jupyter runs, or go on like this.",
};

/** @type {Record<string, Text>} */
const ARABIC = {
  idle: "جاهز",
  connecting: "جارٍ الاتصال …",
  open: "جارٍ البث",
  streaming: "جارٍ البث",
  waiting: ({ attempt = 1, seconds = 0 }) =>
    `انقطع الاتصال. المحاولة ${attempt} ${arabicSeconds(Number(seconds))}`,
  done: "اكتمل",
  stopped: "أُوقف",
  error: "خطأ",
  interrupted: "انقطع البث وتعذّرت استعادة الاتصال. يظهر ما وصل منه؛ أعد السؤال للحصول على الباقي.",
  gap: "ضاع جزء من الإجابة ولم يعد ممكنًا جلبه. أعد السؤال.",
  closed: "غادرتَ البث. تستمر الإجابة على الخادم.",
  question_required: "لا يوجد سؤال. اكتب سؤالًا ثم أرسله من جديد.",
  question_too_long: "السؤال طويل جدًا. اختصره ثم أرسله من جديد.",
  invalid_request: "لم يفهم الخادم الطلب. تحقّق من معاملاته.",
  unauthorized: "لم تسجّل الدخول أو انتهت صلاحيته. سجّل الدخول ثم أعد تحميل الصفحة.",
  forbidden: "لا يُسمح لك بهذا هنا. اسأل من يدير الخادم.",
  not_found: "لا يعرف الخادم هذه الإجابة. أعد السؤال.",
  expired: "لم تعد هذه الإجابة محفوظة. أعد السؤال.",
  rate_limited: "أسئلة كثيرة في وقت قصير. انتظر قليلًا.",
  overloaded: "الخادم مشغول. انتظر قليلًا.",
  upstream_error: "تعطّل النموذج. أعد السؤال أو اختر نموذجًا آخر.",
  upstream_timeout: "لم يُجب النموذج في الوقت المناسب. أعد السؤال أو اختر نموذجًا آخر.",
  upstream_truncated: "توقّف النموذج في منتصف الإجابة. أعد السؤال.",
  producer_lost: "لم يعد الخادم الذي كان يكتب هذه الإجابة موجودًا. أعد السؤال.",
  unread_limit: "لم يكن أحد يقرأ فأُنهيت الإجابة. أعد السؤال.",
  shutdown: "أُغلق الخادم. أعد السؤال حين يعود.",
  payload_mismatch: "النص الذي وصل ليس النص الذي أُرسل. أعد السؤال.",
  internal: "تعطّل الخادم. أعد السؤال؛ وإن تكرّر ذلك فانظر في سجلّه.",
  connect_failed: "تعذّر الوصول إلى الخادم. تحقّق من أنه يعمل ومن صحة العنوان.",
  idle_timeout: "صمت الخادم. تحقّق من الاتصال.",
  wrong_content_type: "العنوان لا يجيب ببث أحداث. تحقّق منه ومن الخوادم الوسيطة في الطريق.",
  limit_exceeded: "حدث واحد أكبر مما تقبله هذه الصفحة.",
  kernel_awaited: "بانتظار النواة …",
  kernel_gone: "لم تعد نواة هذه الأداة موجودة. شغّل خليتها من جديد ثم اسأل.",
  slots_taken: "اتصالات المتصفح بهذا الخادم مشغولة كلها.",
  held_back: "وسيط في الطريق يحتجز أحداث البث.",
  refused: "تُرفض أحداث البث في الطريق.",
  no_streaming: "لا يستطيع هذا المتصفح قراءة الرد أثناء وصوله.",
  blocked: "WebSocket محجوب في الطريق.",
  by_proxy: "عبر وسيط Jupyter.",
  by_colab: "عبر وسيط المنافذ في Colab.",
  lna_denied:
    "يمنع المتصفح هذه الصفحة من الوصول إلى خوادم هذا الحاسوب (Local Network Access). اسمح به في إعدادات الموقع، أو ثبّت jupyter-server-proxy.",
  lna_prompt:
    'على المتصفح أن يسألك أولًا إن كان لهذه الصفحة أن تصل إلى خوادم هذا الحاسوب (Local Network Access). اضبط ‎route="url"‎ ليسألك.',
  mixed_content: "لا يُسمح لصفحة https بالقراءة من خادم http. اجعل للخادم عنوان https.",
  cors_refused: "لا يقبل الخادم هذه الصفحة. شغّله بالخيار ‎--allow-origin‎ مع عنوان الصفحة.",
  proxy_missing:
    "الخادم حيث تعمل النواة، وليس في Jupyter هذا وسيط إليه. ثبّت jupyter-server-proxy، أو ثبّت sse-widget حيث يعمل Jupyter.",
  proxy_refused: "يرفض وسيط Jupyter هذه الصفحة. سجّل الدخول من جديد أو اسأل من يديره.",
  login_required: "يتطلب الطريق إلى الخادم تسجيل الدخول. سجّل الدخول ثم أعد تحميل الصفحة.",
  other_server:
    "يجيب خادم آخر في هذا العنوان: localhost هنا حاسوبك لا حاسوب النواة. مرّر منفذ النواة، أو ثبّت jupyter-server-proxy.",
  probe_timeout: "لا يجيب الخادم هذه الصفحة في الوقت المناسب. تحقّق من الجدران النارية في الطريق.",
  unreachable: "لا تصل هذه الصفحة إلى أي خادم للنواة. مرّر منفذه، أو تابع هكذا.",
  no_server: "لا يجيب الملحق هذه الصفحة. ثبّت sse-widget حيث يعمل Jupyter، أو تابع هكذا.",
};

/**
 * Returns the text for a state or an error code.
 *
 * @param {string} code one that is not known is said as it is
 * @param {string} [lang] a language tag; Arabic for `ar…`, else English
 * @param {Params} [params] `waiting` takes `attempt` and `seconds`
 */
export function say(code, lang = "en", params = {}) {
  const texts = /^ar\b/i.test(lang) ? ARABIC : ENGLISH;
  const { error } = texts;
  const text = Object.hasOwn(texts, code) ? texts[code] : undefined;
  if (text === undefined) {
    return `${error}: ${code}`;
  }
  return typeof text === "string" ? text : text(params);
}

/**
 * "In so many seconds": Arabic nouns change with their number.
 *
 * @param {number} seconds
 */
function arabicSeconds(seconds) {
  if (seconds < 1) {
    return "الآن";
  }
  if (seconds === 1) {
    return "بعد ثانية";
  }
  if (seconds === 2) {
    return "بعد ثانيتين";
  }
  const few = seconds % 100 >= 3 && seconds % 100 <= 10;
  return `بعد ${seconds} ${few ? "ثوانٍ" : "ثانية"}`;
}
