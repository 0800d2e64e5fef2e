//! How a client with stream management comes to a session: it binds a resource and enables it, or resumes.
//!
//! What the server must and may answer is in [`super::lifetimes`].

use std::time::Duration;

use xmpp_bench::time::Nanos;
use xmpp_bench::xml::Node;

use super::actor::bind;
use super::device::{Answer, H, Id, Over, Phase, Session, WINDOW_MAX};
use super::device_link::{DeviceLink, LinkCx, SM};
use super::lifetimes::STALE;

impl DeviceLink {
    /// What comes behind the second header.
    pub(super) fn begin(&self, was_written: bool, cx: &mut LinkCx<'_>) {
        let is_resuming = self.me(cx).attempt.resume.is_some();
        self.me(cx).phase = if is_resuming { Phase::Resuming } else { Phase::Binding };
        if !was_written {
            let text = if is_resuming { self.resume(cx) } else { self.bind(cx) };
            cx.write(|out| out.extend_from_slice(text.as_bytes()));
        }
    }

    pub(super) fn resume(&self, cx: &mut LinkCx<'_>) -> String {
        let now = cx.now;
        let resume = self.me(cx).attempt.resume.clone().expect("it resumes");
        let session = &mut cx.world.sessions[resume.session];
        let (h, confirmed) = (session.h_of(resume.h), session.confirmed);
        let id = session.id.clone().unwrap_or_default();
        let id = if resume.id == Id::Wrong { id.chars().rev().collect() } else { id };
        if resume.id == Id::Own && resume.h != H::TooHigh {
            cx.world.note_ack(self.link, h, false);
        }
        self.me(cx).asked = Some((now, h, confirmed));
        format!("<resume xmlns='{SM}' h='{h}' previd='{id}'/>")
    }

    pub(super) fn bind(&self, cx: &mut LinkCx<'_>) -> String {
        let login = self.login(cx);
        self.me(cx).wrote_bind = true;
        let how = self.me(cx).attempt.bind.clone().expect("it binds");
        let resume = if how.resumable { " resume='true'" } else { "" };
        let max = how.max_s.map(|max| format!(" max='{max}'")).unwrap_or_default();
        format!("{}<enable xmlns='{SM}'{resume}{max}/>", bind(&login))
    }

    pub(super) fn on_bind_answer(&self, iq: &Node<'_>, cx: &mut LinkCx<'_>) {
        if iq.attr("type") != Some("result") {
            let error = iq.elements().find(|child| child.name == "error").expect("an error says which");
            if error.elements().next().is_none_or(|condition| condition.name != "conflict") {
                cx.world.complain(format!("link {} cannot bind: {error:?}", self.link));
            }
            cx.world.note("a taken resource is refused");
            self.me(cx).phase = Phase::Refused;
            return self.quit(cx);
        }
        let jid = iq.elements().next().and_then(|bind| bind.elements().next()).map(Node::text);
        let account = self.me(cx).attempt.account;
        cx.world.sessions.push(Session {
            account,
            jid: jid.expect("a result names the address"),
            first: self.link,
            begun: cx.now,
            id: None,
            max: WINDOW_MAX,
            is_managed: false,
            early: Vec::new(),
            log: Vec::new(),
            sent: Vec::new(),
            acks: Vec::new(),
            confirmed: 0,
            handled: None,
            lag: 0,
            link: Some(self.link),
            over: None,
            over_at: Nanos::MAX,
        });
        let session = cx.world.sessions.len() - 1;
        self.me(cx).session = Some(session);
        self.me(cx).phase = Phase::Enabling;
    }

    pub(super) fn on_enabled(&self, enabled: &Node<'_>, cx: &mut LinkCx<'_>) {
        self.me(cx).phase = Phase::Attached;
        let wanted = self.me(cx).attempt.bind.clone().expect("it has bound");
        let Some((_, session)) = self.session(cx) else { return };
        session.is_managed = true;
        session.id = enabled.attr("id").map(str::to_owned);
        let max = enabled.attr("max").and_then(|max| max.parse().ok()).map(Duration::from_secs);
        session.max = max.unwrap_or(WINDOW_MAX);
        let window = wanted.max_s.map_or(WINDOW_MAX, |max| Duration::from_secs(max.into()).min(WINDOW_MAX));
        let is_right = session.id.is_some() == wanted.resumable && (!wanted.resumable || max == Some(window));
        if !is_right {
            cx.world.complain(format!("link {}: {wanted:?} became {:?}", self.link, enabled.attrs));
        }
        self.flush(cx);
    }

