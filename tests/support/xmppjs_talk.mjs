// A play for two users of @xmpp/client: login, roster, subscription, chat, what waits, resumption.
//
//   node xmppjs_talk.mjs HOST PORT DOMAIN NAME:PASSWORD NAME:PASSWORD
//
// It knows no server. Each step says "ok STEP"; the first that fails ends it with exit code 1. Exit code 69: the
// library is not installed (XB_NODE_MODULES names the folder that it is in).

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const STEP_MAX_MS = 20_000;

let library;
try {
  const require = createRequire(path.join(process.env.XB_NODE_MODULES ?? process.cwd(), "any.js"));
  library = await import(pathToFileURL(require.resolve("@xmpp/client")));
} catch (error) {
  console.log(`@xmpp/client is not installed: ${error.message}`);
  process.exit(69);
}
const { client, xml } = library;
const [host, port, domain, ...users] = process.argv.slice(2);

class Actor {
  constructor(user) {
    const [username, password] = user.split(":");
    this.bare = `${username}@${domain}`;
    this.client = client({ service: `xmpp://${host}:${port}`, domain, username, password, resource: "js" });
    this.seen = [];
    this.waiting = [];
    this.client.on("stanza", (stanza) => this.see(stanza));
    this.client.on("error", () => {});
    this.client.reconnect.delay = 50;
  }

  see(stanza) {
    this.seen.push(stanza);
    this.waiting = this.waiting.filter((look) => !look());
  }

  // The next stanza that fits, also one that has come already; each is found once.
  expect(what, fits) {
    return within(what, new Promise((resolve) => {
      const look = () => {
        const at = this.seen.findIndex(fits);
        if (at < 0) return false;
        resolve(this.seen.splice(at, 1)[0]);
        return true;
      };
      if (!look()) this.waiting.push(look);
    }));
  }

  send(stanza) {
    return this.client.send(stanza);
  }

  ask(payload, type = "get", to) {
    return within(`answer to ${payload.name}`, this.client.iqCaller.request(xml("iq", { type, to }, payload)));
  }
}

function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came of: ${what}`)), STEP_MAX_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

const isMessage = (body) => (stanza) => stanza.is("message") && stanza.getChildText("body") === body;
const isPresence = (from, type) => (stanza) =>
  stanza.is("presence") && stanza.attrs.from?.split("/")[0] === from && stanza.attrs.type === type;
const ok = (step) => console.log(`ok ${step}`);

async function play() {
  const [a, b] = users.map((user) => new Actor(user));
  for (const actor of [a, b]) {
    await within("login", actor.client.start());
    await actor.ask(xml("query", { xmlns: "jabber:iq:roster" }));
    await actor.send(xml("presence"));
  }
  ok("login and roster");

  await a.send(xml("presence", { type: "subscribe", to: b.bare }));
  await b.expect("a request", isPresence(a.bare, "subscribe"));
  await b.send(xml("presence", { type: "subscribed", to: a.bare }));
  await a.expect("the grant", isPresence(b.bare, "subscribed"));
  await a.expect("presence", isPresence(b.bare, undefined));
  const roster = await a.ask(xml("query", { xmlns: "jabber:iq:roster" }));
  const item = roster.getChild("query").getChildren("item").find((i) => i.attrs.jid === b.bare);
  if (item?.attrs.subscription !== "to") throw new Error(`subscription is ${item?.attrs.subscription}`);
  ok("subscription");

  await a.send(xml("message", { type: "chat", to: b.bare }, xml("body", {}, "hello")));
  await b.expect("a message", isMessage("hello"));
  ok("chat");

  await within("logout", b.client.stop());
  await a.expect("the end of presence", isPresence(b.bare, "unavailable"));
  await a.send(xml("message", { type: "chat", to: b.bare }, xml("body", {}, "later")));
  await a.ask(xml("ping", { xmlns: "urn:xmpp:ping" }), "get", domain);
  const again = new Actor(users[1]);
  await within("login", again.client.start());
  await again.send(xml("presence"));
  const late = await again.expect("what waited", isMessage("later"));
  if (!late.getChild("delay", "urn:xmpp:delay")) throw new Error("it does not say that it is late");
  ok("what waits");

  if (again.client.streamManagement.enabled) {
    const resumed = new Promise((resolve) => again.client.streamManagement.on("resumed", resolve));
    again.client.socket.destroy?.();
    again.client.socket.socket?.destroy?.();
    await a.send(xml("message", { type: "chat", to: b.bare }, xml("body", {}, "meanwhile")));
    await within("resumption", resumed);
    await again.expect("what came meanwhile", isMessage("meanwhile"));
    ok("resumption");
  }
  await Promise.all([a, again].map((actor) => within("logout", actor.client.stop())));
  ok("goodbye");
}

try {
  await play();
  process.exit(0);
} catch (error) {
  console.log(`failed: ${error.stack}`);
  process.exit(1);
}
