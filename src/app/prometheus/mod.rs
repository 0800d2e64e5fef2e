//! What a running router has counted, for Prometheus to fetch: `http://ADDRESS/metrics`.
//!
//! It is on loopback, without TLS or a password: whoever may log in to this machine may read it. It counts nothing itself, and
//! costs the reactors nothing while nobody asks.

mod page;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::runtime;

use crate::reactor::Messenger;
use crate::server::ServerWorld;
use page::{Home, Page};

/// Version 0.0.4 of Prometheus' text format.
const CONTENT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A reactor that has not answered by then is left out of no page: the whole page fails.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// What is asked for a page.
#[derive(Clone)]
struct Sources {
    homes: Arc<[Messenger<ServerWorld>]>,
    is_store_up: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

/// Listens on `address` (port 0: any) and answers from then on, on a thread of its own. Returns the address that was bound.
/// `is_store_up` says whether the store can be reached, if there is one.
///
/// # Errors
/// When the address cannot be bound, or the operating system has no thread left.
pub(super) fn start(
    address: SocketAddr,
    homes: Vec<Messenger<ServerWorld>>,
    is_store_up: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
) -> std::io::Result<SocketAddr> {
    let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(address))?;
    let bound = listener.local_addr()?;
    let sources = Sources { homes: homes.into(), is_store_up };
    let router = Router::new().route("/metrics", get(metrics)).with_state(sources);
    thread::Builder::new().name("prometheus".to_owned()).spawn(move || {
        // It lives as long as the process: what it tells is true to the end.
        if let Err(error) = runtime.block_on(async { axum::serve(listener, router).await }) {
            tracing::error!("the page of metrics is gone: {error}");
        }
    })?;
    Ok(bound)
}

async fn metrics(State(sources): State<Sources>) -> Response {
    let homes = tokio::task::spawn_blocking(move || {
        let is_store_up = sources.is_store_up.as_ref().map(|is_up| is_up());
        look(&sources.homes).map(|homes| Page { homes, is_store_up }.to_string())
    });
    match homes.await.ok().flatten() {
        Some(page) => ([(CONTENT_TYPE, CONTENT)], page).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "a reactor does not answer\n").into_response(),
    }
}

/// Asks every home; `None` when one does not answer in time.
fn look(homes: &[Messenger<ServerWorld>]) -> Option<Vec<Home>> {
    let (answers, waiting) = mpsc::channel();
    for (number, home) in homes.iter().enumerate() {
        let answers = answers.clone();
        home.look(move |world, report| {
            // An error: the page has failed, nobody waits any more.
            let _ = answers.send((number, Home::of(world, report)));
        });
    }
    drop(answers);
    let mut seen: Vec<(usize, Home)> = Vec::new();
    while seen.len() < homes.len() {
        seen.push(waiting.recv_timeout(ANSWER_MAX).ok()?);
    }
    seen.sort_by_key(|(number, _)| *number);
    Some(seen.into_iter().map(|(_, home)| home).collect())
}
