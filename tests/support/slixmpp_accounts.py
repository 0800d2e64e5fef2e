#!/usr/bin/env python3
"""slixmpp registers an account, an administrator adds and deletes others; whatever is not as XEP-0077, XEP-0050 and
XEP-0133 have it ends the script.

usage: slixmpp_accounts.py HOST PORT DOMAIN ADMIN:PASSWORD

It sends in clear. Exit codes: 0 all steps passed, 1 a step failed (one line says which), 69 slixmpp is not installed.
"""

import asyncio
import logging
import os
import sys

try:
    import slixmpp
    from slixmpp.exceptions import IqError
except ImportError:
    print("slixmpp is not installed")
    sys.exit(69)

STEP_SECONDS = 30  # nothing here takes one; a loaded machine gets time
ADMIN = "http://jabber.org/protocol/admin#"


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, password, mechanism, registers=False):
        super().__init__(jid, password, sasl_mech=mechanism, plugin_config={
            "feature_mechanisms": {"unencrypted_plain": True, "unencrypted_scram": True},
        })
        self.enable_direct_tls = False
        self.enable_starttls = False
        self.enable_plaintext = True
        for plugin in ("xep_0004", "xep_0030", "xep_0050", "xep_0077", "xep_0133"):
            self.register_plugin(plugin)
        self.settled = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
        self.form = None
        self.add_event_handler("session_start", lambda _: self._settle("ok"))
        self.add_event_handler("failed_all_auth", lambda _: self._settle("refused"))
        self.add_event_handler("connection_failed", lambda why: self._settle(f"no connection: {why}"))
        self.add_event_handler("stream_error", lambda error: self._end(error["condition"]))
        if registers:
            self.add_event_handler("register", self._register)

    async def _register(self, form):
        """What slixmpp was told to do with the server's form before it logs in."""
        self.form = form
        iq = self.Iq()
        iq["type"] = "set"
        iq["register"]["username"] = self.boundjid.user
        iq["register"]["password"] = self.password
        try:
            await iq.send()
        except IqError as error:
            self._settle(error.condition)

    def _settle(self, outcome):
        if not self.settled.done():
            self.settled.set_result(outcome)

    def _end(self, condition):
        if not self.ended.done():
            self.ended.set_result(condition)

    async def log_in(self, host, port):
        # slixmpp 1.8 wants the address as one value, 1.17 as two.
        try:
            self.connect(host, port)
        except TypeError:
            self.connect((host, port), disable_starttls=True)
        return await self.settled

    async def administrate(self, name, fields):
        """Runs a command the way slixmpp has it; the completed answer, or the error's condition."""
        outcome = asyncio.get_running_loop().create_future()

        def on_form(iq, session):
            form = iq["command"]["form"]
            known = form.get_fields()
            form["type"] = "submit"
            for var, value in fields.items():
                expect(var in known, f"{name} has no field {var}")
                form.get_fields()[var]["value"] = value
            session["payload"] = form
            session["next"] = lambda iq, session: outcome.set_result(iq)
            self.plugin["xep_0050"].complete_command(session)

        def on_error(iq, session):
            outcome.set_result(iq["error"]["condition"])

        command = getattr(self.plugin["xep_0133"], name.replace("-", "_"))
        command(session={"next": on_form if fields is not None else lambda iq, _: outcome.set_result(iq), "error": on_error})
        return await outcome


