"""`/api/v1/session`: a page exchanges its one-time link for a cookie, gives it back, or asks for another link."""

from __future__ import annotations

from typing import ClassVar

from sse_server.errors import ServerError, Words
from sse_server.guards.access import PAGE
from sse_server.guards.sessions import COOKIE_LIFETIME_S, LINK_LIFETIME_S
from sse_server.guards.validation import body_fields, refuse_unknown
from sse_server.handlers.base import Route, refusing

NO_LINK = Words(
    "a JSON Web Token signs no page in, for the page would stay signed in when the token is over",
    "لا يُدخل رمز JSON Web Token صفحةً، لأن الصفحة ستبقى مسجّلة الدخول بعد انتهاء الرمز",
)


class SessionHandler(Route):
    """Signs a page in and out. The cookie is HttpOnly, so no script can take it away, and never leaves this site."""

    access = PAGE

    @refusing
    async def post(self) -> None:
        """Take `{link}`, once."""
        fields = body_fields(self.request.body or b"{}")
        refuse_unknown(fields, frozenset({"link"}), connection=False)
        link = fields.get("link")
        cookie = self.services.sessions.exchange(link) if isinstance(link, str) else None
        if cookie is None:
            raise ServerError("bad_link")
        lifetime_s, secure = int(COOKIE_LIFETIME_S), self.own_origin.startswith("https:")
        self.set_cookie(
            self.cookie_name, cookie, path="/", max_age=lifetime_s, httponly=True, samesite="Strict", secure=secure
        )
        self._done()

    @refusing
    async def delete(self) -> None:
        """Forget the cookie, and take it back: a copy of it opens nothing any more."""
        self.services.sessions.sign_out(self.get_cookie(self.cookie_name, ""))
        self.clear_cookie(self.cookie_name, path="/", httponly=True, samesite="Strict")
        self._done()

    def _done(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_status(204)
        self.finish()


class LinkHandler(Route):
    """A new link for whoever proves to be a principal: for the next browser, or when the first link is over."""

    access: ClassVar = {"POST": "start"}

    @refusing
    async def post(self) -> None:
        """Answer with the link. What it opens is in the fragment, which browsers send to no server and no log has."""
        name = self.principal.name or ""
        if not self.services.gate.keeps(name):
            raise ServerError("forbidden", detail=NO_LINK)
        link = self.services.sessions.link(name)
        url = f"{self.own_origin}{self.services.prefix}/#link={link}"
        self.send_json({"url": url, "expires_s": int(LINK_LIFETIME_S)}, 201)
