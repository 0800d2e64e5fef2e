#!/usr/bin/env python3
"""Three slixmpp clients talk through an XMPP server; whatever is not as RFC 6121 has it ends the script.

usage: slixmpp_talk.py HOST PORT DOMAIN USER:PASSWORD USER:PASSWORD USER:PASSWORD

It knows no server: the same script runs against ours, Prosody and ejabberd. It needs fresh accounts (empty
rosters) and sends in clear. Exit codes: 0 all steps passed, 1 a step failed (one line says which),
69 slixmpp is not installed.
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
BURST = 200


class Client(slixmpp.ClientXMPP):
    """A client that puts what it receives into queues and answers nothing by itself."""

    def __init__(self, jid, password, mechanism):
        super().__init__(jid, password, sasl_mech=mechanism, plugin_config={
            "feature_mechanisms": {"unencrypted_plain": True, "unencrypted_scram": True},
        })
        self.enable_direct_tls = False
        self.enable_starttls = False
        self.enable_plaintext = True
        for plugin in ("xep_0030", "xep_0092", "xep_0199"):
            self.register_plugin(plugin)
        # None: neither accept nor refuse; the steps below do it, stanza by stanza.
        self.roster.auto_authorize = None
        self.roster.auto_subscribe = False
        self.messages = asyncio.Queue()
        self.presences = asyncio.Queue()
        self.logged_in = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", lambda _: self._settle("ok"))
        self.add_event_handler("failed_all_auth", lambda _: self._settle("refused"))
        self.add_event_handler("connection_failed", lambda why: self._settle(f"no connection: {why}"))
        self.add_event_handler("message", self.messages.put_nowait)
        self.add_event_handler("message_error", lambda _: None)
        self.add_event_handler("presence", self.presences.put_nowait)

    def _settle(self, outcome):
        if not self.logged_in.done():
            self.logged_in.set_result(outcome)

    async def log_in(self, host, port):
        # slixmpp 1.8 wants the address as one value, 1.17 as two.
        try:
            self.connect(host, port)
        except TypeError:
            self.connect((host, port), disable_starttls=True)
        return await self.logged_in

    async def fetch_roster(self):
        """Contact to subscription. Not get_roster(): it sends a version, and an empty reply means "as before"."""
        reply = await self.make_iq_get(queryxmlns="jabber:iq:roster").send()
        expect(reply["type"] == "result", "roster get")
        return {str(jid): item["subscription"] for jid, item in reply["roster"]["items"].items()}

    async def next_presence(self, kind, sender):
        """The next presence of that type from that JID; others (the own ones) are passed over."""
        while True:
            presence = await self.presences.get()
            if presence["type"] in kind and sender in (presence["from"].full, presence["from"].bare):
                return presence


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


async def expect_error(request, condition):
    try:
        await request
    except IqError as error:
        expect(error.condition == condition, f"{condition} expected, got {error.condition}")
    else:
        raise AssertionError(f"{condition} expected, got a result")


class Talk:
    """The steps, in order; each may rely on what the ones before it set up."""

    def __init__(self, host, port, domain, accounts):
        self.host, self.port, self.domain = host, port, domain
        self.accounts = accounts
        self.juliet = self.romeo = self.nurse = None

    def client(self, index, mechanism, resource, password=None):
        name, secret = self.accounts[index]
        return Client(f"{name}@{self.domain}/{resource}", password or secret, mechanism)

    async def step_login_refused(self):
        stranger = self.client(0, "PLAIN", "wrong", password="not-the-password")
        outcome = await stranger.log_in(self.host, self.port)
        stranger.abort()
        expect(outcome == "refused", f"a wrong password must be refused, got {outcome}")

    async def step_login(self):
        self.juliet = self.client(0, "SCRAM-SHA-1", "balcony")
        self.romeo = self.client(1, "PLAIN", "orchard")
        self.nurse = self.client(2, "SCRAM-SHA-256", "chamber")
        for client in (self.juliet, self.romeo, self.nurse):
            outcome = await client.log_in(self.host, self.port)
            expect(outcome == "ok", f"login of {client.requested_jid}: {outcome}")
            expect(client.boundjid.full == client.requested_jid.full, f"bound as {client.boundjid}")

    async def step_roster_is_empty(self):
        for client in (self.juliet, self.romeo):
            contacts = await client.fetch_roster()
            expect(contacts == {}, f"{client.boundjid} starts with {contacts}")

    async def step_service_discovery(self):
        info = (await self.juliet.plugin["xep_0030"].get_info(jid=self.domain))["disco_info"]
        kinds = {(category, kind) for category, kind, *_ in info["identities"]}
        expect(("server", "im") in kinds, f"no server/im among {kinds}")
        expect("http://jabber.org/protocol/disco#info" in info["features"], "the feature disco#info")
        items = await self.juliet.plugin["xep_0030"].get_items(jid=self.domain)
        expect(items["type"] == "result", "disco#items of the server")

    async def step_version(self):
        reply = await self.juliet.plugin["xep_0092"].get_version(self.domain)
        expect(reply["software_version"]["name"], "the server's name")

    async def step_ping(self):
        await self.romeo.plugin["xep_0199"].ping(self.domain)

    async def step_unknown_request(self):
        unknown = self.juliet.make_iq_get(queryxmlns="urn:example:nobody-knows-this", ito=self.domain)
        # RFC 6120 8.3.3.19; ejabberd says feature-not-implemented.
        try:
            await unknown.send()
        except IqError as error:
            known = ("service-unavailable", "feature-not-implemented")
            expect(error.condition in known, error.condition)
        else:
            raise AssertionError("an unknown request must be refused")
        gone = self.juliet.make_iq_get(queryxmlns="jabber:iq:version", ito=f"{self.romeo.boundjid.bare}/gone")
        await expect_error(gone.send(), "service-unavailable")

    async def step_own_presence(self):
        for client in (self.juliet, self.romeo, self.nurse):
            client.send_presence()
            await client.next_presence(("available",), client.boundjid.full)

    async def step_subscribe(self, asker, giver):
        """RFC 6121 3.1: request, approval, roster pushes, then the giver's presence."""
        asker.send_presence_subscription(pto=giver.boundjid.bare, ptype="subscribe")
        await giver.next_presence(("subscribe",), asker.boundjid.bare)
        giver.send_presence_subscription(pto=asker.boundjid.bare, ptype="subscribed")
        await asker.next_presence(("subscribed",), giver.boundjid.bare)
        await asker.next_presence(("available",), giver.boundjid.full)

    async def step_juliet_subscribes(self):
        await self.step_subscribe(self.juliet, self.romeo)

    async def step_romeo_subscribes(self):
        await self.step_subscribe(self.romeo, self.juliet)

    async def step_roster_says_both(self):
        for client, other in ((self.juliet, self.romeo), (self.romeo, self.juliet)):
            contacts = await client.fetch_roster()
            expect(contacts == {other.boundjid.bare: "both"}, f"{client.boundjid} has {contacts}")

    async def step_ping_each_other(self):
        """Only now: a server SHOULD NOT deliver requests of who has no presence from the recipient (8.5.3.1)."""
        await self.romeo.plugin["xep_0199"].ping(self.juliet.boundjid.full)
        await self.juliet.plugin["xep_0199"].ping(self.romeo.boundjid.full)

    async def step_presence_change(self):
        self.juliet.send_presence(pshow="away", pstatus="at the ball <&>")
        seen = await self.romeo.next_presence(("away",), self.juliet.boundjid.full)
        expect(seen["status"] == "at the ball <&>", f"status {seen['status']!r}")

    async def step_chat(self):
        body = "Art thou not Romeo, & a Montague? <3 \U0001f339 \u00e9 ]]>"
        for sender, receiver, to in (
            (self.juliet, self.romeo, self.romeo.boundjid.full),
            (self.romeo, self.juliet, self.juliet.boundjid.bare),
        ):
            sender.send_message(mto=to, mbody=body, mtype="chat")
            message = await receiver.messages.get()
            expect(message["body"] == body, f"body {message['body']!r}")
            expect(message["from"].full == sender.boundjid.full, f"from {message['from']}")
            expect(message["type"] == "chat", f"type {message['type']}")

    async def step_chat_burst_keeps_order(self):
        pairs = ((self.juliet, self.romeo), (self.romeo, self.juliet))
        for number in range(BURST):
            for sender, receiver in pairs:
                sender.send_message(mto=receiver.boundjid.full, mbody=str(number), mtype="chat")
        for _, receiver in pairs:
            bodies = [(await receiver.messages.get())["body"] for _ in range(BURST)]
            expect(bodies == [str(number) for number in range(BURST)], f"order: {bodies}")

    async def step_message_to_nobody(self):
        """RFC 6121 8.5.1: an account that does not exist."""
        answer = asyncio.get_running_loop().create_future()
        self.juliet.add_event_handler("message_error", answer.set_result, disposable=True)
        self.juliet.send_message(mto=f"nobody-here@{self.domain}", mbody="hello", mtype="chat")
        condition = (await answer)["error"]["condition"]
        expect(condition == "service-unavailable", f"condition {condition}")

    async def step_directed_presence(self):
        """RFC 6121 4.6: to somebody who is not subscribed."""
        self.juliet.send_presence(pto=self.nurse.boundjid.bare, pstatus="come hither")
        seen = await self.nurse.next_presence(("available",), self.juliet.boundjid.full)
        expect(seen["status"] == "come hither", f"status {seen['status']!r}")

    async def step_unavailable_on_disconnect(self):
        """RFC 6121 4.5.2 for the subscribed, 4.6.3 for who had directed presence."""
        jid = self.juliet.boundjid.full
        self.juliet.disconnect()
        for client in (self.romeo, self.nurse):
            await client.next_presence(("unavailable",), jid)

    async def step_goodbye(self):
        for client in (self.romeo, self.nurse):
            closed = client.wait_until("disconnected", STEP_SECONDS)
            client.disconnect()
            await closed

    async def run(self):
        for step in (
            self.step_login_refused, self.step_login, self.step_roster_is_empty, self.step_service_discovery,
            self.step_version, self.step_ping, self.step_unknown_request, self.step_own_presence,
            self.step_juliet_subscribes, self.step_romeo_subscribes, self.step_roster_says_both,
            self.step_ping_each_other, self.step_presence_change, self.step_chat, self.step_chat_burst_keeps_order,
            self.step_message_to_nobody, self.step_directed_presence, self.step_unavailable_on_disconnect,
            self.step_goodbye,
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
    if len(sys.argv) != 7:
        print(__doc__)
        return 2
    if os.environ.get("XB_TRACE"):
        logging.basicConfig(level=logging.DEBUG, format="%(message)s")
    host, port, domain = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    accounts = [tuple(account.split(":", 1)) for account in sys.argv[4:]]
    return asyncio.run(Talk(host, port, domain, accounts).run())


if __name__ == "__main__":
    sys.exit(main())