class Accounts:
    """The steps, in order; each may rely on what the ones before it set up."""

    def __init__(self, host, port, domain, admin):
        self.host, self.port, self.domain = host, port, domain
        self.admin_account = admin
        self.admin = self.user = self.added = None

    def client(self, name, password, mechanism, **more):
        return Client(f"{name}@{self.domain}/r", password, mechanism, **more)

    async def step_register(self):
        self.user = self.client("slix", "first", "SCRAM-SHA-1", registers=True)
        outcome = await self.user.log_in(self.host, self.port)
        expect(outcome == "ok", f"registration and login: {outcome}")
        fields = self.user.form["register"]["fields"]
        expect({"username", "password"} <= set(fields), f"fields {fields}")

    async def step_register_again(self):
        other = self.client("slix", "other", "SCRAM-SHA-1", registers=True)
        outcome = await other.log_in(self.host, self.port)
        expect(outcome == "conflict", f"outcome {outcome}")
        other.abort()

    async def step_registered(self):
        form = (await self.user.plugin["xep_0077"].get_registration(jid=self.domain))["register"]
        expect(form["registered"], "who is registered is told so")
        expect(form["username"] == "slix", f"username {form['username']}")

    async def step_change_password(self):
        await self.user.plugin["xep_0077"].change_password("second", jid=self.domain)
        late = self.client("slix", "first", "SCRAM-SHA-1")
        expect(await late.log_in(self.host, self.port) == "refused", "the old password")
        late.abort()
        new = self.client("slix", "second", "PLAIN")
        new.requested_jid = slixmpp.JID(f"slix@{self.domain}/other")
        expect(await new.log_in(self.host, self.port) == "ok", "the new password")
        new.disconnect()

    async def step_commands_are_hidden(self):
        items = (await self.user.plugin["xep_0133"].get_commands())["disco_items"]["items"]
        expect(not items, f"nobody else sees {items}")
        answer = await self.user.administrate("add-user", {})
        expect(answer == "forbidden", f"answer {answer}")

    async def step_commands_are_listed(self):
        name, password = self.admin_account
        self.admin = self.client(name, password, "SCRAM-SHA-1")
        expect(await self.admin.log_in(self.host, self.port) == "ok", "the administrator logs in")
        items = (await self.admin.plugin["xep_0133"].get_commands())["disco_items"]["items"]
        nodes = {node for _, node, _ in items}
        expect(f"{ADMIN}add-user" in nodes and f"{ADMIN}delete-user" in nodes, f"nodes {nodes}")
        info = (await self.admin.plugin["xep_0030"].get_info(jid=self.domain, node=f"{ADMIN}add-user"))["disco_info"]
        expect("http://jabber.org/protocol/commands" in info["features"], "the node's feature")

    async def step_add_user(self):
        jid = f"added@{self.domain}"
        fields = {"accountjid": jid, "password": "pw", "password-verify": "pw"}
        answer = await self.admin.administrate("add-user", fields)
        expect(answer["command"]["status"] == "completed", f"answer {answer}")
        await self.expect_conflict(fields)
        self.added = self.client("added", "pw", "PLAIN")
        expect(await self.added.log_in(self.host, self.port) == "ok", "the new account")

    async def expect_conflict(self, fields):
        """The same, stanza by stanza."""
        commands, node = self.admin.plugin["xep_0050"], f"{ADMIN}add-user"
        command = (await commands.send_command(self.domain, node))["command"]
        form = self.admin.plugin["xep_0004"].make_form(ftype="submit")
        for var, value in fields.items():
            form.add_field(var=var, value=value)
        try:
            await commands.send_command(
                self.domain, node, action="complete", payload=form, sessionid=command["sessionid"])
        except IqError as error:
            expect(error.condition == "conflict", f"condition {error.condition}")
        else:
            raise AssertionError("the same name twice")

    async def step_count_users(self):
        answer = await self.admin.administrate("get-registered-users-num", None)
        values = answer["command"]["form"].get_values()
        expect(values.get("registeredusersnum") == "3", f"values {values}")

    async def step_delete_user(self):
        answer = await self.admin.administrate("delete-user", {"accountjids": [f"added@{self.domain}"]})
        expect(answer["command"]["status"] == "completed", f"answer {answer}")
        expect(await self.added.ended == "not-authorized", "its stream ends")
        late = self.client("added", "pw", "PLAIN")
        expect(await late.log_in(self.host, self.port) == "refused", "the account is gone")
        late.abort()

    async def step_cancel_registration(self):
        answer = await self.user.plugin["xep_0077"].cancel_registration(jid=self.domain)
        expect(answer["type"] == "result", f"answer {answer}")
        expect(await self.user.ended == "not-authorized", "its stream ends")

    async def step_goodbye(self):
        closed = self.admin.wait_until("disconnected", STEP_SECONDS)
        self.admin.disconnect()
        await closed

    async def run(self):
        for step in (
            self.step_register, self.step_register_again, self.step_registered, self.step_change_password,
            self.step_commands_are_hidden, self.step_commands_are_listed, self.step_add_user,
            self.step_count_users, self.step_delete_user, self.step_cancel_registration, self.step_goodbye,
        ):
            name = step.__name__.removeprefix("step_")
            try:
                await asyncio.wait_for(step(), STEP_SECONDS)
            except Exception as error:  # whatever it is, the step failed
                print(f"FAILED {name}: {error or type(error).__name__}")
                return 1
            print(f"ok {name}", flush=True)
        return 0


def main():
    if len(sys.argv) != 5:
        print(__doc__)
        return 2
    if os.environ.get("XB_TRACE"):
        logging.basicConfig(level=logging.DEBUG, format="%(message)s")
    host, port, domain, admin = sys.argv[1], int(sys.argv[2]), sys.argv[3], tuple(sys.argv[4].split(":", 1))
    return asyncio.run(Accounts(host, port, domain, admin).run())


if __name__ == "__main__":
    sys.exit(main())
