//! The program as its users have it: the built binary, real files, real sockets, every exit code.
//!
//! No latency is judged here, and nothing sleeps: tests wait for lines, for bytes and for processes to end, a minute
//! at most. What was measured well on an idle machine may be *invalid* on a busy one, so a run with a real rate may
//! exit with 5 where it says why; what decides an exit code here does not depend on speed.

mod support;

mod cli {
    mod addresses;
    mod breaks;
    mod client;
    mod ends;
    mod fakes;
    mod files;
    mod hosts;
    mod lists;
    mod login;
    mod preflight;
    mod processes;
    mod program;
    mod runs;
    mod serve;
    mod storage;
    mod targets;
    mod test_suite;
    mod users;
    mod words;
}
