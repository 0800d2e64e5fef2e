#!/usr/bin/env python3
"""A slixmpp client loses its connection and resumes its stream (XEP-0198); another one writes to it all the time.

usage: slixmpp_resume.py HOST PORT DOMAIN USER:PASSWORD USER:PASSWORD

It knows no server. It needs two accounts and sends in clear. Exit codes: 0 all steps passed, 1 a step failed (one line
says which), 69 slixmpp is not installed.
"""

import asyncio
import sys

from slixmpp_talk import STEP_SECONDS, Client, expect

ROUNDS = 5
MESSAGES = 40


def client(account, domain, resource):
    name, password = account
    made = Client(f"{name}@{domain}/{resource}", password, "SCRAM-SHA-1")
    made.register_plugin("xep_0198")
    return made


async def resume(one, host, port):
    """Cuts the connection off and comes back."""
    gone = one.wait_until("disconnected", STEP_SECONDS)
    one.transport.abort()
    await gone
    resumed = asyncio.get_running_loop().create_future()
    one.add_event_handler("session_resumed", lambda _: resumed.done() or resumed.set_result(True))
    one.add_event_handler("sm_failed", lambda _: resumed.done() or resumed.set_result(False))
    try:
        one.connect(host, port)
    except TypeError:
        one.connect((host, port), disable_starttls=True)
    expect(await resumed, "the stream was not resumed")


async def talk(host, port, domain, accounts):
    juliet, romeo = client(accounts[0], domain, "balcony"), client(accounts[1], domain, "orchard")
    for one in (juliet, romeo):
        enabled = one.wait_until("sm_enabled", STEP_SECONDS)
        outcome = await one.log_in(host, port)
        expect(outcome == "ok", f"login of {one.requested_jid}: {outcome}")
        await enabled
        one.send_presence()
    print("ok login", flush=True)
    expect(romeo.plugin["xep_0198"].sm_id, "an id to resume with")
    number = 0
    for _ in range(ROUNDS):
        for _ in range(MESSAGES):
            juliet.send_message(mto=romeo.boundjid.full, mbody=str(number), mtype="chat")
            number += 1
        # Some have arrived, some are under way, and some come while nobody is there.
        await romeo.messages.get()
        first = number - MESSAGES
        await resume(romeo, host, port)
        for expected in range(first + 1, number):
            body = (await romeo.messages.get())["body"]
            expect(body == str(expected), f"message {expected}, got {body}")
    print("ok resume", flush=True)
    romeo.send_message(mto=juliet.boundjid.full, mbody="still here", mtype="chat")
    message = await juliet.messages.get()
    expect(message["from"].full == romeo.requested_jid.full, f"from {message['from']}")
    expect(romeo.messages.empty(), "a message came twice")
    print("ok same resource", flush=True)
    acked = asyncio.get_running_loop().create_future()
    romeo.add_event_handler("stanza_acked", lambda _: acked.done() or acked.set_result(True))
    romeo.plugin["xep_0198"].request_ack()
    await acked
    print("ok acknowledged", flush=True)
    for one in (romeo, juliet):
        closed = one.wait_until("disconnected", STEP_SECONDS)
        one.disconnect()
        await closed
    print("ok goodbye", flush=True)


def main():
    if len(sys.argv) != 6:
        print(__doc__)
        return 2
    host, port, domain = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    accounts = [tuple(account.split(":", 1)) for account in sys.argv[4:]]
    try:
        asyncio.run(asyncio.wait_for(talk(host, port, domain, accounts), 2 * STEP_SECONDS))
    except Exception as error:  # whatever it is, the step behind the last "ok" failed
        print(f"FAILED {error or type(error).__name__}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