    pub(super) fn on_resumed(&self, h: u32, previd: Option<&str>, cx: &mut LinkCx<'_>) {
        let link = self.link;
        let resume = self.me(cx).attempt.resume.clone().expect("it resumes");
        let (asked, own_h, confirmed) = self.me(cx).asked.expect("it was asked");
        let must_fail = resume.id != Id::Own || cx.world.must_be_over(link, resume.session, asked);
        if must_fail || resume.h == H::TooHigh {
            return cx
                .world
                .complain(format!("link {link} must not have resumed session {}", resume.session));
        }
        cx.world.note_ack(link, own_h, true);
        let before = cx.world.sessions[resume.session].link;
        let is_there = before.is_some_and(|before| cx.world.links[before].end.is_none());
        cx.world.note(if is_there { "resumed while the former stream was there" } else { "resumed" });
        let (me, session) = (&mut cx.world.links[link], &mut cx.world.sessions[resume.session]);
        let is_known = previd == session.id.as_deref();
        (me.phase, me.answer, me.came) = (Phase::Attached, Some(Answer::Resumed), own_h as usize);
        me.written = session.sent.len();
        session.link = Some(link);
        if !is_known || (h as usize) < confirmed {
            cx.world.complain(format!(
                "link {link}: resumed {previd:?} with {h}, of which {confirmed} were known"
            ));
        }
        cx.world.confirm(link, h);
        self.me(cx).written = h as usize;
        self.flush(cx);
    }

    pub(super) fn on_failed(&self, h: Option<u32>, cx: &mut LinkCx<'_>) {
        let (link, now) = (self.link, cx.now);
        let resume = self.me(cx).attempt.resume.clone().expect("it resumes");
        self.me(cx).answer = Some(Answer::Failed(h));
        let (_, own_h, confirmed) = self.me(cx).asked.expect("it was asked");
        match resume.id {
            Id::Own => {
                // Nothing was acknowledged by it.
                cx.world.unsay(link, resume.session);
                match cx.world.excuse(link, resume.session, own_h, now) {
                    None => cx.world.complain(format!("link {link}: session {} is lost", resume.session)),
                    Some(STALE) => cx.world.note("an h that is too low is refused"),
                    Some(why) => {
                        cx.world.note(why);
                        self.learn_end(resume.session, h, confirmed, cx);
                    }
                }
                self.me(cx).session = None;
            }
            Id::Others | Id::Wrong => {
                if h.is_some() {
                    cx.world.complain(format!("link {link} learns of a session that is not its own"));
                }
                let is_other = resume.id == Id::Others;
                cx.world.note(if is_other { "another account's id" } else { "a wrong id" });
            }
        }
        if self.me(cx).attempt.bind.is_some() {
            self.me(cx).phase = Phase::Binding;
            let text = self.bind(cx);
            cx.write(|out| out.extend_from_slice(text.as_bytes()));
        } else {
            self.me(cx).phase = Phase::Refused;
            self.quit(cx);
        }
    }

    /// A session is over, and the server had handled so much of it.
    fn learn_end(&self, session: usize, h: Option<u32>, confirmed: usize, cx: &mut LinkCx<'_>) {
        let now = cx.now;
        let s = &mut cx.world.sessions[session];
        let handled = h.map(|h| h as usize);
        let fits = handled.is_some_and(|h| {
            h >= confirmed && h <= s.sent.len() && s.handled.is_none_or(|before| before == h)
        });
        s.handled = handled;
        s.end(Over::Failed, now);
        if !fits {
            let (sent, link) = (s.sent.len(), self.link);
            cx.world.complain(format!(
                "link {link}: session {session} is over with {h:?} of {sent} stanzas, {confirmed} were known"
            ));
        }
    }
}
