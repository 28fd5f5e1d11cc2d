"""What is said of the way to the server."""

from __future__ import annotations

from sse_widget.diagnosis.words.language import Case, Words

CASES = {
    "name.found": Case(
        Words("{host} is {addresses} ({took_ms:.0f} ms)", "الاسم {host} عنوانه {addresses} ({took_ms:.0f} م‌ث)")
    ),
    "name.number": Case(
        Words("{host} is an address; no name is looked up", "{host} عنوان رقمي؛ لا حاجة إلى البحث عن اسم")
    ),
    "name.unknown": Case(
        Words("the name {host} has no address: {detail}", "لا عنوان للاسم {host}: {detail}"),
        Words(
            "Check the spelling of the host. If it exists in your company's network or VPN only, connect "
            "to that first.",
            "تحقق من كتابة اسم المضيف. وإن كان معروفًا داخل شبكة المؤسسة أو شبكتها الافتراضية فقط فاتصل بها أولًا.",
        ),
    ),
    "connection.made": Case(
        Words(
            "connected to {address} port {port} in {took_ms:.0f} ms",
            "تم الاتصال بـ {address} المنفذ {port} خلال {took_ms:.0f} م‌ث",
        )
    ),
    "connection.partly": Case(
        Words("{good} answers, {bad} does not", "يجيب {good} ولا يجيب {bad}"),
        Words(
            "Take the addresses that do not answer out of the DNS entry, or let the server listen on them, too; "
            "until then some readers wait for a time-out first.",
            "احذف العناوين التي لا تجيب من سجل DNS أو اجعل الخادم يستمع عليها أيضًا؛ وإلا انتظر بعض "
            "القراء انقضاء المهلة أولًا.",
        ),
    ),
    "connection.refused": Case(
        Words("nothing listens on {address} port {port}", "لا شيء يستمع على {address} المنفذ {port}"),
        Words(
            "Start the server, or mend the port in the URL.",
            "شغّل الخادم أو صحّح رقم المنفذ في الرابط.",
        ),
    ),
    "connection.timeout": Case(
        Words(
            "{address} port {port} did not answer for {after_s:.0f} s, which is how a firewall looks",
            "لم يجب {address} المنفذ {port} مدة {after_s:.0f} ث، وهذا ما يفعله جدار الحماية عادةً",
        ),
        Words(
            "Open the port in the firewall or security group, or go through the network's VPN or proxy.",
            "افتح المنفذ في جدار الحماية أو مجموعة الأمان، أو اتصل عبر الشبكة الافتراضية أو الوكيل.",
        ),
    ),
    "connection.failed": Case(
        Words("{address} port {port} cannot be reached: {detail}", "تعذّر الوصول إلى {address} المنفذ {port}: {detail}"),
        Words("Check the network of this machine and the address.", "تحقق من شبكة هذا الجهاز ومن العنوان."),
    ),
    "encryption.here": Case(
        Words("plain HTTP, which stays on this machine", "اتصال HTTP غير مشفّر لا يغادر هذا الجهاز")
    ),
    "encryption.plain": Case(
        Words(
            "plain HTTP to {host}: everyone on the way can read the answers",
            "اتصال HTTP غير مشفّر إلى {host}: كل من في الطريق يستطيع قراءة الإجابات",
        ),
        Words(
            "Serve it by https. Pages that came by https (JupyterHub, Colab) may not even ask an http "
            "server: browsers "
            "block mixed content.",
            "قدّمه عبر https. الصفحات التي وصلت عبر https (مثل JupyterHub وColab) لا يُسمح لها أصلًا "
            "بسؤال خادم http لأن المتصفح "
            "يمنع المحتوى المختلط.",
        ),
    ),
    "encryption.good": Case(
        Words(
            "{version}, certificate of {issuer} for {days:.0f} more days, offers {protocol}",
            "{version}، شهادة من {issuer} بقي من صلاحيتها (بالأيام) {days:.0f}، والبروتوكول المعروض {protocol}",
        )
    ),
    "encryption.soon": Case(
        Words(
            "the certificate of {issuer} runs out in {days:.0f} days",
            "بقي من صلاحية شهادة {issuer} (بالأيام) {days:.0f}",
        ),
        Words(
            "Renew it now, and see why that did not happen by itself.", "جدّدها الآن وابحث عن سبب عدم تجديدها تلقائيًا."
        ),
    ),
    "encryption.expired": Case(
        Words("the certificate of {host} has expired", "انتهت صلاحية شهادة {host}"),
        Words(
            "Renew it (`certbot renew`, or restart Caddy), then reload the proxy.",
            "جدّدها (`certbot renew` أو أعد تشغيل Caddy) ثم أعد تحميل الوكيل.",
        ),
    ),
    "encryption.not_yet": Case(
        Words("the certificate of {host} is not valid yet", "شهادة {host} لم يبدأ سريانها بعد"),
        Words(
            "Set the clock of this machine, or of the one that made the certificate.",
            "اضبط ساعة هذا الجهاز أو ساعة الجهاز الذي أصدر الشهادة.",
        ),
    ),
    "encryption.wrong_name": Case(
        Words("the certificate is not for {host}: {detail}", "الشهادة ليست للمضيف {host}: {detail}"),
        Words(
            "Use a name that the certificate holds, or get one for this name.",
            "استعمل اسمًا مذكورًا في الشهادة أو احصل على شهادة لهذا الاسم.",
        ),
    ),
    "encryption.untrusted": Case(
        Words(
            "nobody known vouches for the certificate of {host}: {detail}", "لا جهة معروفة تضمن شهادة {host}: {detail}"
        ),
        Words(
            "Serve the whole chain, or use a public authority. For a company's own authority, name its file in "
            "`SSL_CERT_FILE` for Python, and install it in the browser.",
            "قدّم سلسلة الشهادات كاملة أو استعمل جهة إصدار عامة. وإن كانت الجهة داخلية فاذكر ملفها في "
            "المتغير `SSL_CERT_FILE` "
            "لبايثون وثبّتها في المتصفح.",
        ),
    ),
    "encryption.none": Case(
        Words(
            "port {port} of {host} speaks plain HTTP, not https",
            "المنفذ {port} على {host} يتكلم HTTP غير مشفّر لا https",
        ),
        Words(
            "Write `http://` in the URL, or the port that speaks https.",
            "اكتب `http://` في الرابط أو المنفذ الذي يتكلم https.",
        ),
    ),
    "encryption.failed": Case(
        Words("no encrypted connection: {detail}", "تعذّر إنشاء اتصال مشفّر: {detail}"),
        Words("The server's TLS settings must allow TLS 1.2 or 1.3.", "يجب أن تسمح إعدادات الخادم بـ TLS 1.2 أو 1.3."),
    ),
    "redirects.none": Case(Words("none", "لا شيء")),
    "redirects.some": Case(
        Words("{status}: {chain}", "{status}: {chain}"),
        Words(
            "Use {location} directly: 301, 302 and 303 turn a POST into a GET, and a token is not sent on "
            "to another "
            "origin.",
            "استعمل {location} مباشرةً: تحوّل 301 و302 و303 طلب POST إلى GET، ولا يُرسل الرمز إلى أصل آخر.",
        ),
    ),
    "redirects.loop": Case(
        Words("it goes round in circles: {chain}", "التحويل يدور في حلقة: {chain}"),
        Words(
            "Usually a proxy ends TLS and the server behind it redirects to https again: pass "
            "X-Forwarded-Proto on, or "
            "set the mode that keeps TLS up to the server (at Cloudflare: Full).",
            "غالبًا ينهي الوكيل TLS ثم يعيد الخادم خلفه التحويل إلى https: مرّر X-Forwarded-Proto أو اختر "
            "الوضع الذي يبقي TLS حتى "
            "الخادم (في Cloudflare: Full).",
        ),
    ),
    "redirects.lost": Case(
        Words("{url} answers {status} without saying where to go", "يجيب {url} بالحالة {status} دون ذكر الوجهة"),
        Words("The response needs a Location header.", "يجب أن يحمل الرد ترويسة Location."),
    ),
    "redirects.downgrade": Case(
        Words(
            "{url} leads to {location}, from https back to http", "يقود {url} إلى {location} أي من https رجوعًا إلى http"
        ),
        Words(
            "Browsers block this. Let the server know that it is behind https (X-Forwarded-Proto), so "
            "that it builds "
            "https addresses.",
            "يمنع المتصفح ذلك. أعلم الخادم أنه خلف https عبر X-Forwarded-Proto كي يبني عناوين https.",
        ),
    ),
}
