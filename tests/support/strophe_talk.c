/* A play for two users of libstrophe, the library of profanity: login, roster, subscription, chat, what waits, resumption.
 *
 *   strophe_talk HOST PORT NAME@DOMAIN PASSWORD NAME@DOMAIN PASSWORD
 *
 * It knows no server. Each step says "ok STEP"; the first that fails, or takes 20 s, ends it with exit code 1.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <strophe.h>

#define STEP_MAX_MS 20000
#define SEEN_MAX 64

/* What came, until somebody asks for it: its name, type, the sender's bare JID, and a body or an id. */
struct seen {
    char name[16], type[16], from[128], text[64];
    int is_late;
};

struct actor {
    xmpp_conn_t *conn;
    const char *jid, *password;
    xmpp_sm_state_t *session;
    struct seen seen[SEEN_MAX];
    int seen_count, is_up, socket;
};

static xmpp_ctx_t *ctx;
static const char *host;
static unsigned short port;
static struct actor alice, bob;

static void fail(const char *what)
{
    printf("FAILED %s\n", what);
    exit(1);
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static int on_stanza(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *userdata)
{
    struct actor *me = userdata;
    struct seen *seen = &me->seen[me->seen_count];
    const char *slash, *from = xmpp_stanza_get_from(stanza), *name = xmpp_stanza_get_name(stanza);
    char *body;
    (void)conn;
    if (strcmp(name, "message") != 0 && strcmp(name, "presence") != 0 && strcmp(name, "iq") != 0)
        return 1;
    body = xmpp_message_get_body(stanza);
    if (me->seen_count == SEEN_MAX - 1)
        fail("too much came that nobody expected");
    copy(seen->name, sizeof seen->name, name);
    copy(seen->type, sizeof seen->type, xmpp_stanza_get_type(stanza));
    copy(seen->from, sizeof seen->from, from);
    if (from && (slash = strchr(seen->from, '/')))
        seen->from[slash - seen->from] = '\0';
    copy(seen->text, sizeof seen->text, body ? body : xmpp_stanza_get_id(stanza));
    seen->is_late = xmpp_stanza_get_child_by_name_and_ns(stanza, "delay", "urn:xmpp:delay") != NULL;
    if (body)
        xmpp_free(ctx, body);
    me->seen_count++;
    return 1;
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error, xmpp_stream_error_t *stream_error,
                          void *userdata)
{
    struct actor *me = userdata;
    (void)error;
    (void)stream_error;
    me->is_up = event == XMPP_CONN_CONNECT;
    if (me->is_up)
        xmpp_handler_add(conn, on_stanza, NULL, NULL, NULL, me);
    if (event == XMPP_CONN_DISCONNECT)
        me->session = xmpp_conn_get_sm_state(conn);
}

static int on_socket(xmpp_conn_t *conn, void *sock)
{
    *(alice.conn == conn ? &alice.socket : &bob.socket) = *(int *)sock;
    return 0;
}

static void wait_until(const char *what, int (*is_so)(const void *), const void *of)
{
    long until = now_ms() + STEP_MAX_MS;
    while (!is_so(of)) {
        if (now_ms() > until)
            fail(what);
        xmpp_run_once(ctx, 10);
    }
}

static int is_up(const void *actor) { return ((const struct actor *)actor)->is_up; }
static int is_down(const void *actor) { return !((const struct actor *)actor)->is_up; }

static void connect_as(struct actor *me, xmpp_sm_state_t *session)
{
    me->conn = xmpp_conn_new(ctx);
    xmpp_conn_set_flags(me->conn, XMPP_CONN_FLAG_DISABLE_TLS);
    xmpp_conn_set_jid(me->conn, me->jid);
    xmpp_conn_set_pass(me->conn, me->password);
    xmpp_conn_set_sockopt_callback(me->conn, on_socket);
    if (session && xmpp_conn_set_sm_state(me->conn, session) != XMPP_EOK)
        fail("the library takes its own session back");
    if (xmpp_connect_client(me->conn, host, port, on_connection, me) != XMPP_EOK)
        fail("connect");
    wait_until("login", is_up, me);
}

static void hang_up(struct actor *me)
{
    xmpp_disconnect(me->conn);
    wait_until("logout", is_down, me);
    xmpp_conn_release(me->conn);
}

/* The next one that fits, also one that has come already; each is found once. */
static struct seen expect(struct actor *me, const char *name, const char *type, const char *from, const char *text)
{
    long until = now_ms() + STEP_MAX_MS;
    for (;;) {
        for (int i = 0; i < me->seen_count; i++) {
            struct seen found = me->seen[i];
            if (strcmp(found.name, name) == 0 && strcmp(found.type, type) == 0 &&
                (!from || strcmp(found.from, from) == 0) && (!text || strcmp(found.text, text) == 0)) {
                me->seen_count--;
                memmove(&me->seen[i], &me->seen[i + 1], (size_t)(me->seen_count - i) * sizeof *me->seen);
                return found;
            }
        }
        if (now_ms() > until) {
            printf("waited for <%s type='%s'> %s\n", name, type, text ? text : "");
            fail("a stanza that did not come");
        }
        xmpp_run_once(ctx, 10);
    }
}

static void send_presence(struct actor *me, const char *type, const char *to)
{
    xmpp_stanza_t *presence = xmpp_presence_new(ctx);
    if (type)
        xmpp_stanza_set_type(presence, type);
    if (to)
        xmpp_stanza_set_to(presence, to);
    xmpp_send(me->conn, presence);
    xmpp_stanza_release(presence);
}

static void say(struct actor *me, const char *to, const char *body)
{
    xmpp_stanza_t *message = xmpp_message_new(ctx, "chat", to, NULL);
    xmpp_message_set_body(message, body);
    xmpp_send(me->conn, message);
    xmpp_stanza_release(message);
}

static void ask(struct actor *me, const char *id, const char *name, const char *ns)
{
    xmpp_stanza_t *iq = xmpp_iq_new(ctx, "get", id), *query = xmpp_stanza_new(ctx);
    xmpp_stanza_set_name(query, name);
    xmpp_stanza_set_ns(query, ns);
    xmpp_stanza_add_child(iq, query);
    xmpp_stanza_release(query);
    xmpp_send(me->conn, iq);
    xmpp_stanza_release(iq);
    expect(me, "iq", "result", NULL, id);
}

static void befriend(struct actor *one, struct actor *other)
{
    send_presence(one, "subscribe", other->jid);
    expect(other, "presence", "subscribe", one->jid, NULL);
    send_presence(other, "subscribed", one->jid);
    expect(one, "presence", "subscribed", other->jid, NULL);
    expect(one, "presence", "", other->jid, NULL);
}

static void resume(void)
{
    char bound[256];
    copy(bound, sizeof bound, xmpp_conn_get_bound_jid(bob.conn));
    bob.session = NULL;
    shutdown(bob.socket, SHUT_RDWR);
    wait_until("the end of a cut connection", is_down, &bob);
    if (!bob.session)
        fail("a session that can be resumed");
    xmpp_conn_release(bob.conn);
    say(&alice, bob.jid, "while you were cut off");
    ask(&alice, "after-the-cut", "ping", "urn:xmpp:ping");
    connect_as(&bob, bob.session);
    expect(&bob, "message", "chat", alice.jid, "while you were cut off");
    if (strcmp(bound, xmpp_conn_get_bound_jid(bob.conn)) != 0)
        fail("the same resource after resumption");
    /* It sends no presence: only a session that went on is still there for its account. */
    say(&alice, bob.jid, "and afterwards");
    expect(&bob, "message", "chat", alice.jid, "and afterwards");
    for (int i = 0; i < alice.seen_count; i++)
        if (strcmp(alice.seen[i].type, "unavailable") == 0)
            fail("nobody hears of a session that is resumed");
    puts("ok resumption");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 7) {
        fprintf(stderr, "usage: strophe_talk HOST PORT JID PASSWORD JID PASSWORD\n");
        return 2;
    }
    host = argv[1];
    port = (unsigned short)atoi(argv[2]);
    alice.jid = argv[3];
    alice.password = argv[4];
    bob.jid = argv[5];
    bob.password = argv[6];
    xmpp_initialize();
    ctx = xmpp_ctx_new(NULL, NULL);
    connect_as(&alice, NULL);
    connect_as(&bob, NULL);
    puts("ok login");
    ask(&alice, "roster-a", "query", "jabber:iq:roster");
    ask(&bob, "roster-b", "query", "jabber:iq:roster");
    puts("ok roster");
    send_presence(&alice, NULL, NULL);
    send_presence(&bob, NULL, NULL);
    befriend(&alice, &bob);
    befriend(&bob, &alice);
    puts("ok subscription");
    say(&alice, bob.jid, "hello");
    expect(&bob, "message", "chat", alice.jid, "hello");
    say(&bob, alice.jid, "hello yourself");
    expect(&alice, "message", "chat", bob.jid, "hello yourself");
    puts("ok chat");
    hang_up(&bob);
    expect(&alice, "presence", "unavailable", bob.jid, NULL);
    say(&alice, bob.jid, "for later");
    ask(&alice, "after-it", "ping", "urn:xmpp:ping");
    bob.session = NULL;
    connect_as(&bob, NULL);
    send_presence(&bob, NULL, NULL);
    if (!expect(&bob, "message", "chat", alice.jid, "for later").is_late)
        fail("what waited says so");
    puts("ok what waits");
    expect(&alice, "presence", "", bob.jid, NULL);
    resume();
    hang_up(&bob);
    hang_up(&alice);
    xmpp_ctx_free(ctx);
    xmpp_shutdown();
    puts("ok goodbye");
    return 0;
}
