//! The server's threads.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use foldhash::quality::RandomState;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::time::{ClockId, clock_gettime};
use xmpp_bench::router::mailbox::{Class, Mailbox, MailboxLimits, Wake, Weigh, fleet};
use xmpp_bench::router::{HomeId, Homes, JidHash, Roster, Shard, Sink, Verdict};
use xmpp_bench::stanza::{Jid, JidCow, JidRef, Stanza};

pub(crate) const MESSAGE_BYTES: usize = 180;
/// When it was sent; the recipient's address follows, and spaces.
pub(crate) const TIME_BYTES: usize = 8;

/// See the bench's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Homes,
    Stay,
    Locked,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Homes, Self::Stay, Self::Locked];
}

type Message = [u8; MESSAGE_BYTES];

/// What one thread hands another.
#[derive(Debug)]
struct Letter {
    message: Message,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// Whoever the address is, by the hash of its bare JID.
    Here(JidHash),
    User(u32),
}

impl Weigh for Letter {
    fn weight_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

#[derive(Debug)]
struct Bell(Waker);

impl Wake for Bell {
    fn wake(&self) {
        self.0.wake().expect("an eventfd takes a wake");
    }
}

/// What waits for a user's socket.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    /// Somebody will write it at the end of a turn.
    listed: bool,
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Fleet {
    way: Way,
    sockets: Vec<TcpStream>,
    /// Only [`Way::Locked`] shares them in fact.
    outboxes: Vec<Mutex<Outbox>>,
    /// Full JID to thread and user.
    table: papaya::HashMap<Jid, (HomeId, u32), RandomState>,
    homes: Homes,
    bells: Vec<Arc<Bell>>,
    stopping: AtomicBool,
}

/// One thread.
#[derive(Debug)]
pub(crate) struct Member {
    mailbox: Mailbox<Letter>,
    poll: Poll,
    shard: Shard<u32>,
    /// Those of its own connections; by user, empty for the others.
    outboxes: Vec<Outbox>,
    /// Users whose outbox it writes at the end of the turn.
    listed: Vec<u32>,
    /// What the shard is asked about: a chat message.
    chat: Stanza,
    recipients: Vec<u32>,
    hashes: Vec<JidHash>,
}

impl Fleet {
    pub(crate) fn new(way: Way, homes: Homes, jids: &[Jid], sockets: Vec<TcpStream>) -> (Self, Vec<Member>) {
        let chat = b"<message from='a@b/c' to='d@e/f' type='chat' id='m1'><body>Art thou?</body></message>";
        let mailboxes = fleet(homes.count(), MailboxLimits::default());
        let mut members: Vec<_> = mailboxes
            .into_iter()
            .map(|mailbox| Member {
                mailbox,
                poll: Poll::new().expect("epoll"),
                shard: Shard::new(homes.hasher().clone()),
                outboxes: jids.iter().map(|_| Outbox::default()).collect(),
                listed: Vec::new(),
                chat: Stanza::from_own(Bytes::from_static(chat)),
                recipients: Vec::new(),
                hashes: Vec::new(),
            })
            .collect();
        let table = papaya::HashMap::with_capacity_and_hasher(jids.len(), RandomState::default());
        for ((user, jid), socket) in (0_u32..).zip(jids).zip(&sockets) {
            let bare = jid.to_bare();
            let home = match way {
                Way::Homes => homes.of(bare.as_str()),
                // The kernel spreads them; who writes to whom has nothing to do with it.
                Way::Stay | Way::Locked => HomeId::new(user as usize % homes.count()),
            };
            table.pin().insert(jid.clone(), (home, user));
            let member = &mut members[home.index()];
            if way == Way::Homes {
                let account = member.shard.add_account(bare, Roster::default(), false).expect("each once");
                member.shard.attach(account, jid.clone(), Sink::Connection(user));
            }
            let fd = socket.as_raw_fd();
            let registry = member.poll.registry();
            registry
                .register(&mut SourceFd(&fd), Token(user as usize), Interest::READABLE)
                .expect("epoll takes a socket");
        }
        let bell = |member: &Member| {
            let waker = Waker::new(member.poll.registry(), WAKER).expect("an eventfd");
            let bell = Arc::new(Bell(waker));
            member.mailbox.set_waker(Arc::clone(&bell) as Arc<dyn Wake>);
            bell
        };
        let bells = members.iter().map(bell).collect();
        let outboxes = jids.iter().map(|_| Mutex::default()).collect();
        let stopping = AtomicBool::new(false);
        (Self { way, sockets, outboxes, table, homes, bells, stopping }, members)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.bells.iter().for_each(|bell| bell.wake());
    }
}

const WAKER: Token = Token(usize::MAX);

impl Member {
    /// Until the fleet stops; returns its CPU time, in ns.
    pub(crate) fn run(mut self, fleet: &Fleet) -> u64 {
        let mut events = Events::with_capacity(1_024);
        let mut buffer = [0; 64 * MESSAGE_BYTES];
        while !fleet.stopping.load(Ordering::Acquire) {
            let timeout = if self.mailbox.lie_down() { None } else { Some(Duration::ZERO) };
            self.poll.poll(&mut events, timeout).expect("epoll waits");
            self.mailbox.get_up();
            for event in &events {
                if event.token() != WAKER {
                    self.read(&fleet.sockets[event.token().0], &mut buffer, fleet);
                }
            }
            self.drain(fleet);
            self.mailbox.flush();
            self.write(fleet);
        }
        let time = clock_gettime(ClockId::ThreadCPUTime);
        u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).expect("it counts from 0")
    }

