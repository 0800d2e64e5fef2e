//! The preflight of a scenario against its target: what the machine gives, then what one real client finds.
//!
//! It loads nothing. The client itself is [`crate::load::preflight`]'s; here it is given a reactor, and what can be
//! looked at without one is looked at: the name, the address, descriptors and ports.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;

use serde::Serialize;

use super::child::{Heard, Order, Ready, Router};
use super::exit::{Exit, Failure};
use super::report::numbers::count;
use super::scenario::Loaded;
use super::target::{Server, Target};
use super::terminal::{Colour, Terminal};
use super::{descriptors, run, sources};
use crate::load::preflight::{CheckState, Finding, Preflight, PreflightPlan, PreflightWorld};
use crate::metrics::IdsArrive;
use crate::reactor::{Reactor, ReactorConfig};

/// What a preflight came to.
#[derive(Debug, Clone, Serialize)]
pub struct PreflightReport {
    /// `embedded` or a URL.
    pub target: String,
    /// Where that is; null when no address answered.
    pub address: Option<SocketAddr>,
    /// XMPP domain.
    pub domain: String,
    /// Whether the scenario can run.
    pub ready: bool,
    /// Name and version of the server's software, if it told (XEP-0092).
    pub software: Option<String>,
    /// What becomes of the ids of messages and presence.
    pub ids: IdsArrive,
    /// One line each, in order.
    pub checks: Vec<Finding>,
    /// Whether this machine is what stands in the way.
    #[serde(skip)]
    limit_is_ours: bool,
}

/// Tries `loaded` with one real client; `mine`: a public address is the operator's own.
///
/// # Errors
/// Exit code 2: it may not be tried (a stranger's server, a scenario that cannot be run on the embedded router). Exit
/// code 1: the embedded router or the client cannot be started.
pub fn preflight(loaded: &Loaded, mine: bool) -> Result<PreflightReport, Failure> {
    let mut report = PreflightReport {
        target: loaded.target.to_string(),
        address: None,
        domain: loaded.scenario.target.domain.clone(),
        ready: false,
        software: None,
        ids: IdsArrive::default(),
        checks: Vec::new(),
        limit_is_ours: false,
    };
    run::provisioned_only_here(loaded)?;
    let (router, address) = match &loaded.target {
        Target::Embedded => {
            let (router, address) = start_router(loaded)?;
            report.checks.push(Finding::ok("address", format!("the embedded router listens on {address}")));
            (Some(router), Some(address))
        }
        Target::Server(server) => (None, report.find(server, mine)?),
    };
    report.address = address;
    report.descriptors(loaded);
    let source = address.and_then(|address| report.ports(loaded, address));
    if let (Some(address), Some(sources)) = (address, source) {
        let plan = PreflightPlan {
            scenario: Arc::new(loaded.scenario.clone()),
            target: address,
            source: sources.addresses.first().copied(),
        };
        let Preflight { findings, ids, software } = fly(plan)?;
        report.checks.extend(findings);
        (report.ids, report.software) = (ids, software);
    }
    drop(router);
    report.ready = report.checks.iter().all(|finding| finding.state != CheckState::Failed);
    Ok(report)
}

impl PreflightReport {
    /// 0: the scenario can run. 6: the target refuses. 2: this machine is not set up for it.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match (self.ready, self.limit_is_ours) {
            (true, _) => Exit::Passed,
            (false, true) => Exit::Usage,
            (false, false) => Exit::Unreachable,
        }
    }

    /// Looks for a server's name and address.
    fn find(&mut self, server: &Server, mine: bool) -> Result<Option<SocketAddr>, Failure> {
        let mut failed = |check: &str, failure: Failure| {
            for complaint in failure.errors {
                let mut finding = Finding::failed(check, complaint.what);
                finding.fix = finding.fix.or(complaint.help);
                self.checks.push(finding);
            }
        };
        let addresses = match server.resolve(mine) {
            Ok(addresses) => addresses,
            Err(failure) if failure.exit == Exit::Unreachable => {
                failed("name", failure);
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        let address = match server.probe(&addresses) {
            Ok(address) => address,
            Err(failure) => {
                failed("address", failure);
                return Ok(None);
            }
        };
        let others: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        self.checks.push(Finding::ok("name", format!("{} is {}", server.host, others.join(", "))));
        self.checks.push(Finding::ok("address", format!("{address} takes connections")));
        Ok(Some(address))
    }

    fn ours(&mut self, check: &str, failure: Failure) {
        self.limit_is_ours = true;
        for complaint in failure.errors {
            let fix = complaint.help.as_deref();
            self.checks.push(Finding::new(check, CheckState::Failed, complaint.what, fix));
        }
    }

    fn descriptors(&mut self, loaded: &Loaded) {
        let (users, limit) = (u64::from(loaded.scenario.users.count), descriptors::raise());
        match descriptors::preflight(users, limit) {
            Ok(()) => {
                let what = format!("{} open files for {} users", count(limit.soft), count(users));
                self.checks.push(Finding::ok("descriptors", what));
            }
            Err(failure) => self.ours("descriptors", failure),
        }
    }

    fn ports(&mut self, loaded: &Loaded, address: SocketAddr) -> Option<sources::Sources> {
        let range = descriptors::local_ports();
        let connections = sources::connections(&loaded.scenario);
        match sources::choose(&loaded.scenario, address, &range) {
            Ok(sources) => {
                let from = sources.addresses.len().max(1) as u64;
                let each = u64::from(range.end() - range.start()) + 1;
                let what = sources.note.clone().unwrap_or_else(|| {
                    let (connections, ports) = (count(connections), count(from * each));
                    format!("{ports} on {from} source address(es), for {connections} connections")
                });
                let tight = connections > from * each;
                let (state, fix) = if tight {
                    let fix = "set-up and load together need more ports than there are while closed connections still \
                               hold theirs for a minute: give more addresses of this machine (`target.source_ips`)";
                    (CheckState::Warning, Some(fix))
                } else {
                    (CheckState::Ok, None)
                };
                self.checks.push(Finding::new("ports", state, what, fix));
                Some(sources)
            }
            Err(failure) => {
                self.ours("ports", failure);
                // One client needs one port.
                Some(sources::Sources::default())
            }
        }
    }

    /// As text: a line for each check, and one for the whole.
    #[must_use]
    pub fn text(&self, terminal: Terminal) -> String {
        let address = self.address.map(|address| format!(" ({address})")).unwrap_or_default();
        let mut lines = vec![format!("preflight of {}{address}, domain {}", self.target, self.domain)];
        let width = self.checks.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
        for Finding { check, state, what, fix } in &self.checks {
            let word = match state {
                CheckState::Ok => terminal.paint_out(Colour::Green, "ok     "),
                CheckState::Info => "info   ".to_owned(),
                CheckState::Warning => terminal.paint_out(Colour::Yellow, "warning"),
                CheckState::Failed => terminal.paint_out(Colour::Red, "FAILED "),
            };
            lines.push(format!("{word}  {check:width$}  {what}"));
            if let Some(fix) = fix {
                lines.push(format!("         {:width$}  fix: {fix}", ""));
            }
        }
        let of = |wanted: CheckState| self.checks.iter().filter(|f| f.state == wanted).count();
        lines.push(match (self.ready, of(CheckState::Warning)) {
            (true, 0) => terminal.paint_out(Colour::Green, "READY"),
            (true, warnings) => {
                format!("{}, {warnings} warning(s)", terminal.paint_out(Colour::Yellow, "READY"))
            }
            (false, _) => {
                format!("{}: {} failed", terminal.paint_out(Colour::Red, "NOT READY"), of(CheckState::Failed))
            }
        });
        lines.join("\n")
    }
}

/// Starts the router as a run does, and waits until it listens.
fn start_router(loaded: &Loaded) -> Result<(Router, SocketAddr), Failure> {
    let (sender, heard) = mpsc::channel();
    let order = Order::new(&loaded.scenario, Vec::new());
    let router = Router::start(&order, move |news| drop(sender.send(news)))?;
    match heard.recv() {
        Ok(Heard::Ready(Ready::Port(port))) => Ok((router, ([127, 0, 0, 1], port).into())),
        Ok(Heard::Ready(Ready::Failed(what))) => {
            Err(Failure::internal(format!("the embedded router cannot start: {what}")))
        }
        Ok(Heard::Gone) | Err(_) => {
            Err(Failure::internal(format!("the embedded router died at its start: {}", router.stop().1)))
        }
    }
}

/// Has the client fly.
fn fly(plan: PreflightPlan) -> Result<Preflight, Failure> {
    Reactor::new(PreflightWorld::new(plan), ReactorConfig::default())
        .and_then(Reactor::run)
        .map(|(world, _)| world.into_result())
        .map_err(|error| Failure::internal(format!("the preflight failed: {error}")))
}