    fn read(&mut self, mut socket: &TcpStream, buffer: &mut [u8], fleet: &Fleet) {
        loop {
            let got = match socket.read(buffer) {
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("the clients live: {error}"),
            };
            assert_eq!(got % MESSAGE_BYTES, 0, "whole messages are written");
            for message in buffer[..got].as_chunks::<MESSAGE_BYTES>().0 {
                self.route(message, fleet);
            }
            if got < buffer.len() {
                return;
            }
        }
    }

    fn route(&mut self, message: &Message, fleet: &Fleet) {
        let to = address(message);
        let me = self.mailbox.me();
        match fleet.way {
            Way::Homes => {
                let hash = fleet.homes.hasher().hash(to.bare().as_str());
                let home = fleet.homes.of_hash(hash);
                if home == me {
                    self.deliver(message, Place::Here(hash));
                } else {
                    self.send(home, message, Place::Here(hash));
                }
            }
            Way::Stay => {
                let (home, user) = *fleet.table.pin().get(to.as_str()).expect("it is there");
                if home == me {
                    self.deliver(message, Place::User(user));
                } else {
                    self.send(home, message, Place::User(user));
                }
            }
            Way::Locked => {
                let (_, user) = *fleet.table.pin().get(to.as_str()).expect("it is there");
                let mut outbox = fleet.outboxes[user as usize].lock().expect("no thread panics");
                outbox.bytes.extend_from_slice(message);
                if !std::mem::replace(&mut outbox.listed, true) {
                    self.listed.push(user);
                }
            }
        }
    }

    fn send(&mut self, home: HomeId, message: &Message, place: Place) {
        // What does not fit waits here; the clients' window bounds it.
        let _ = self.mailbox.send(home, Class::Request, Letter { message: *message, place });
    }

    /// To a connection of this thread.
    fn deliver(&mut self, message: &Message, place: Place) {
        let user = match place {
            Place::User(user) => user,
            Place::Here(hash) => {
                self.recipients.clear();
                let verdict = self.shard.decide(&self.chat, address(message), hash, &mut self.recipients);
                assert_eq!(verdict, Verdict::Deliver);
                self.recipients[0]
            }
        };
        let outbox = &mut self.outboxes[user as usize];
        outbox.bytes.extend_from_slice(message);
        if !std::mem::replace(&mut outbox.listed, true) {
            self.listed.push(user);
        }
    }

    fn drain(&mut self, fleet: &Fleet) {
        self.mailbox.begin_drain();
        while let Some(mut taken) = self.mailbox.take() {
            if fleet.way == Way::Homes {
                self.hashes.extend(taken.letters.iter().filter_map(|letter| match letter.place {
                    Place::Here(hash) => Some(hash),
                    Place::User(_) => None,
                }));
                self.shard.touch(&self.hashes);
                self.hashes.clear();
            }
            for letter in taken.letters.drain(..) {
                self.deliver(&letter.message, letter.place);
            }
            self.mailbox.give_back(taken);
        }
    }

    fn write(&mut self, fleet: &Fleet) {
        for user in self.listed.drain(..) {
            let user = user as usize;
            if fleet.way == Way::Locked {
                let mut outbox = fleet.outboxes[user].lock().expect("no thread panics");
                write_all(&fleet.sockets[user], &mut outbox);
            } else {
                write_all(&fleet.sockets[user], &mut self.outboxes[user]);
            }
        }
    }
}

fn write_all(mut socket: &TcpStream, outbox: &mut Outbox) {
    let written = socket.write(&outbox.bytes).expect("the clients read");
    assert_eq!(written, outbox.bytes.len(), "there is room for what is under way");
    outbox.bytes.clear();
    outbox.listed = false;
}

fn address(message: &Message) -> JidRef<'_> {
    let text = std::str::from_utf8(&message[TIME_BYTES..]).expect("text");
    match JidRef::parse(text.trim_end_matches(' ')) {
        Ok(JidCow::Borrowed(jid)) => jid,
        other => panic!("it is prepared already: {other:?}"),
    }
}
